//! Accepts connections within the limits.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::connection::{Connection, ServerState};
use super::response::{Persistence, Response};
use super::{Handler, Limits};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// An HTTP server that is bound to its address.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Binds to an address. With `interface` the server accepts only packets of that network interface,
    /// and not the host's own, which arrive on `lo`.
    ///
    /// # Errors
    /// The operating system's, for example that the port is in use.
    pub fn bind(address: SocketAddr, interface: Option<&str>, limits: Limits) -> io::Result<Self> {
        Self::bind_with(address, interface, limits, false)
    }

    /// Binds like [`Server::bind`] to an address that other processes of this user bind as well
    /// (SO_REUSEPORT). The kernel distributes connections among them.
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
            Type::STREAM.nonblocking().cloexec(),
            Some(Protocol::TCP),
        )?;
        socket.bind_device(interface.map(str::as_bytes))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(reuse_port)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        Ok(Self {
            local: listener.local_addr()?,
            listener,
            limits,
        })
    }

    /// The address that the server is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `shutdown`. Responses in progress then have [`Limits::drain_timeout`] to end.
    pub async fn run<H: Handler>(self, handler: Arc<H>, shutdown: CancellationToken) {
        let drain_timeout = self.limits.drain_timeout;
        let state = Arc::new(ServerState {
            limits: self.limits,
            is_crowded: AtomicBool::new(false),
            shutdown: shutdown.clone(),
        });
        let most = state.limits.connections.max(1);
        let mut connections = JoinSet::new();
        let mut clients = Clients::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = connections.join_next_with_id() => {
                    clients.remove(ended);
                    state.is_crowded.store(is_crowded(connections.len(), most), Ordering::Relaxed);
                    continue;
                }
                accepted = self.listener.accept(), if connections.len() < most => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if clients.count(peer.ip()) >= state.limits.connections_per_client {
                        refuse(&stream, peer);
                        continue;
                    }
                    let handler = Arc::clone(&handler);
                    let task = connections.spawn(serve(stream, peer, handler, Arc::clone(&state)));
                    clients.insert(task.id(), peer.ip());
                }
                Err(error) => wait_after(&error).await,
            }
            state
                .is_crowded
                .store(is_crowded(connections.len(), most), Ordering::Relaxed);
        }
        drop(self.listener);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain_timeout, all_ended)
            .await
            .is_err()
        {
            debug!("HTTP responses cut off at shutdown");
        }
        connections.shutdown().await;
    }
}

fn is_crowded(connections: usize, most: usize) -> bool {
    connections >= most - most / 8
}

async fn serve<H: Handler>(
    stream: TcpStream,
    peer: SocketAddr,
    handler: Arc<H>,
    state: Arc<ServerState>,
) {
    if let Ok(local) = stream.local_addr() {
        // Without it the last piece of an answer may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            peer,
            local,
            handler,
            state,
        };
        connection.serve().await;
    }
}

/// Open connections by client address.
#[derive(Default)]
struct Clients {
    by_task: HashMap<Id, IpAddr>,
    counts: HashMap<IpAddr, usize>,
}

impl Clients {
    fn count(&self, client: IpAddr) -> usize {
        self.counts.get(&client).copied().unwrap_or(0)
    }

    fn insert(&mut self, task: Id, client: IpAddr) {
        self.by_task.insert(task, client);
        *self.counts.entry(client).or_default() += 1;
    }

    fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                warn!(%error, "HTTP connection task panicked");
                error.id()
            }
        };
        if let Some(client) = self.by_task.remove(&task) {
            if let Some(count) = self.counts.get_mut(&client).filter(|count| **count > 1) {
                *count -= 1;
            } else {
                self.counts.remove(&client);
            }
        }
    }
}

fn refuse(stream: &TcpStream, peer: SocketAddr) {
    debug!(%peer, "HTTP connection refused: too many from one client");
    let response = Response::text(503, "This client has too many connections open.\n");
    let mut out = Vec::new();
    response.write_head(None, Persistence::Close, &mut out);
    let mut body = vec![0; response.content.len() as usize];
    if response.content.read_at(0, &mut body).is_ok() {
        out.extend_from_slice(&body);
        // The response fits into an empty socket buffer.
        let _ = rustix::net::send(stream, &out, rustix::net::SendFlags::NOSIGNAL);
    }
}

/// Waits a moment when the system is out of descriptors or memory: other connections may end.
async fn wait_after(error: &io::Error) {
    warn!(%error, "cannot accept an HTTP connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
