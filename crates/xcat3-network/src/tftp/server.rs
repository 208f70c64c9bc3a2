//! The socket for requests. The server starts a session for each request.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::packet::{self, MAX_REQUEST_LENGTH, Packet};
use super::session::{self, ReadRequest, Stop};
use super::{Client, Handler, Limits};

/// An equal request within this time is a duplicate of the first.
const DUPLICATE_TIMEOUT: Duration = Duration::from_secs(3);

/// A TFTP server that is bound to its address.
#[derive(Debug)]
pub struct Server {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    limits: Arc<Limits>,
}

/// A running session.
struct Active {
    request: Box<[u8]>,
    since: Instant,
    task: Id,
    replaced: CancellationToken,
}

impl Server {
    /// Binds to an address, which transfers use as well. With `interface` the server accepts only packets
    /// of that network interface, and not the host's own, which arrive on `lo`.
    ///
    /// # Errors
    /// The operating system's, for example that the port is in use.
    pub fn bind(address: SocketAddr, interface: Option<&str>, limits: Limits) -> io::Result<Self> {
        Self::bind_with(address, interface, limits, false)
    }

    /// Binds like [`Server::bind`] to an address that other processes of this user bind as well
    /// (SO_REUSEPORT). The kernel distributes clients among them.
    ///
    /// # Errors
    /// The operating system's, for example that another program uses the port.
    pub fn bind_reuse_port(
        address: SocketAddr,
        interface: Option<&str>,
        limits: Limits,
    ) -> io::Result<Self> {
        Self::bind_with(address, interface, limits, true)
    }

    fn bind_with(
        address: SocketAddr,
        interface: Option<&str>,
        limits: Limits,
        reuse_port: bool,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM.nonblocking().cloexec(),
            Some(Protocol::UDP),
        )?;
        socket.bind_device(interface.map(str::as_bytes))?;
        socket.set_reuse_port(reuse_port)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self {
            local: socket.local_addr()?,
            socket: Arc::new(socket),
            limits: Arc::new(limits),
        })
    }

    /// The address that the server is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `shutdown`. Running transfers then end with an error to their clients.
    pub async fn run<H: Handler>(self, handler: Arc<H>, shutdown: CancellationToken) {
        let mut sessions = JoinSet::new();
        let mut active = HashMap::<SocketAddr, Active>::new();
        let mut buffer = vec![0; MAX_REQUEST_LENGTH];
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(ended) = sessions.join_next_with_id() => remove_session(&mut active, ended),
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((len, peer)) => {
                        if let Some(request) = self.admit(&buffer[..len], peer, &active) {
                            let replaced = CancellationToken::new();
                            let stop = Stop { shutdown: shutdown.clone(), replaced: replaced.clone() };
                            let client = Client { peer, local: self.local };
                            let read = ReadRequest { client, bytes: request.clone() };
                            let (handler, limits) = (Arc::clone(&handler), Arc::clone(&self.limits));
                            let task = sessions.spawn(session::run(read, handler, limits, stop)).id();
                            active.insert(peer, Active { request, since: Instant::now(), task, replaced });
                        }
                    }
                    Err(error) => {
                        // The kernel reports errors of earlier replies here.
                        debug!(%error, local = %self.local, "TFTP receive failed");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                },
            }
        }
        while sessions.join_next().await.is_some() {}
    }

    /// Returns the request where a session has to be started for it.
    fn admit(
        &self,
        bytes: &[u8],
        peer: SocketAddr,
        active: &HashMap<SocketAddr, Active>,
    ) -> Option<Box<[u8]>> {
        match Packet::parse(bytes) {
            Ok(Packet::Read(_)) => {}
            Ok(Packet::Write(_)) => {
                self.refuse(peer, packet::code::ACCESS, "this server is read only");
                return None;
            }
            // A reply to an error could cause another error, without end.
            Ok(_) => return None,
            Err(problem) => {
                debug!(%peer, %problem, "malformed TFTP request");
                if bytes.starts_with(&[0, 1]) || bytes.starts_with(&[0, 2]) {
                    self.refuse(peer, packet::code::ILLEGAL, problem.0);
                }
                return None;
            }
        }
        if let Some(running) = active.get(&peer) {
            if *running.request == *bytes && running.since.elapsed() < DUPLICATE_TIMEOUT {
                return None;
            }
            // A port of a client has one transfer at a time: this request replaces it.
            running.replaced.cancel();
            return Some(bytes.into());
        }
        let of_client = active
            .keys()
            .filter(|other| other.ip() == peer.ip())
            .count();
        if active.len() >= self.limits.transfers || of_client >= self.limits.transfers_per_client {
            warn!(%peer, transfers = active.len(), of_client, "TFTP request ignored: too many transfers");
            return None;
        }
        Some(bytes.into())
    }

    fn refuse(&self, peer: SocketAddr, code: u16, message: &str) {
        let packet = Packet::error(code, message).to_bytes();
        if let Err(error) = self.socket.try_send_to(&packet, peer) {
            debug!(%peer, %error, "cannot send a TFTP error");
        }
    }
}

fn remove_session(active: &mut HashMap<SocketAddr, Active>, ended: Result<(Id, ()), JoinError>) {
    let task = match ended {
        Ok((task, ())) => task,
        Err(error) => {
            warn!(%error, "TFTP transfer task panicked");
            error.id()
        }
    };
    active.retain(|_, session| session.task != task);
}
