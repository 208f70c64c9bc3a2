//! The socket to which requests come. It starts a session for each and takes no part in them.

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

use super::packet::{self, LONGEST_REQUEST, Packet};
use super::session::{self, Asked, Stop};
use super::{Client, Handler, Limits};

/// For so long after it a repeated request is taken for a copy of the first.
const COPIES: Duration = Duration::from_secs(3);

/// A TFTP server that is bound and not yet running.
#[derive(Debug)]
pub struct Server {
    socket: Arc<UdpSocket>,
    local: SocketAddr,
    limits: Arc<Limits>,
}

/// A session that runs.
struct Active {
    request: Box<[u8]>,
    since: Instant,
    task: Id,
    replaced: CancellationToken,
}

impl Server {
    /// Binds to one address; transfers use the same. With `interface` only packets of that network
    /// interface are taken (the host's own, which come by `lo`, are then not).
    ///
    /// # Errors
    /// The operating system's, for example that the port is in use.
    pub fn bind(address: SocketAddr, interface: Option<&str>, limits: Limits) -> io::Result<Self> {
        Self::bind_with(address, interface, limits, false)
    }

    /// The same for an address that other processes of this user bind so, too: each takes the requests
    /// of a part of the clients.
    ///
    /// # Errors
    /// The operating system's, for example that another program uses the port.
    pub fn share(address: SocketAddr, interface: Option<&str>, limits: Limits) -> io::Result<Self> {
        Self::bind_with(address, interface, limits, true)
    }

    fn bind_with(
        address: SocketAddr,
        interface: Option<&str>,
        limits: Limits,
        shared: bool,
    ) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM.nonblocking().cloexec(),
            Some(Protocol::UDP),
        )?;
        socket.bind_device(interface.map(str::as_bytes))?;
        socket.set_reuse_port(shared)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self {
            local: socket.local_addr()?,
            socket: Arc::new(socket),
            limits: Arc::new(limits),
        })
    }

    /// Where it is bound.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `shutdown`; then running transfers are ended with an error to their clients.
    pub async fn run<H: Handler>(self, handler: Arc<H>, shutdown: CancellationToken) {
        let mut sessions = JoinSet::new();
        let mut active = HashMap::<SocketAddr, Active>::new();
        let mut buffer = vec![0; LONGEST_REQUEST];
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(ended) = sessions.join_next_with_id() => ended_session(&mut active, ended),
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((len, peer)) => {
                        if let Some(request) = self.admit(&buffer[..len], peer, &active) {
                            let replaced = CancellationToken::new();
                            let stop = Stop { shutdown: shutdown.clone(), replaced: replaced.clone() };
                            let client = Client { peer, local: self.local };
                            let asked = Asked { client, request: request.clone() };
                            let (handler, limits) = (Arc::clone(&handler), Arc::clone(&self.limits));
                            let task = sessions.spawn(session::run(asked, handler, limits, stop)).id();
                            active.insert(peer, Active { request, since: Instant::now(), task, replaced });
                        }
                    }
                    Err(error) => {
                        // The kernel reports troubles of earlier answers here.
                        debug!(%error, local = %self.local, "TFTP socket");
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                },
            }
        }
        while sessions.join_next().await.is_some() {}
    }

    /// The request, if a session is to be started for it.
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
            // Strays of a transfer do not come here; answering an error could go on for ever.
            Ok(_) => return None,
            Err(problem) => {
                debug!(%peer, %problem, "TFTP request that can't be read");
                if bytes.starts_with(&[0, 1]) || bytes.starts_with(&[0, 2]) {
                    self.refuse(peer, packet::code::ILLEGAL, problem.0);
                }
                return None;
            }
        }
        if let Some(running) = active.get(&peer) {
            if *running.request == *bytes && running.since.elapsed() < COPIES {
                return None;
            }
            // A client at one port does one transfer at a time: it began anew.
            running.replaced.cancel();
            return Some(bytes.into());
        }
        let of_client = active
            .keys()
            .filter(|other| other.ip() == peer.ip())
            .count();
        if active.len() >= self.limits.transfers || of_client >= self.limits.transfers_per_client {
            warn!(%peer, transfers = active.len(), of_client, "too many TFTP transfers at a time: a request is left for later");
            return None;
        }
        Some(bytes.into())
    }

    fn refuse(&self, peer: SocketAddr, code: u16, message: &str) {
        let packet = Packet::error(code, message).to_bytes();
        if let Err(error) = self.socket.try_send_to(&packet, peer) {
            debug!(%peer, %error, "a TFTP error could not be sent");
        }
    }
}

fn ended_session(active: &mut HashMap<SocketAddr, Active>, ended: Result<(Id, ()), JoinError>) {
    let task = match ended {
        Ok((task, ())) => task,
        Err(error) => {
            warn!(%error, "a TFTP transfer ended badly");
            error.id()
        }
    };
    active.retain(|_, session| session.task != task);
}
