//! A session with a BMC over UDP, driven by whoever holds it: there is no task a session.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::command::Malformed;
use crate::message::{Command, Completion};
use crate::session::{Credentials, Event, RetryPolicy, Session, SessionEnd};
use crate::sockets::{Shared, Socket, Sockets};
use crate::suite::CipherSuite;

/// A session in which nothing was asked for this long may be closed by its BMC (6.12.15).
pub const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// Get Device ID (20.1), which everyone may ask.
const DEVICE_ID: Command = Command::new(0x06, 0x01);
/// Payloads of serial over LAN that wait to be taken. More are dropped; the BMC repeats them.
const WAITING_SOL: usize = 32;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no session (any more).
    #[error(transparent)]
    Ended(#[from] SessionEnd),
    /// The BMC refused the request.
    #[error("{0}")]
    Refused(Completion),
    /// The system refused to send.
    #[error("cannot send to the BMC: {0}")]
    Send(#[from] io::Error),
    /// The answer is not what the command gives.
    #[error("the BMC's answer is malformed: {0}")]
    Malformed(#[from] Malformed),
}

/// A session with a BMC. PacketError without [`Connection::close`], it tells the BMC once that it is over: if
/// that gets lost, it occupies a slot of the BMC until that finds it idle.
pub struct Connection {
    session: Session,
    socket: Lent,
    number: u32,
    address: SocketAddr,
    datagrams: mpsc::Receiver<Vec<u8>>,
    /// Payloads of serial over LAN that came while something else was awaited.
    sol: VecDeque<Vec<u8>>,
    over: Option<SessionEnd>,
}

/// The socket of a session.
enum Lent {
    /// That of most sessions.
    Shared(Arc<Socket>),
    /// One of its own.
    Own(Shared),
}

impl std::ops::Deref for Lent {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        match self {
            Self::Shared(socket) => socket,
            Self::Own(own) => own,
        }
    }
}

impl Sockets {
    /// Opens a session with the BMC at `address`.
    ///
    /// # Errors
    /// The BMC does not answer, or refuses.
    pub async fn connect(
        &self,
        address: SocketAddr,
        credentials: Credentials,
        suites: &[CipherSuite],
        retry: RetryPolicy,
    ) -> Result<Connection, Error> {
        let socket = Lent::Shared(self.towards(address).await?);
        let log_in = (credentials.clone(), suites, retry);
        match Connection::open(socket, address, log_in).await {
            // VirtualBMC keeps a session for each port that one ever came from: it takes another.
            Err(Error::Ended(SessionEnd::StaleSession)) => {
                let socket = Lent::Own(Shared::towards(address).await?);
                Connection::open(socket, address, (credentials, suites, retry)).await
            }
            result => result,
        }
    }
}

fn random() -> [u8; 16] {
    rand::random()
}

impl Connection {
    async fn open(
        socket: Lent,
        address: SocketAddr,
        (credentials, suites, retry): (Credentials, &[CipherSuite], RetryPolicy),
    ) -> Result<Self, Error> {
        let (number, datagrams) = socket.register(address);
        let now = Instant::now();
        let session = Session::begin(credentials, suites, number, retry, random, now);
        let mut connection = Self {
            session,
            socket,
            number,
            address,
            datagrams,
            sol: VecDeque::new(),
            over: None,
        };
        match connection.event().await? {
            Event::Ready(_) => Ok(connection),
            Event::Ended(why) => Err(why.into()),
            Event::Response(..) | Event::Sol(_) => {
                Err(Malformed::new("a response too early").into())
            }
        }
    }

    /// Sends a request and waits for what the BMC gives.
    ///
    /// Not cancel safe: dropped before its end, the session is still busy with the request, and the
    /// next one waits for it.
    ///
    /// # Errors
    /// The BMC refused it or does not answer any more.
    pub async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        let (completion, data) = self.exchange(command, data).await?;
        match completion {
            Completion::OK => Ok(data),
            refused => Err(Error::Refused(refused)),
        }
    }

    /// The same, of which the completion code is the caller's to judge.
    ///
    /// # Errors
    /// The BMC does not answer any more.
    pub async fn exchange(
        &mut self,
        command: Command,
        data: &[u8],
    ) -> Result<(Completion, Vec<u8>), Error> {
        while !self.session.is_idle() {
            // The answer to a request that nobody waits for any more.
            if let Event::Sol(payload) = self.event().await? {
                self.keep_sol(payload);
            }
        }
        let _ = self.session.request(command, data, Instant::now());
        loop {
            match self.event().await? {
                Event::Response(completion, data) => return Ok((completion, data)),
                Event::Sol(payload) => self.keep_sol(payload),
                Event::Ready(_) | Event::Ended(_) => {}
            }
        }
    }

    /// Asks for something small, so that the BMC does not find the session idle: it may close one
    /// after [`IDLE_LIMIT`].
    ///
    /// # Errors
    /// The BMC does not answer any more.
    pub async fn keep_alive(&mut self) -> Result<(), Error> {
        // What it answers does not matter: it is there, and the session too.
        self.exchange(DEVICE_ID, &[]).await.map(drop)
    }

    /// The cipher suite that protects the session.
    #[must_use]
    pub fn suite(&self) -> CipherSuite {
        self.session.suite()
    }

    /// Why there is no session any more, where that is known already.
    #[must_use]
    pub fn over(&self) -> Option<SessionEnd> {
        self.over
    }

    /// Sends a payload of serial over LAN, once: that protocol repeats by itself.
    ///
    /// # Errors
    /// There is no session any more, or the system refused to send.
    pub async fn send_sol(&mut self, payload: &[u8]) -> Result<(), Error> {
        if let Some(why) = self.over {
            return Err(why.into());
        }
        self.session.send_sol(payload);
        self.flush().await
    }

    /// The next payload of serial over LAN. Cancel safe. It waits for ever while the BMC is silent:
    /// whether it still is there is the caller's to ask, by a request now and then.
    ///
    /// # Errors
    /// There is no session any more.
    pub async fn receive_sol(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(payload) = self.sol.pop_front() {
                return Ok(payload);
            }
            if let Event::Sol(payload) = self.event().await? {
                return Ok(payload);
            }
        }
    }

    fn keep_sol(&mut self, payload: Vec<u8>) {
        if self.sol.len() < WAITING_SOL {
            self.sol.push_back(payload);
        }
    }

    /// Gives the BMC its slot back.
    pub async fn close(mut self) {
        self.session.close(Instant::now());
        while self.event().await.is_ok() {}
    }

    /// Drives the session until it has something to tell.
    async fn event(&mut self) -> Result<Event, Error> {
        loop {
            self.flush().await?;
            match self.session.event() {
                Some(Event::Ended(why)) => {
                    self.over = Some(why);
                    return Err(why.into());
                }
                Some(event) => return Ok(event),
                None => {}
            }
            if let Some(why) = self.over {
                return Err(why.into());
            }
            self.wait().await;
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        while let Some(datagram) = self.session.transmit() {
            self.socket.send(&datagram, self.address).await?;
        }
        Ok(())
    }

    /// Waits for a datagram, or for the time at which one has to be sent again.
    async fn wait(&mut self) {
        let deadline = self.session.deadline().map(tokio::time::Instant::from_std);
        let received = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, self.datagrams.recv()).await,
            None => Ok(self.datagrams.recv().await),
        };
        let now = Instant::now();
        match received {
            Ok(Some(datagram)) => {
                if let Err(dropped) = self.session.receive(&datagram, now) {
                    tracing::debug!(bmc = %self.address, %dropped, "a datagram was dropped");
                }
            }
            // The sockets are gone: the session ends by its deadline.
            Ok(None) => self.over = Some(SessionEnd::Closed),
            Err(_) => self.session.expire(now),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.abandon(Instant::now());
        while let Some(datagram) = self.session.transmit() {
            self.socket.send_now(&datagram, self.address);
        }
        self.socket.forget(self.number);
    }
}
