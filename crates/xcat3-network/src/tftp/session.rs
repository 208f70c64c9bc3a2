//! One transfer on a socket of its own: carries packets between the network and
//! [`super::transfer::Transfer`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::netascii;
use super::packet::{self, Mode, Options, Packet};
use super::reader::Reader;
use super::transfer::{End, Send, Terms, Transfer};
use super::{Client, Ended, Handler, Limits, Outcome, Refusal};
use crate::content::Content;
use crate::path;

/// Largest file that is sent as netascii, for which it is held in memory.
const LARGEST_NETASCII: u64 = 4 << 20;

/// A read request.
pub struct Asked {
    pub client: Client,
    pub request: Box<[u8]>,
}

/// What ends a session from outside.
pub struct Stop {
    /// The server shuts down.
    pub shutdown: CancellationToken,
    /// The client began anew.
    pub replaced: CancellationToken,
}

impl Stop {
    async fn wait(&self) -> Broken {
        tokio::select! {
            () = self.shutdown.cancelled() => Broken::Here("the server shuts down".to_owned()),
            () = self.replaced.cancelled() => Broken::There("the client began anew".to_owned()),
        }
    }
}

/// Why a transfer broke off, unless [`Transfer::end`] knows.
enum Broken {
    /// A trouble on this side, of which the client is told.
    Here(String),
    /// The client is not there any more, or not for this transfer.
    There(String),
}

impl Broken {
    fn of_socket(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Self::There("nobody is at the client's port any more".to_owned())
            }
            _ => Self::Here(format!("the socket failed: {error}")),
        }
    }

    fn of_file(error: &io::Error) -> Self {
        Self::Here(format!("the file can't be read: {error}"))
    }
}

/// Answers a request: looks the file up, sends it, tells the handler how that ended.
pub async fn run<H: Handler>(asked: Asked, handler: Arc<H>, limits: Arc<Limits>, stop: Stop) {
    let began = Instant::now();
    let client = asked.client;
    let Ok(Packet::Read(request)) = Packet::parse(&asked.request) else {
        return;
    };
    let socket = match open_socket(client, &limits) {
        Ok(socket) => socket,
        Err(error) => {
            warn!(peer = %client.peer, %error, "no socket for a TFTP transfer");
            return;
        }
    };
    let path = String::from_utf8_lossy(request.path).replace('\\', "/");
    let mut ended = Ended {
        client,
        path: path::normalise(&path).unwrap_or_else(|_| path.escape_debug().to_string()),
        size: 0,
        bytes: 0,
        outcome: Outcome::Failed("stopped".to_owned()),
        duration: began.elapsed(),
    };
    let found = tokio::select! {
        found = look_up(&*handler, &client, request.path) => found,
        _ = stop.wait() => return,
    };
    match found.and_then(|content| in_mode(content, request.mode)) {
        Ok(content) => {
            ended.size = content.len();
            let size = (request.mode == Mode::Octet).then_some(ended.size);
            send(
                &socket,
                content,
                (&request.options, size),
                &limits,
                &stop,
                &mut ended,
            )
            .await;
        }
        Err(refusal) => {
            let (code, message) = refusal.parts();
            tell(&socket, code, message).await;
            ended.outcome = Outcome::Refused(message.to_owned());
        }
    }
    ended.duration = began.elapsed();
    debug!(
        peer = %client.peer, path = ended.path, bytes = ended.bytes, outcome = ?ended.outcome,
        duration_ms = ended.duration.as_millis() as u64, "TFTP"
    );
    handler.ended(&ended);
}

impl Refusal {
    fn parts(&self) -> (u16, &str) {
        match self {
            Self::NotFound(message) => (packet::code::NOT_FOUND, message),
            Self::Denied(message) => (packet::code::ACCESS, message),
            Self::Failed(message) => (packet::code::OTHER, message),
        }
    }
}

async fn look_up<H: Handler>(
    handler: &H,
    client: &Client,
    path: &[u8],
) -> Result<Content, Refusal> {
    let path = std::str::from_utf8(path)
        .map_err(|_| Refusal::NotFound(path::BadPath::NotUtf8.to_string()))?;
    let path = path::normalise(&path.replace('\\', "/")).map_err(|problem| match problem {
        path::BadPath::Escapes => Refusal::Denied(problem.to_string()),
        _ => Refusal::NotFound(problem.to_string()),
    })?;
    handler.open(client, &path).await
}

