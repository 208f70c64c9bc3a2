//! A console over a [`Connection`]. Its owner drives it; there is no task per console.

use std::time::{Duration, Instant};

use super::activation::{self, ActivationError};
use super::state::{CloseReason, Sol, SolEvent};
use crate::client::{Connection, Error};
use crate::clock;

/// Default interval of keep-alive requests. BMCs close sessions that are idle for a minute (6.12.15), and not
/// every BMC reports that another session took the console.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(25);

/// The serial console of a machine.
pub struct Console {
    connection: Connection,
    sol: Sol,
    /// The BMC's number of this console's session, if the BMC reports it.
    owner: Option<u32>,
    keep_alive_interval: Duration,
    next_keep_alive: Instant,
    closed: Option<CloseReason>,
}

/// What a console received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// Characters of the machine.
    Data(Vec<u8>),
    /// The BMC lost characters of the machine because its buffer was full.
    Overrun,
    /// The machine sent a break.
    Break,
    /// The console is closed. Every later read returns the same.
    Closed(CloseReason),
}

impl Console {
    /// Activates serial over LAN in this session. With `steal`, a console of another session is taken over.
    /// On failure the session is returned with the error.
    ///
    /// # Errors
    /// Another session has the console, the BMC refuses, or there is no response.
    pub async fn open(
        mut connection: Connection,
        steal: bool,
    ) -> Result<Self, (Connection, ActivationError)> {
        match activate(&mut connection, steal).await {
            Ok((payload_size, owner)) => Ok(Self {
                connection,
                sol: Sol::new(payload_size),
                owner,
                keep_alive_interval: KEEP_ALIVE_INTERVAL,
                next_keep_alive: clock::now() + KEEP_ALIVE_INTERVAL,
                closed: None,
            }),
            Err(error) => Err((connection, error)),
        }
    }

    /// Sets the interval at which the console checks that session and console still exist; the default is
    /// 25 s.
    #[must_use]
    pub fn with_keep_alive_interval(mut self, interval: Duration) -> Self {
        self.keep_alive_interval = interval;
        self.next_keep_alive = clock::now() + interval;
        self
    }

    /// Waits for the next event and sends what was written. It has to be called all the time: it also
    /// retransmits and keeps the session alive. Cancel safe.
    ///
    /// # Errors
    /// The session ended.
    pub async fn read(&mut self) -> Result<ConsoleEvent, Error> {
        loop {
            self.send().await?;
            match self.sol.event() {
                Some(SolEvent::Data(characters)) => return Ok(ConsoleEvent::Data(characters)),
                Some(SolEvent::Overrun) => return Ok(ConsoleEvent::Overrun),
                Some(SolEvent::Break) => return Ok(ConsoleEvent::Break),
                Some(SolEvent::Closed(reason)) => self.closed = Some(reason),
                None => {}
            }
            match self.closed {
                Some(reason) => return Ok(ConsoleEvent::Closed(reason)),
                None => self.wait().await?,
            }
        }
    }

    /// Queues characters for the machine and returns how many fit: at most
    /// [`MAX_QUEUED`](super::MAX_QUEUED) characters are queued. [`Console::read`] sends them.
    ///
    /// # Errors
    /// The session ended.
    pub async fn write(&mut self, characters: &[u8]) -> Result<usize, Error> {
        if self.closed.is_some() {
            return Ok(0);
        }
        let count = self.sol.write(characters, clock::now());
        self.send().await?;
        Ok(count)
    }

    /// Sends the machine a break.
    ///
    /// # Errors
    /// The session ended.
    pub async fn send_break(&mut self) -> Result<(), Error> {
        self.sol.send_break(clock::now());
        self.send().await
    }

    /// Whether the BMC has acknowledged everything that was written.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.sol.is_flushed()
    }

    /// Deactivates serial over LAN and returns the session.
    ///
    /// # Errors
    /// The BMC refuses, or there is no response.
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

    /// Waits for a payload, a retransmission deadline or the next keep-alive, and handles it.
    async fn wait(&mut self) -> Result<(), Error> {
        let retransmission = self.sol.deadline();
        let deadline = retransmission.map_or(self.next_keep_alive, |deadline| {
            deadline.min(self.next_keep_alive)
        });
        let payload = self.connection.receive_sol();
        let received = tokio::time::timeout_at(deadline.into(), payload).await;
        let now = clock::now();
        match received {
            Ok(payload) => {
                self.sol.receive(&payload?, now);
                self.next_keep_alive = now + self.keep_alive_interval;
            }
            Err(_) if now >= self.next_keep_alive => {
                let owner = activation::owner(&mut self.connection).await?;
                self.next_keep_alive = clock::now() + self.keep_alive_interval;
                if owner != self.owner {
                    self.closed = Some(CloseReason::Deactivated);
                }
            }
            Err(_) => self.sol.expire(now),
        }
        Ok(())
    }
}

/// Activates serial over LAN and returns payload size and owner.
async fn activate(
    connection: &mut Connection,
    steal: bool,
) -> Result<(u16, Option<u32>), ActivationError> {
    let payload_size = match activation::activate(connection).await {
        Err(ActivationError::InUse) if steal => {
            activation::deactivate(connection).await?;
            activation::activate(connection).await?
        }
        result => result?,
    };
    Ok((payload_size, activation::owner(connection).await?))
}
