//! The running servers: started and stopped to match the plan of [`crate::plan`].
//!
//! A port that cannot be bound is a sentence for the operator and is tried again.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::dhcp::server::{self as dhcp, DhcpState};
use crate::plan::{LOOPBACK, Plan, Protocol, ServedNetwork, Server};
use crate::tree::Tree;
use crate::{http, ra, tftp};

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    link: watch::Sender<Vec<ServedNetwork>>,
}

/// How servers bind and stop.
#[derive(Clone, Copy, Debug)]
pub struct ListenerOptions {
    /// Whether other workers of this host bind the same ports.
    pub reuse_port: bool,
    /// How long HTTP responses in progress may continue after a shutdown.
    pub drain_timeout: Duration,
}

/// The running servers.
pub struct Listeners {
    tree: Arc<Tree>,
    dhcp: Arc<DhcpState>,
    options: ListenerOptions,
    running: BTreeMap<Server, Running>,
}

const TFTP_PORT: u16 = 69;

impl Listeners {
    /// No server runs yet.
    #[must_use]
    pub fn new(tree: Arc<Tree>, dhcp: Arc<DhcpState>, options: ListenerOptions) -> Self {
        Self {
            tree,
            dhcp,
            options,
            running: BTreeMap::new(),
        }
    }

    /// Starts and stops servers to match `plan`. Returns a sentence for each network that is not served.
    pub async fn reconcile(&mut self, plan: Plan) -> Vec<String> {
        let wanted = plan.servers;
        let unwanted: Vec<Server> = self
            .running
            .iter()
            .filter(|(key, running)| !wanted.contains_key(*key) || running.task.is_finished())
            .map(|(key, _)| key.clone())
            .collect();
        for server in unwanted {
            self.stop(&server).await;
        }
        let mut problems = plan.unserved;
        for (server, link) in wanted {
            match self.running.get(&server) {
                Some(running) => {
                    running.link.send_if_modified(|old| {
                        let changed = !is_same(old, &link);
                        if changed {
                            old.clone_from(&link);
                        }
                        changed
                    });
                }
                None => problems.extend(self.start(server, &link)),
            }
        }
        problems
    }

    /// Stops all servers and waits until they have ended.
    pub async fn stop_all(&mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        let servers: Vec<Server> = self.running.keys().cloned().collect();
        for server in servers {
            self.stop(&server).await;
        }
    }

    async fn stop(&mut self, server: &Server) {
        let Some(running) = self.running.remove(server) else {
            return;
        };
        running.stop.cancel();
        let protocol = server.protocol.name();
        if let Err(error) = running.task.await {
            tracing::error!(%error, protocol, interface = server.interface, "server task panicked");
        }
        tracing::info!(protocol, interface = server.interface, "server stopped");
    }

    /// Starts a server. Returns a sentence for each network that it cannot serve.
    fn start(&mut self, server: Server, link: &[ServedNetwork]) -> Vec<String> {
        let (protocol, interface) = (server.protocol.name(), &server.interface);
        let port = match server.protocol {
            Protocol::Dhcp => format!("UDP port {}", dhcp::PORT),
            Protocol::Tftp => format!("UDP port {TFTP_PORT}"),
            Protocol::Http => format!("TCP port {}", self.tree.boot.http_port),
            Protocol::RouterAdvertisements => "a raw socket".to_owned(),
        };
        let stop = CancellationToken::new();
        let (sender, receiver) = watch::channel(link.to_vec());
        match self.bind(&server, receiver, &stop) {
            Ok(task) => {
                tracing::info!(protocol, interface, address = %server.address, port, "server started");
                self.running.insert(
                    server,
                    Running {
                        stop,
                        task,
                        link: sender,
                    },
                );
                Vec::new()
            }
            Err(error) if is_optional(&server, link) => {
                tracing::debug!(%error, protocol, interface, "optional server not started");
                Vec::new()
            }
            Err(error) => {
                let reason = explain(&error, &port);
                let networks = link.iter().map(|served| &served.network.name);
                networks
                    .map(|name| {
                        format!("network {name}: cannot serve {protocol} on {interface}: {reason}")
                    })
                    .collect()
            }
        }
    }

    fn bind(
        &self,
        server: &Server,
        link: watch::Receiver<Vec<ServedNetwork>>,
        stop: &CancellationToken,
    ) -> io::Result<JoinHandle<()>> {
        let (tree, stop) = (self.tree.clone(), stop.clone());
        let interface = server.interface.as_str();
        let at = |port| SocketAddr::new(IpAddr::V4(server.address), port);
        Ok(match server.protocol {
            Protocol::Dhcp => {
                let (socket, state) = (dhcp::bind(interface)?, self.dhcp.clone());
                tokio::spawn(dhcp::serve(socket, interface.to_owned(), link, state, stop))
            }
            Protocol::Tftp => {
                let limits = tftp::Limits::default();
                let bind = match self.options.reuse_port {
                    true => tftp::Server::bind_reuse_port,
                    false => tftp::Server::bind,
                };
                let server = bind(at(TFTP_PORT), Some(interface), limits)?;
                tokio::spawn(server.run(tree, stop))
            }
            Protocol::Http => {
                let limits = http::Limits {
                    drain_timeout: self.options.drain_timeout,
                    ..http::Limits::default()
                };
                let bind = match self.options.reuse_port {
                    true => http::Server::bind_reuse_port,
                    false => http::Server::bind,
                };
                let server = bind(at(tree.boot.http_port), Some(interface), limits)?;
                tokio::spawn(server.run(tree, stop))
            }
            Protocol::RouterAdvertisements => tokio::spawn(ra::serve(
                ra::bind(interface, server.index)?,
                server.index,
                stop,
            )),
        })
    }
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Dhcp => "DHCP",
            Self::Tftp => "TFTP",
            Self::Http => "HTTP",
            Self::RouterAdvertisements => "router advertisement",
        }
    }
}

/// Whether the service works without the server: requests of the host itself are not essential, and
/// without router advertisements machines boot some seconds later.
fn is_optional(server: &Server, link: &[ServedNetwork]) -> bool {
    (server.interface == LOOPBACK && link.is_empty())
        || server.protocol == Protocol::RouterAdvertisements
}

fn is_same(old: &[ServedNetwork], new: &[ServedNetwork]) -> bool {
    let equal = |(a, b): (&ServedNetwork, &ServedNetwork)| {
        a.server == b.server && Arc::ptr_eq(&a.network, &b.network)
    };
    old.len() == new.len() && old.iter().zip(new).all(equal)
}

/// Why a port cannot be bound, and what to do.
fn explain(error: &io::Error, port: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "permission denied binding {port} — run as root or grant CAP_NET_BIND_SERVICE, CAP_NET_RAW"
        ),
        io::ErrorKind::AddrInUse => format!("{port} is in use by another program"),
        _ => format!("binding {port}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_error_is_explained() {
        let denied = explain(&io::ErrorKind::PermissionDenied.into(), "UDP port 67");
        assert!(
            denied.contains("binding UDP port 67 — run as root"),
            "{denied}"
        );
        let used = explain(&io::ErrorKind::AddrInUse.into(), "UDP port 67");
        assert_eq!(used, "UDP port 67 is in use by another program");
    }
}
