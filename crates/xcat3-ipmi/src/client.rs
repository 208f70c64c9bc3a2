//! A session with a BMC over UDP. Its owner drives it; there is no task per session.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::clock;
use crate::command::Malformed;
use crate::message::{Command, Completion};
use crate::retry::RetryPolicy;
use crate::session::{Credentials, Event, Session, SessionEnd};
use crate::sockets::{OwnedSocket, Socket, Sockets};
use crate::suite::CipherSuite;

/// Get Device ID (20.1), which every privilege level may send.
const DEVICE_ID: Command = Command::new(0x06, 0x01);
/// The most serial-over-LAN payloads that wait to be read. Further ones are dropped; the BMC sends them
/// again.
const MAX_QUEUED_SOL: usize = 32;

/// Why a request has no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The session ended or was never opened.
    #[error(transparent)]
    Ended(#[from] SessionEnd),
    /// The BMC refused the request.
    #[error("{0}")]
    Refused(Completion),
    /// The operating system refused to send.
    #[error("cannot send to the BMC: {0}")]
    Send(#[from] io::Error),
    /// The response does not have the format of the command's responses.
    #[error("malformed response: {0}")]
    Malformed(#[from] Malformed),
}

/// A session with a BMC. When it is dropped without [`Connection::close`], it sends Close Session once; if
/// that datagram is lost, the BMC keeps the slot until its idle timeout (60 s, 6.12.15).
pub struct Connection {
    session: Session,
    socket: SessionSocket,
    number: u32,
    address: SocketAddr,
    datagrams: mpsc::Receiver<Vec<u8>>,
    /// Serial-over-LAN payloads that arrived while a response was awaited.
    sol: VecDeque<Vec<u8>>,
    end: Option<SessionEnd>,
}

/// The socket of a session.
enum SessionSocket {
    /// The socket of most sessions.
    Shared(Arc<Socket>),
    /// A socket of this session alone.
    Own(OwnedSocket),
}

impl std::ops::Deref for SessionSocket {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        match self {
            Self::Shared(socket) => socket,
            Self::Own(own) => own,
        }
    }
}

/// How to log in to a BMC.
#[derive(Clone)]
struct Login<'a> {
    credentials: Credentials,
    suites: &'a [CipherSuite],
    retry: RetryPolicy,
}

