//! Requests of one operation: the lane hears of each answer, a BMC that is busy is asked again, and
//! what goes wrong is a [`Failure`].

use std::time::Duration;

use xcat3_ipmi::{Command, Completion, Connection, Error, Requester, SessionEnd};

use super::super::bmc::{Failure, Turn};

/// How often a BMC is asked that says it is busy.
const ATTEMPTS: u32 = 6;
/// Before it is asked again the first time; later it takes longer.
const PAUSE: Duration = Duration::from_millis(100);

/// A session during one operation.
pub struct Exchange<'a, 't> {
    connection: &'a mut Connection,
    turn: &'a Turn<'t>,
}

impl<'a, 't> Exchange<'a, 't> {
    /// The session of `connection` during `turn`.
    pub fn new(connection: &'a mut Connection, turn: &'a Turn<'t>) -> Self {
        Self { connection, turn }
    }
}

impl Requester for Exchange<'_, '_> {
    async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        let mut attempt = 1;
        loop {
            let (completion, answer) = self.connection.exchange(command, data).await?;
            self.turn.answered(1);
            match completion {
                Completion::OK => return Ok(answer),
                Completion::BUSY if attempt < ATTEMPTS => {
                    self.turn.pause(PAUSE * attempt).await;
                    attempt += 1;
                }
                refused => return Err(Error::Refused(refused)),
            }
        }
    }
}

/// What an error means for the lane.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Ended(SessionEnd::Silent) | Error::Send(_) => Failure::silent(error),
        Error::Ended(_) => Failure::lost(error),
        Error::Refused(Completion::BUSY) => Failure::busy(error),
        Error::Refused(_) | Error::Malformed(_) => Failure::refused(error),
    }
}
