//! The UDP sockets that all sessions share. A datagram is delivered by the session number that the console
//! side assigned, and only if it comes from the address of that session's BMC.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::sync::{OnceCell, mpsc};
use tokio::task::AbortHandle;

use crate::message::{NUMBERS, Response};
use crate::packet::{Packet, PayloadType};
use crate::presession;
use crate::rakp::Refusal;

/// The UDP port of RMCP.
pub const PORT: u16 = 623;
/// The most datagrams that wait for one session. Further ones are dropped.
const MAX_QUEUED: usize = 32;
/// The most bytes that are read of a datagram.
const MAX_DATAGRAM: usize = 2_048;
/// Size of the kernel's buffers of a socket, in bytes.
const KERNEL_BUFFER: usize = 4 << 20;

/// The sockets that all sessions share, one per address family. Each is opened when it is first needed.
#[derive(Default)]
pub struct Sockets {
    v4: OnceCell<OwnedSocket>,
    v6: OnceCell<OwnedSocket>,
}

/// A socket and the task that delivers its datagrams. The task ends when this is dropped.
pub(crate) struct OwnedSocket {
    socket: Arc<Socket>,
    delivery: AbortHandle,
}

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        self.delivery.abort();
    }
}

pub(crate) struct Socket {
    udp: UdpSocket,
    sessions: Mutex<SessionTable>,
    requests: Mutex<HashMap<RequestKey, mpsc::Sender<Response>>>,
    next_request: AtomicU8,
}

/// Address of the BMC and number of a request outside sessions.
type RequestKey = (SocketAddr, u8);

/// A request outside sessions that waits for its response.
pub(crate) struct PendingRequest {
    socket: Arc<Socket>,
    key: RequestKey,
    responses: mpsc::Receiver<Response>,
}

/// The sessions of a socket.
#[derive(Default)]
struct SessionTable {
    by_number: HashMap<u32, SessionEntry>,
    /// The newest session with each BMC: some BMCs refuse a handshake without naming its session.
    newest: HashMap<(IpAddr, u16), u32>,
}

struct SessionEntry {
    address: SocketAddr,
    datagrams: mpsc::Sender<Vec<u8>>,
}

impl Sockets {
    /// No sockets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The socket for the address family of `address`.
    pub(crate) async fn for_address(&self, address: SocketAddr) -> io::Result<Arc<Socket>> {
        let cell = match address {
            SocketAddr::V4(_) => &self.v4,
            SocketAddr::V6(_) => &self.v6,
        };
        let open = || std::future::ready(OwnedSocket::for_address(address));
        Ok(cell.get_or_try_init(open).await?.socket.clone())
    }
}

impl OwnedSocket {
    /// Opens a socket for the address family of `address`, on a free port.
    pub(crate) fn for_address(address: SocketAddr) -> io::Result<Self> {
        let any = match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = Arc::new(Socket {
            udp: open_udp(any)?,
            sessions: Mutex::default(),
            requests: Mutex::default(),
            next_request: AtomicU8::new(0),
        });
        let delivery = tokio::spawn(deliver(socket.clone())).abort_handle();
        Ok(Self { socket, delivery })
    }
}

fn open_udp(any: IpAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address((any, 0).into()),
        socket2::Type::DGRAM,
        None,
    )?;
    // Thousands of BMCs reply at once. Only root may exceed the system's limit.
    if rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, KERNEL_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    }
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((any, 0)).into())?;
    UdpSocket::from_std(socket.into())
}

impl std::ops::Deref for OwnedSocket {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl Socket {
    pub(crate) async fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        self.udp.send_to(datagram, to).await.map(|_| ())
    }

    /// Sends without waiting; the datagram is lost if the kernel's buffer is full.
    pub(crate) fn try_send(&self, datagram: &[u8], to: SocketAddr) {
        let _ = self.udp.try_send_to(datagram, to);
    }

    /// Assigns a number to a new session with `address`; its datagrams come out of the receiver.
    pub(crate) fn register_session(&self, address: SocketAddr) -> (u32, mpsc::Receiver<Vec<u8>>) {
        let (sender, datagrams) = mpsc::channel(MAX_QUEUED);
        let mut sessions = self.sessions();
        loop {
            // Hard to guess, because a handshake's messages are not authenticated.
            let number = rand::random();
            if number == 0 || sessions.by_number.contains_key(&number) {
                continue;
            }
            let entry = SessionEntry {
                address,
                datagrams: sender,
            };
            sessions.by_number.insert(number, entry);
            sessions.newest.insert(endpoint(address), number);
            return (number, datagrams);
        }
    }

