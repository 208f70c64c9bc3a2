//! Sessions over UDP: many BMCs share few sockets, and each datagram finds its session by the number
//! that the console side gave it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::net::UdpSocket;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::AbortHandle;

use crate::message::{Command, Completion};
use crate::packet::{Packet, PayloadType};
use crate::session::{Credentials, Event, Over, Patience, Session};
use crate::suite::CipherSuite;

/// The port of RMCP.
pub const PORT: u16 = 623;
/// Datagrams of one session that wait to be looked at. More are dropped, as the network would.
const WAITING: usize = 32;
/// Payloads of serial over LAN that wait to be taken. More are dropped; the BMC repeats them.
const WAITING_SOL: usize = 32;
/// The largest datagram that is read whole.
const LARGEST: usize = 2_048;
/// What a socket keeps for us while we are busy, in bytes.
const BUFFER: usize = 4 << 20;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no session (any more).
    #[error(transparent)]
    Over(#[from] Over),
    /// The BMC refused the request.
    #[error("{0}")]
    Refused(Completion),
    /// The system refused to send.
    #[error("cannot send to the BMC: {0}")]
    Send(#[from] io::Error),
    /// The answer is not what the command gives.
    #[error("the BMC's answer is malformed: {0}")]
    Malformed(&'static str),
}

/// The sockets that all sessions share: one for each family of addresses. Dropped, nothing comes to
/// their sessions any more.
#[derive(Default)]
pub struct Sockets {
    v4: OnceCell<Shared>,
    v6: OnceCell<Shared>,
}

struct Shared {
    socket: Arc<Socket>,
    delivering: AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.delivering.abort();
    }
}

struct Socket {
    udp: UdpSocket,
    sessions: Mutex<HashMap<u32, Entry>>,
    next: AtomicU32,
}

struct Entry {
    address: SocketAddr,
    datagrams: mpsc::Sender<Vec<u8>>,
}

/// A session with a BMC. Dropped without [`Connection::close`], it occupies a slot of the BMC until that
/// finds it idle.
pub struct Connection {
    session: Session,
    socket: Arc<Socket>,
    number: u32,
    address: SocketAddr,
    datagrams: mpsc::Receiver<Vec<u8>>,
    /// Payloads of serial over LAN that came while something else was awaited.
    sol: VecDeque<Vec<u8>>,
    over: Option<Over>,
}

impl Sockets {
    /// None yet: each is made when it is first needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a session with the BMC at `address`.
    ///
    /// # Errors
    /// The BMC does not answer, or refuses.
    pub async fn connect(
        &self,
        address: SocketAddr,
        credentials: Credentials,
        suites: &[CipherSuite],
        patience: Patience,
    ) -> Result<Connection, Error> {
        let (cell, any) = match address {
            SocketAddr::V4(_) => (&self.v4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            SocketAddr::V6(_) => (&self.v6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        let shared = cell.get_or_try_init(|| Socket::open(any)).await?;
        let socket = shared.socket.clone();
        let (number, datagrams) = socket.register(address);
        let now = Instant::now();
        let session = Session::begin(credentials, suites, number, patience, random, now);
        let mut connection = Connection {
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
            Event::Over(why) => Err(why.into()),
            Event::Response(..) | Event::Sol(_) => Err(Error::Malformed("a response too early")),
        }
    }
}

fn random() -> [u8; 16] {
    rand::random()
}

impl Socket {
    async fn open(any: IpAddr) -> io::Result<Shared> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address((any, 0).into()),
            socket2::Type::DGRAM,
            None,
        )?;
        // The system gives as much of this as it allows.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((any, 0)).into())?;
        let socket = Arc::new(Self {
            udp: UdpSocket::from_std(socket.into())?,
            sessions: Mutex::new(HashMap::new()),
            next: AtomicU32::new(rand::random()),
        });
        let delivering = tokio::spawn(deliver(socket.clone())).abort_handle();
        Ok(Shared { socket, delivering })
    }

    /// A number for a new session with `address`, and where its datagrams come out.
    fn register(&self, address: SocketAddr) -> (u32, mpsc::Receiver<Vec<u8>>) {
        let (sender, datagrams) = mpsc::channel(WAITING);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number == 0 || sessions.contains_key(&number) {
                continue;
            }
            let entry = Entry {
                address,
                datagrams: sender,
            };
            sessions.insert(number, entry);
            return (number, datagrams);
        }
    }

    fn forget(&self, number: u32) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&number);
    }

    /// Gives a datagram to its session. One that is of none, or comes from another address than its
    /// BMC's, is dropped.
    fn route(&self, datagram: &[u8], from: SocketAddr) {
        let Some(number) = Packet::parse(datagram)
            .ok()
            .and_then(|packet| console_session(&packet))
        else {
            return;
        };
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = sessions.get(&number).filter(|entry| entry.address == from);
        if let Some(entry) = entry {
            // Full: the session is flooded, and what it lacks is sent again.
            let _ = entry.datagrams.try_send(datagram.to_vec());
        }
    }
}

/// The number by which the console side knows the session of a packet. Those of a handshake have it
/// in their payload, after tag, status and two more bytes (13.18, 13.21, 13.23).
fn console_session(packet: &Packet<'_>) -> Option<u32> {
    match packet.payload_type {
        PayloadType::OpenResponse | PayloadType::Rakp2 | PayloadType::Rakp4 => {
            let payload = packet.plain().ok()?;
            Some(u32::from_le_bytes(payload.get(4..8)?.try_into().ok()?))
        }
        _ => Some(packet.session),
    }
}

async fn deliver(socket: Arc<Socket>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        match socket.udp.recv_from(&mut buffer).await {
            Ok((length, from)) => socket.route(&buffer[..length], from),
            // An ICMP error of an earlier datagram: its session will see that nothing comes.
            Err(error) => tracing::debug!(%error, "receiving from BMCs"),
        }
    }
}

impl Connection {
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
                Event::Ready(_) | Event::Over(_) => {}
            }
        }
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
                Some(Event::Over(why)) => {
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
            self.socket.udp.send_to(&datagram, self.address).await?;
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
            Ok(None) => self.over = Some(Over::Closed),
            Err(_) => self.session.expire(now),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.socket.forget(self.number);
    }
}
