//! The sockets that all sessions share, and how a datagram finds its session: by the number that the
//! console side gave it, and only from the address of its BMC.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::AbortHandle;

use crate::message::{NUMBERS, Response};
use crate::packet::{Packet, PayloadType};
use crate::presession;
use crate::rakp::Refusal;

/// The port of RMCP.
pub const PORT: u16 = 623;
/// Datagrams of one session that wait to be looked at. More are dropped, as the network would.
const WAITING: usize = 32;
/// The largest datagram that is read whole.
const LARGEST: usize = 2_048;
/// What a socket keeps for us while we are busy, in bytes.
const BUFFER: usize = 4 << 20;

/// The sockets that all sessions share: one for each family of addresses. PacketError, nothing comes to
/// their sessions any more.
#[derive(Default)]
pub struct Sockets {
    v4: OnceCell<Shared>,
    v6: OnceCell<Shared>,
}

/// A socket and the task that delivers what comes to it, which ends with it.
pub(crate) struct Shared {
    socket: Arc<Socket>,
    delivering: AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.delivering.abort();
    }
}

pub(crate) struct Socket {
    udp: UdpSocket,
    sessions: Mutex<Sessions>,
    asked: Mutex<HashMap<(SocketAddr, u8), mpsc::Sender<Response>>>,
    next_question: AtomicU8,
}

/// A question outside sessions whose answer is awaited; dropped, it is not any more.
pub(crate) struct Asking {
    socket: Arc<Socket>,
    key: (SocketAddr, u8),
}

/// Who waits for datagrams.
#[derive(Default)]
struct Sessions {
    by_number: HashMap<u32, Entry>,
    /// The newest session with each BMC: some refuse a handshake without naming it.
    newest: HashMap<(IpAddr, u16), u32>,
}

struct Entry {
    address: SocketAddr,
    datagrams: mpsc::Sender<Vec<u8>>,
}

impl Sockets {
    /// None yet: each is made when it is first needed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The socket by which `address` is reached.
    pub(crate) async fn towards(&self, address: SocketAddr) -> io::Result<Arc<Socket>> {
        let cell = match address {
            SocketAddr::V4(_) => &self.v4,
            SocketAddr::V6(_) => &self.v6,
        };
        let shared = cell.get_or_try_init(|| Shared::towards(address)).await?;
        Ok(shared.socket.clone())
    }
}

impl Shared {
    /// A new one, on a port of the system's choice, by which `address` is reached.
    pub(crate) async fn towards(address: SocketAddr) -> io::Result<Self> {
        Socket::open(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        })
    }
}

