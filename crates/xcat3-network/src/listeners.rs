//! The servers that run: started and stopped until they are those that [`crate::plan`] asks for.
//!
//! A port that can't be had is a sentence for the operator and tried again, never the end.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::dhcp::client::Served;
use crate::dhcp::server::{self as dhcp, Shared};
use crate::plan::{LOOPBACK, Plan, Server, Service};
use crate::tree::Tree;
use crate::{http, ra, tftp};

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    link: watch::Sender<Vec<Served>>,
}

/// Among whom the servers run.
#[derive(Clone, Copy, Debug)]
pub struct Among {
    /// Whether other workers of this host bind the same ports.
    pub shared: bool,
    /// How long running HTTP answers may go on after a shutdown.
    pub drain: Duration,
}

/// The servers that run.
pub struct Listeners {
    tree: Arc<Tree>,
    shared: Arc<Shared>,
    among: Among,
    running: BTreeMap<Server, Running>,
}

const TFTP_PORT: u16 = 69;

impl Listeners {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(tree: Arc<Tree>, shared: Arc<Shared>, among: Among) -> Self {
        Self {
            tree,
            shared,
            among,
            running: BTreeMap::new(),
        }
    }

    /// Starts what is wanted and does not run, stops what runs and is not wanted. Returns what could
    /// not be served, a sentence each.
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
        let mut notes = plan.absent;
        for (server, link) in wanted {
            match self.running.get(&server) {
                Some(running) => {
                    running.link.send_if_modified(|old| {
                        let changed = !same(old, &link);
                        if changed {
                            old.clone_from(&link);
                        }
                        changed
                    });
                }
                None => notes.extend(self.start(server, &link)),
            }
        }
        notes
    }

    /// Stops everything and waits for it.
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
        let what = name(server.service);
        if let Err(error) = running.task.await {
            tracing::error!(%error, interface = server.interface, "{what} broke down");
        }
        tracing::info!(interface = server.interface, "{what} stopped");
    }

    /// Starts a server; what it can't serve is told in sentences.
    fn start(&mut self, server: Server, link: &[Served]) -> Vec<String> {
        let (what, interface) = (name(server.service), &server.interface);
        let port = match server.service {
            Service::Dhcp => format!("UDP port {}", dhcp::PORT),
            Service::Tftp => format!("UDP port {TFTP_PORT}"),
            Service::Http => format!("TCP port {}", self.tree.http_port),
            Service::RouterAdvertisements => "a raw socket".to_owned(),
        };
        let stop = CancellationToken::new();
        let (sender, receiver) = watch::channel(link.to_vec());
        match self.bind(&server, receiver, &stop) {
            Ok(task) => {
                tracing::info!(interface, address = %server.address, "{what} started on {port}");
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
                tracing::debug!(%error, interface, "{what} not started");
                Vec::new()
            }
            Err(error) => {
                let why = explain(&error, &port);
                let networks = link.iter().map(|served| &served.network.name);
                networks
                    .map(|name| {
                        format!("network {name}: cannot serve {what} on {interface}: {why}")
                    })
                    .collect()
            }
        }
    }

    fn bind(
        &self,
        server: &Server,
        link: watch::Receiver<Vec<Served>>,
        stop: &CancellationToken,
    ) -> io::Result<JoinHandle<()>> {
        let (tree, stop) = (self.tree.clone(), stop.clone());
        let interface = server.interface.as_str();
        let at = |port| SocketAddr::new(IpAddr::V4(server.address), port);
        Ok(match server.service {
            Service::Dhcp => {
                let (socket, shared) = (dhcp::bind(interface)?, self.shared.clone());
                tokio::spawn(dhcp::serve(
                    socket,
                    interface.to_owned(),
                    link,
                    shared,
                    stop,
                ))
            }
            Service::Tftp => {
                let limits = tftp::Limits::default();
                let bind = match self.among.shared {
                    true => tftp::Server::bind_reuse_port,
                    false => tftp::Server::bind,
                };
                let server = bind(at(TFTP_PORT), Some(interface), limits)?;
                tokio::spawn(server.run(tree, stop))
            }
            Service::Http => {
                let limits = http::Limits {
                    drain_timeout: self.among.drain,
                    ..http::Limits::default()
                };
                let bind = match self.among.shared {
                    true => http::Server::bind_reuse_port,
                    false => http::Server::bind,
                };
                let server = bind(at(tree.http_port), Some(interface), limits)?;
                tokio::spawn(server.run(tree, stop))
            }
            Service::RouterAdvertisements => tokio::spawn(ra::serve(
                ra::bind(interface, server.index)?,
                server.index,
                stop,
            )),
        })
    }
}

fn name(service: Service) -> &'static str {
    match service {
        Service::Dhcp => "DHCP",
        Service::Tftp => "TFTP",
        Service::Http => "HTTP",
        Service::RouterAdvertisements => "router advertisement",
    }
}

/// The host's own requests can be done without, and so can answers for IPv6: machines then boot some
/// seconds later.
fn is_optional(server: &Server, link: &[Served]) -> bool {
    (server.interface == LOOPBACK && link.is_empty())
        || server.service == Service::RouterAdvertisements
}

fn same(old: &[Served], new: &[Served]) -> bool {
    let equal =
        |(a, b): (&Served, &Served)| a.server == b.server && Arc::ptr_eq(&a.network, &b.network);
    old.len() == new.len() && old.iter().zip(new).all(equal)
}

/// Why a port can't be had, and what to do about it.
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
    fn a_port_that_is_not_to_be_had_is_explained() {
        let denied = explain(&io::ErrorKind::PermissionDenied.into(), "UDP port 67");
        assert!(
            denied.contains("binding UDP port 67 — run as root"),
            "{denied}"
        );
        let used = explain(&io::ErrorKind::AddrInUse.into(), "UDP port 67");
        assert_eq!(used, "UDP port 67 is in use by another program");
    }
}
