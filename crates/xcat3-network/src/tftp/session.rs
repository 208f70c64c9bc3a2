//! One transfer on its own socket: moves packets between the network and
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

/// Largest file that is sent as netascii, in bytes: the encoded file is kept in memory.
const MAX_NETASCII_SIZE: u64 = 4 << 20;

/// A read request, as received.
pub struct ReadRequest {
    pub client: Client,
    pub bytes: Box<[u8]>,
}

/// Events that end a session from outside.
pub struct Stop {
    /// The server shuts down.
    pub shutdown: CancellationToken,
    /// The client sent another request from the same port.
    pub replaced: CancellationToken,
}

impl Stop {
    async fn wait(&self) -> SessionError {
        tokio::select! {
            () = self.shutdown.cancelled() => SessionError::Server("the server shuts down".to_owned()),
            () = self.replaced.cancelled() => SessionError::Client("the client sent another request".to_owned()),
        }
    }
}

/// Why a transfer failed, apart from what [`Transfer::end`] reports.
enum SessionError {
    /// A failure of the server, which is sent to the client.
    Server(String),
    /// The client is gone, or replaced this transfer.
    Client(String),
}

impl SessionError {
    fn from_socket(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Self::Client("the client closed its port".to_owned())
            }
            _ => Self::Server(format!("the socket failed: {error}")),
        }
    }

    fn from_file(error: &io::Error) -> Self {
        Self::Server(format!("the file cannot be read: {error}"))
    }
}

/// Serves a request: looks the file up, sends it, reports the outcome to the handler.
pub async fn run<H: Handler>(read: ReadRequest, handler: Arc<H>, limits: Arc<Limits>, stop: Stop) {
    let start = Instant::now();
    let client = read.client;
    let Ok(Packet::Read(request)) = Packet::parse(&read.bytes) else {
        return;
    };
    let socket = match open_socket(client) {
        Ok(socket) => socket,
        Err(error) => {
            warn!(peer = %client.peer, %error, "cannot open a socket for a TFTP transfer");
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
        duration: start.elapsed(),
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
            send_error(&socket, code, message).await;
            ended.outcome = Outcome::Refused(message.to_owned());
        }
    }
    ended.duration = start.elapsed();
    debug!(
        peer = %client.peer, path = ended.path, bytes = ended.bytes, outcome = ?ended.outcome,
        duration_ms = ended.duration.as_millis() as u64, "TFTP transfer ended"
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
    if content.len() > MAX_NETASCII_SIZE {
        let message = "the file is too large for netascii: use mode octet".to_owned();
        return Err(Refusal::Failed(message));
    }
    let mut bytes = vec![0; content.len() as usize];
    match content.read_at(0, &mut bytes) {
        Ok(_) => Ok(Content::from(netascii::encode(&bytes))),
        Err(error) => Err(Refusal::Failed(format!("the file cannot be read: {error}"))),
    }
}

/// Opens a socket at the address of the request, on a free port, connected to the client.
fn open_socket(client: Client) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(client.local),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )?;
    socket.bind(&SocketAddr::new(client.local.ip(), 0).into())?;
    socket.connect(&client.peer.into())?;
    UdpSocket::from_std(socket.into())
}

async fn send(
    socket: &UdpSocket,
    content: Content,
    (options, size): (&Options, Option<u64>),
    limits: &Limits,
    stop: &Stop,
    ended: &mut Ended,
) {
    let terms = Terms::negotiate(options, &limits.bounds, size);
    let mut transfer = Transfer::new(terms, &limits.bounds, content.len(), Instant::now());
    let mut reader = Reader::new(content);
    let result = tokio::select! {
        biased;
        result = transfer_packets(socket, &mut transfer, &mut reader) => result,
        error = stop.wait() => Err(error),
    };
    ended.bytes = transfer.bytes();
    ended.outcome = match (result, transfer.end()) {
        (Err(SessionError::Server(problem)), _) => {
            send_error(socket, packet::code::OTHER, &problem).await;
            Outcome::Failed(problem)
        }
        (Err(SessionError::Client(problem)), _) => Outcome::Failed(problem),
        (Ok(()), Some(End::Complete)) => Outcome::Complete,
        (Ok(()), Some(End::Aborted { code, message })) => {
            let message = message.escape_debug();
            Outcome::Aborted(format!("the client sent error {code} \"{message}\""))
        }
        (Ok(()), Some(End::TimedOut) | None) => {
            Outcome::Failed("the client stopped responding".to_owned())
        }
    };
}

/// Moves packets until the transfer ends.
async fn transfer_packets(
    socket: &UdpSocket,
    transfer: &mut Transfer,
    reader: &mut Reader,
) -> Result<(), SessionError> {
    let mut packet = Vec::with_capacity(2048);
    let mut received = [0; 600];
    // One timer for all packets: the loop moves it when it fires early, not with each packet.
    let timer = tokio::time::sleep_until(transfer.deadline().into());
    tokio::pin!(timer);
    loop {
        while let Some(send) = transfer.next_send() {
            write(send, reader, &mut packet).map_err(|error| SessionError::from_file(&error))?;
            match socket.send(&packet).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(SessionError::from_socket(&error));
                }
                // Like a packet that the network loses: the transfer sends it again.
                Err(error) => debug!(%error, "cannot send a TFTP packet"),
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
                Err(error) => return Err(SessionError::from_socket(&error)),
            },
            () = &mut timer => {
                transfer.handle_timeout(Instant::now());
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

async fn send_error(socket: &UdpSocket, code: u16, message: &str) {
    if let Err(error) = socket.send(&Packet::error(code, message).to_bytes()).await {
        debug!(%error, "cannot send a TFTP error");
    }
}