    pub(crate) fn remove_session(&self, number: u32) {
        let mut sessions = self.sessions();
        let Some(entry) = sessions.by_number.remove(&number) else {
            return;
        };
        let endpoint = endpoint(entry.address);
        if sessions.newest.get(&endpoint) == Some(&number) {
            sessions.newest.remove(&endpoint);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, SessionTable> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<RequestKey, mpsc::Sender<Response>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers a response outside sessions to its request.
    fn route_response(&self, datagram: &[u8], from: SocketAddr) {
        let Ok(message) = presession::decode_v1_5(datagram) else {
            return;
        };
        let Some(response) = Response::decode(message) else {
            return;
        };
        if let Some(sender) = self.requests().get(&(from, response.number)) {
            let _ = sender.try_send(response);
        }
    }

    /// Delivers a datagram to its session. Datagrams of no session, or from another address than that of
    /// the session's BMC, are dropped. An open response for an unknown session goes to the newest session
    /// with that BMC, which then reports that the BMC answers for other sessions.
    fn route(&self, datagram: &[u8], from: SocketAddr) {
        if presession::is_v1_5(datagram) {
            return self.route_response(datagram, from);
        }
        let packet = Packet::parse(datagram).ok();
        let Some(addressee) = packet.and_then(|packet| addressee(&packet)) else {
            return;
        };
        let sessions = self.sessions();
        let by_number = |number: &u32| {
            let entry = sessions.by_number.get(number);
            entry.filter(|entry| endpoint(entry.address) == endpoint(from))
        };
        let newest = || sessions.newest.get(&endpoint(from)).and_then(by_number);
        let entry = match addressee {
            Addressee::Session(number) => by_number(&number),
            Addressee::Opening(number) => by_number(&number).or_else(newest),
            Addressee::Newest => newest(),
        };
        if let Some(entry) = entry {
            // If the queue is full, the session is being flooded: retransmission replaces what is lost.
            let _ = entry.datagrams.try_send(datagram.to_vec());
        }
    }
}

/// Address and port. The flow label and scope of an IPv6 address differ between the two directions.
fn endpoint(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip(), address.port())
}

impl PendingRequest {
    /// Assigns a number to a request to `address`.
    pub(crate) fn new(socket: Arc<Socket>, address: SocketAddr) -> Self {
        let (sender, responses) = mpsc::channel(2);
        let number = socket.next_request.fetch_add(1, Ordering::Relaxed) % NUMBERS;
        let key = (address, number);
        socket.requests().insert(key, sender);
        Self {
            socket,
            key,
            responses,
        }
    }

    pub(crate) fn number(&self) -> u8 {
        self.key.1
    }

    /// The next response with this number from this address.
    pub(crate) async fn response(&mut self) -> Option<Response> {
        self.responses.recv().await
    }
}

impl Drop for PendingRequest {
    fn drop(&mut self) {
        self.socket.requests().remove(&self.key);
    }
}

/// The session that a packet is for.
enum Addressee {
    /// The session with this number.
    Session(u32),
    /// The session with this number; the packet is the first reply of a handshake.
    Opening(u32),
    /// The newest session with the sender: the packet does not name one.
    Newest,
}

/// Packets of a handshake have the session number in their payload, after tag, status and two more bytes
/// (13.18, 13.21, 13.23).
fn addressee(packet: &Packet<'_>) -> Option<Addressee> {
    match packet.payload_type {
        PayloadType::OpenResponse if packet.is_protected() => Some(Addressee::Newest),
        PayloadType::OpenResponse | PayloadType::Rakp2 | PayloadType::Rakp4 => {
            let payload = packet.plain().ok()?;
            if let Some(refusal) = Refusal::decode(payload)
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
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        match socket.udp.recv_from(&mut buffer).await {
            Ok((length, from)) => socket.route(&buffer[..length], from),
            // An ICMP error about an earlier datagram. Its session notices by its timeout.
            Err(error) => tracing::debug!(%error, "IPMI socket error"),
        }
    }
}
