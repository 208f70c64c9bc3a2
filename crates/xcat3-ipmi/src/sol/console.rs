//! A console over a [`Connection`]: characters to read and to write, for whoever holds it. There is no
//! task a console.

use std::time::{Duration, Instant};

use super::activation::{self, ActivationError};
use super::state::{Closed, Sol, SolEvent};
use crate::client::{Connection, Error};

/// How often the BMC is asked who has the console. BMCs end sessions in which nothing happens for a minute
/// (6.12.15), and not all tell a console that another has taken its place.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// A machine's serial console.
pub struct Console {
    connection: Connection,
    sol: Sol,
    /// The session that has the console, by the BMC's number, where it tells it.
    holder: Option<u32>,
    ask_every: Duration,
    ask_at: Instant,
    closed: Option<Closed>,
}

/// What came of a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// Characters of the machine.
    Data(Vec<u8>),
    /// The machine sent more than the BMC could keep: some was lost.
    Overrun,
    /// The machine sent a break.
    Break,
    /// It is over; later reads say the same.
    Closed(Closed),
}

impl Console {
    /// Begins serial over LAN in this session. With `steal`, a console that another session has is
    /// taken from it. The session is given back where it can't begin.
    ///
    /// # Errors
    /// Another session has the console, or the BMC refuses or does not answer.
    pub async fn open(
        mut connection: Connection,
        steal: bool,
    ) -> Result<Self, (Connection, ActivationError)> {
        let mut begun = activation::activate(&mut connection).await;
        if steal && matches!(begun, Err(ActivationError::InUse)) {
            begun = match activation::deactivate(&mut connection).await {
                Ok(()) => activation::activate(&mut connection).await,
                Err(error) => Err(error.into()),
            };
        }
        let activation = match begun {
            Ok(activation) => activation,
            Err(why) => return Err((connection, why)),
        };
        let holder = match activation::holder(&mut connection).await {
            Ok(holder) => holder,
            Err(error) => return Err((connection, error.into())),
        };
        Ok(Self {
            connection,
            sol: Sol::new(activation.takes),
            holder,
            ask_every: KEEP_ALIVE,
            ask_at: Instant::now() + KEEP_ALIVE,
            closed: None,
        })
    }

    /// Asks the BMC so often whether session and console are still there, rather than every 25 seconds.
    #[must_use]
    pub fn ask_every(mut self, period: Duration) -> Self {
        self.ask_every = period;
        self.ask_at = Instant::now() + period;
        self
    }

    /// Waits for what comes, and sends meanwhile what was written. It has to be called all the time, or
    /// nothing is repeated that got lost, and the BMC ends the session. Cancel safe.
    ///
    /// # Errors
    /// There is no session any more.
    pub async fn read(&mut self) -> Result<ConsoleEvent, Error> {
        loop {
            self.send().await?;
            match self.sol.event() {
                Some(SolEvent::Data(characters)) => return Ok(ConsoleEvent::Data(characters)),
                Some(SolEvent::Overrun) => return Ok(ConsoleEvent::Overrun),
                Some(SolEvent::Break) => return Ok(ConsoleEvent::Break),
                Some(SolEvent::Closed(why)) => self.closed = Some(why),
                None => {}
            }
            match self.closed {
                Some(why) => return Ok(ConsoleEvent::Closed(why)),
                None => self.wait().await?,
            }
        }
    }

    /// Takes characters for the machine and gives how many: a BMC that takes none leaves no room after
    /// [`MOST_WAITING`](super::MOST_WAITING). They go out while [`Console::read`] waits.
    ///
    /// # Errors
    /// There is no session any more.
    pub async fn write(&mut self, characters: &[u8]) -> Result<usize, Error> {
        if self.closed.is_some() {
            return Ok(0);
        }
        let taken = self.sol.write(characters, Instant::now());
        self.send().await?;
        Ok(taken)
    }

    /// Sends the machine a break.
    ///
    /// # Errors
    /// There is no session any more.
    pub async fn send_break(&mut self) -> Result<(), Error> {
        self.sol.send_break(Instant::now());
        self.send().await
    }

    /// Whether everything that was written has reached the BMC.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.sol.is_flushed()
    }

    /// Ends serial over LAN and gives the session back.
    ///
    /// # Errors
    /// The BMC does not answer any more.
    pub async fn close(mut self) -> Result<Connection, Error> {
        activation::deactivate(&mut self.connection).await?;
        Ok(self.connection)
    }

    async fn send(&mut self) -> Result<(), Error> {
        while let Some(payload) = self.sol.transmit() {
            self.connection.send_sol(&payload).await?;
        }
        Ok(())
    }

    /// Waits for a payload, or for the time at which something has to be done.
    async fn wait(&mut self) -> Result<(), Error> {
        let until = self
            .sol
            .deadline()
            .map_or(self.ask_at, |until| until.min(self.ask_at));
        let payload = self.connection.receive_sol();
        let received = tokio::time::timeout_at(until.into(), payload).await;
        let now = Instant::now();
        match received {
            Ok(payload) => {
                self.sol.receive(&payload?, now);
                self.ask_at = now + self.ask_every;
            }
            Err(_) if now >= self.ask_at => {
                let holder = activation::holder(&mut self.connection).await?;
                self.ask_at = Instant::now() + self.ask_every;
                if holder != self.holder {
                    self.closed = Some(Closed::Deactivated);
                }
            }
            Err(_) => self.sol.expire(now),
        }
        Ok(())
    }
}