fn in_mode(content: Content, mode: Mode) -> Result<Content, Refusal> {
    if mode == Mode::Octet {
        return Ok(content);
    }
    if content.len() > LARGEST_NETASCII {
        let message = "the file is too large for netascii: ask for octet".to_owned();
        return Err(Refusal::Failed(message));
    }
    let mut bytes = vec![0; content.len() as usize];
    match content.read_at(0, &mut bytes) {
        Ok(_) => Ok(Content::from(netascii::encode(&bytes))),
        Err(error) => Err(Refusal::Failed(format!("the file can't be read: {error}"))),
    }
}

/// A socket at the address that the client asked, on a port of its own, which hears only that client.
fn open_socket(client: Client, limits: &Limits) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(client.local),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )?;
    bind_free_port(&socket, client.local, limits)?;
    socket.connect(&client.peer.into())?;
    UdpSocket::from_std(socket.into())
}

fn bind_free_port(socket: &Socket, mut address: SocketAddr, limits: &Limits) -> io::Result<()> {
    let Some(ports) = &limits.ports else {
        address.set_port(0);
        return socket.bind(&address.into());
    };
    let count = u32::from(ports.end().saturating_sub(*ports.start())) + 1;
    let first = rand::random_range(0..count);
    for step in 0..count {
        address.set_port(ports.start() + ((first + step) % count) as u16);
        match socket.bind(&address.into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!(
            "all ports from {} to {} are in use",
            ports.start(),
            ports.end()
        ),
    ))
}

async fn send(
    socket: &UdpSocket,
    content: Content,
    (options, size): (&Options, Option<u64>),
    limits: &Limits,
    stop: &Stop,
    ended: &mut Ended,
) {
    let terms = Terms::agree(options, &limits.bounds, size);
    let mut transfer = Transfer::new(terms, &limits.bounds, content.len(), Instant::now());
    let mut reader = Reader::new(content);
    let carried = tokio::select! {
        biased;
        carried = carry(socket, &mut transfer, &mut reader) => carried,
        broken = stop.wait() => Err(broken),
    };
    ended.bytes = transfer.bytes();
    ended.outcome = match (carried, transfer.end()) {
        (Err(Broken::Here(problem)), _) => {
            tell(socket, packet::code::OTHER, &problem).await;
            Outcome::Failed(problem)
        }
        (Err(Broken::There(problem)), _) => Outcome::Failed(problem),
        (Ok(()), Some(End::Complete)) => Outcome::Complete,
        (Ok(()), Some(End::Refused { code, message })) => {
            let message = message.escape_debug();
            Outcome::Aborted(format!("the client sent error {code} \"{message}\""))
        }
        (Ok(()), Some(End::GaveUp) | None) => {
            Outcome::Failed("the client does not answer any more".to_owned())
        }
    };
}

/// Carries packets until the transfer ends.
async fn carry(
    socket: &UdpSocket,
    transfer: &mut Transfer,
    reader: &mut Reader,
) -> Result<(), Broken> {
    let mut packet = Vec::with_capacity(2048);
    let mut received = [0; 600];
    // One timer for all packets: it is moved when it fires too early, not with each packet.
    let timer = tokio::time::sleep_until(transfer.deadline().into());
    tokio::pin!(timer);
    loop {
        while let Some(send) = transfer.next_send() {
            write(send, reader, &mut packet).map_err(|error| Broken::of_file(&error))?;
            match socket.send(&packet).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(Broken::of_socket(&error));
                }
                // As if lost on the way: it is sent again.
                Err(error) => debug!(%error, "a TFTP packet was not sent"),
                Ok(_) => {}
            }
        }
        if transfer.end().is_some() {
            return Ok(());
        }
        tokio::select! {
            biased;
            len = socket.recv(&mut received) => match len {
                Ok(len) => if let Ok(packet) = Packet::parse(&received[..len]) {
                    transfer.receive(&packet, Instant::now());
                },
                Err(error) => return Err(Broken::of_socket(&error)),
            },
            () = &mut timer => {
                transfer.strike(Instant::now());
                timer.as_mut().reset(transfer.deadline().into());
            }
        }
    }
}

fn write(send: Send, reader: &mut Reader, packet: &mut Vec<u8>) -> io::Result<()> {
    match send {
        Send::OptionAck(options) => {
            Packet::OptionAck(options).write(packet);
            Ok(())
        }
        Send::Block {
            number,
            offset,
            len,
        } => {
            packet::begin_data(packet, number);
            reader.append(offset, len, packet)
        }
    }
}

async fn tell(socket: &UdpSocket, code: u16, message: &str) {
    if let Err(error) = socket.send(&Packet::error(code, message).to_bytes()).await {
        debug!(%error, "a TFTP error could not be sent");
    }
}