impl std::ops::Deref for Shared {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl Socket {
    fn open(any: IpAddr) -> io::Result<Shared> {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address((any, 0).into()),
            socket2::Type::DGRAM,
            None,
        )?;
        // Answers of thousands of BMCs come at once. Root has all of it, others what the system allows.
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).is_err() {
            let _ = socket.set_recv_buffer_size(BUFFER);
        }
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((any, 0)).into())?;
        let socket = Arc::new(Self {
            udp: UdpSocket::from_std(socket.into())?,
            sessions: Mutex::default(),
            asked: Mutex::new(HashMap::new()),
            next_question: AtomicU8::new(0),
        });
        let delivering = tokio::spawn(deliver(socket.clone())).abort_handle();
        Ok(Shared { socket, delivering })
    }

    pub(crate) async fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.udp.send_to(datagram, to).await.map(|_| ())
    }

    /// Sends, unless the system has no room for it just now.
    pub(crate) fn send_now(&self, datagram: &[u8], to: SocketAddr) {
        let _ = self.udp.try_send_to(datagram, to);
    }

    /// A number for a new session with `address`, and where its datagrams come out.
    pub(crate) fn register(&self, address: SocketAddr) -> (u32, mpsc::Receiver<Vec<u8>>) {
        let (sender, datagrams) = mpsc::channel(WAITING);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            // Hard to guess: what a handshake carries is not authenticated.
            let number = rand::random();
            if number == 0 || sessions.by_number.contains_key(&number) {
                continue;
            }
            let entry = Entry {
                address,
                datagrams: sender,
            };
            sessions.by_number.insert(number, entry);
            sessions.newest.insert(endpoint(address), number);
            return (number, datagrams);
        }
    }

    pub(crate) fn forget(&self, number: u32) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = sessions.by_number.remove(&number) else {
            return;
        };
        let endpoint = endpoint(entry.address);
        if sessions.newest.get(&endpoint) == Some(&number) {
            sessions.newest.remove(&endpoint);
        }
    }

    /// A number for a question outside sessions to `address`, and where answers come out.
    pub(crate) fn ask(&self, address: SocketAddr) -> (u8, mpsc::Receiver<Response>) {
        let (sender, answers) = mpsc::channel(2);
        let number = self.next_question.fetch_add(1, Ordering::Relaxed) % NUMBERS;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert((address, number), sender);
        (number, answers)
    }

    /// Gives an answer outside sessions to who asked.
    fn route_answer(&self, datagram: &[u8], from: SocketAddr) {
        let Ok(message) = presession::read_version_1(datagram) else {
            return;
        };
        let Some(response) = Response::decode(message) else {
            return;
        };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = asked.get(&(from, response.number)) {
            let _ = sender.try_send(response);
        }
    }

    /// Gives a datagram to its session. One that is of none, or comes from another address than its
    /// BMC's, is dropped; but who waits for a BMC is told that it answered somebody else.
    fn route(&self, datagram: &[u8], from: SocketAddr) {
        if presession::is_version_1(datagram) {
            return self.route_answer(datagram, from);
        }
        let Some(addressee) = Packet::parse(datagram)
            .ok()
            .and_then(|packet| addressee(&packet))
        else {
            return;
        };
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |number: &u32| {
            let entry = sessions.by_number.get(number);
            entry.filter(|entry| endpoint(entry.address) == endpoint(from))
        };
        let newest = || sessions.newest.get(&endpoint(from)).and_then(of);
        let entry = match addressee {
            Addressee::Session(number) => of(&number),
            Addressee::Opening(number) => of(&number).or_else(newest),
            Addressee::Newest => newest(),
        };
        if let Some(entry) = entry {
            // Full: the session is flooded, and what it lacks is sent again.
            let _ = entry.datagrams.try_send(datagram.to_vec());
        }
    }
}

/// What of an address tells BMCs apart: what else belongs to one of IPv6 is not the same both ways.
fn endpoint(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip(), address.port())
}

impl Asking {
    pub(crate) fn new(socket: Arc<Socket>, address: SocketAddr, number: u8) -> Self {
        Self {
            socket,
            key: (address, number),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let asked = self.socket.asked.lock();
        asked
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// Whom a packet is for.
enum Addressee {
    /// The session of this number.
    Session(u32),
    /// The same, of the first answer of a handshake.
    Opening(u32),
    /// A session with the BMC that it comes from: it refuses a handshake and does not say which.
    Newest,
}

/// Packets of a handshake have the number of the session in their payload, after tag, status and two
/// more bytes (13.18, 13.21, 13.23).
fn addressee(packet: &Packet<'_>) -> Option<Addressee> {
    match packet.payload_type {
        PayloadType::OpenResponse if packet.is_protected() => Some(Addressee::Newest),
        PayloadType::OpenResponse | PayloadType::Rakp2 | PayloadType::Rakp4 => {
            let payload = packet.plain().ok()?;
            if let Some(refusal) = Refusal::read(payload)
                && refusal.console_session == 0
            {
                return Some(Addressee::Newest);
            }
            let number = u32::from_le_bytes(payload.get(4..8)?.try_into().ok()?);
            Some(match packet.payload_type {
                PayloadType::OpenResponse => Addressee::Opening(number),
                _ => Addressee::Session(number),
            })
        }
        _ => Some(Addressee::Session(packet.session)),
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