impl Sockets {
    /// Opens a session with the BMC at `address`, with the first of `suites` that the BMC accepts.
    ///
    /// # Errors
    /// The BMC is silent or refuses.
    pub async fn connect(
        &self,
        address: SocketAddr,
        credentials: Credentials,
        suites: &[CipherSuite],
        retry: RetryPolicy,
    ) -> Result<Connection, Error> {
        let login = Login {
            credentials,
            suites,
            retry,
        };
        let shared = SessionSocket::Shared(self.for_address(address).await?);
        match Connection::open(shared, address, login.clone()).await {
            // VirtualBMC keeps one session for each source port: a new port gets a new session.
            Err(Error::Ended(SessionEnd::StaleSession)) => {
                let own = SessionSocket::Own(OwnedSocket::for_address(address)?);
                Connection::open(own, address, login).await
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
        socket: SessionSocket,
        address: SocketAddr,
        login: Login<'_>,
    ) -> Result<Self, Error> {
        let (number, datagrams) = socket.register_session(address);
        let Login {
            credentials,
            suites,
            retry,
        } = login;
        let session = Session::begin(credentials, suites, number, retry, random, clock::now());
        let mut connection = Self {
            session,
            socket,
            number,
            address,
            datagrams,
            sol: VecDeque::new(),
            end: None,
        };
        match connection.event().await? {
            Event::Ready(_) => Ok(connection),
            Event::Ended(end) => Err(end.into()),
            Event::Response(..) | Event::Sol(_) => {
                Err(Malformed::new("a response before the session was open").into())
            }
        }
    }

    /// Sends a request and waits for the data of its response.
    ///
    /// Not cancel safe: if the future is dropped, the session stays busy with the request and the next
    /// request waits for it.
    ///
    /// # Errors
    /// The BMC refused the request, or the session ended.
    pub async fn request(&mut self, command: Command, data: &[u8]) -> Result<Vec<u8>, Error> {
        match self.exchange(command, data).await? {
            (Completion::OK, data) => Ok(data),
            (refused, _) => Err(Error::Refused(refused)),
        }
    }

    /// Sends a request and waits for its response, whatever the completion code is.
    ///
    /// # Errors
    /// The session ended.
    pub async fn exchange(
        &mut self,
        command: Command,
        data: &[u8],
    ) -> Result<(Completion, Vec<u8>), Error> {
        while !self.session.is_idle() {
            // The response to a request that was cancelled.
            if let Event::Sol(payload) = self.event().await? {
                self.queue_sol(payload);
            }
        }
        let _ = self.session.request(command, data, clock::now());
        loop {
            match self.event().await? {
                Event::Response(completion, data) => return Ok((completion, data)),
                Event::Sol(payload) => self.queue_sol(payload),
                Event::Ready(_) | Event::Ended(_) => {}
            }
        }
    }

    /// Sends a small request so that the BMC does not close the session as idle, which it may after 60 s
    /// (6.12.15).
    ///
    /// # Errors
    /// The session ended.
    pub async fn keep_alive(&mut self) -> Result<(), Error> {
        // Any completion code proves that the BMC still knows the session.
        self.exchange(DEVICE_ID, &[]).await.map(drop)
    }

    /// The cipher suite that protects the session.
    #[must_use]
    pub fn suite(&self) -> CipherSuite {
        self.session.suite()
    }

    /// Sends a serial-over-LAN payload once. Serial over LAN has its own retransmission.
    pub(crate) async fn send_sol(&mut self, payload: &[u8]) -> Result<(), Error> {
        if let Some(end) = self.end {
            return Err(end.into());
        }
        self.session.send_sol(payload);
        self.flush().await
    }

    /// Waits for the next serial-over-LAN payload. Cancel safe. It waits for ever while the BMC is silent:
    /// the caller sends a request from time to time to see whether the BMC is still there.
    pub(crate) async fn receive_sol(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(payload) = self.sol.pop_front() {
                return Ok(payload);
            }
            if let Event::Sol(payload) = self.event().await? {
                return Ok(payload);
            }
        }
    }

    fn queue_sol(&mut self, payload: Vec<u8>) {
        if self.sol.len() < MAX_QUEUED_SOL {
            self.sol.push_back(payload);
        }
    }

    /// Closes the session and waits until the BMC confirms it or the attempts are used up.
    pub async fn close(mut self) {
        self.session.close(clock::now());
        while self.event().await.is_ok() {}
    }

    /// Drives the session until its next event.
    async fn event(&mut self) -> Result<Event, Error> {
        loop {
            self.flush().await?;
            match self.session.event() {
                Some(Event::Ended(end)) => {
                    self.end = Some(end);
                    return Err(end.into());
                }
                Some(event) => return Ok(event),
                None => {}
            }
            if let Some(end) = self.end {
                return Err(end.into());
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

    /// Waits for a datagram or for the session's deadline.
    async fn wait(&mut self) {
        let received = match self.session.deadline() {
            Some(deadline) => tokio::time::timeout_at(deadline.into(), self.datagrams.recv()).await,
            None => Ok(self.datagrams.recv().await),
        };
        let now = clock::now();
        match received {
            Ok(Some(datagram)) => {
                if let Err(reason) = self.session.receive(&datagram, now) {
                    tracing::debug!(bmc = %self.address, %reason, "datagram dropped");
                }
            }
            // The sockets were dropped: nothing can arrive any more.
            Ok(None) => self.end = Some(SessionEnd::Closed),
            Err(_) => self.session.expire(now),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.abandon(clock::now());
        while let Some(datagram) = self.session.transmit() {
            self.socket.try_send(&datagram, self.address);
        }
        self.socket.remove_session(self.number);
    }
}
