//! Which servers run on which interface: DHCP, TFTP and HTTP for every network that an interface of
//! this host has an address in, and nowhere else.
//!
//! What is wanted is planned from the networks and the local addresses, then compared with what runs.
//! A port that can't be had is a sentence for the operator and tried again, never the end.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xcat3_core::Network;

use crate::dhcp::client::Served;
use crate::dhcp::server::{self as dhcp, Shared};
use crate::interfaces::LocalAddress;
use crate::tree::Tree;
use crate::{http, tftp};

/// What is to be served.
#[derive(Debug, Default)]
pub struct Plan {
    /// Networks by interface (name and index).
    links: BTreeMap<(String, u32), Vec<Served>>,
    /// Networks that are not served here, a sentence each.
    absent: Vec<String>,
}

/// Decides what is served where. `allowed` names the interfaces that may be used; none: all.
#[must_use]
pub fn plan<'a>(
    networks: impl Iterator<Item = &'a Arc<Network>>,
    addresses: &[LocalAddress],
    allowed: &[String],
) -> Plan {
    let mut plan = Plan::default();
    for network in networks {
        let owns = |local: &&LocalAddress| {
            network.subnet.contains(&local.address.addr())
                && (allowed.is_empty() || allowed.contains(&local.interface))
        };
        let named = |local: &&LocalAddress| network.dhcpserver == Some(local.address.addr());
        let mut owners = addresses.iter().filter(owns);
        match owners.clone().find(named).or_else(|| owners.next()) {
            Some(local) => {
                let served = Served {
                    network: network.clone(),
                    server: local.address.addr(),
                };
                let link = (local.interface.clone(), local.index);
                plan.links.entry(link).or_default().push(served);
            }
            None => plan.absent.push(format!(
                "network {}: no interface that may be served has an address in {}",
                network.name, network.subnet
            )),
        }
    }
    plan
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Dhcp {
        interface: String,
        index: u32,
    },
    Tftp {
        interface: String,
        index: u32,
        address: Ipv4Addr,
    },
    Http {
        interface: String,
        index: u32,
        address: Ipv4Addr,
    },
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    link: watch::Sender<Vec<Served>>,
}

/// The servers that run.
pub struct Listeners {
    tree: Arc<Tree>,
    shared: Arc<Shared>,
    running: BTreeMap<Key, Running>,
}

impl Key {
    /// What it serves, with its port, in words.
    fn what(&self, http_port: u16) -> (&'static str, String) {
        match self {
            Self::Dhcp { .. } => ("DHCP", format!("UDP port {}", dhcp::PORT)),
            Self::Tftp { .. } => ("TFTP", format!("UDP port {TFTP_PORT}")),
            Self::Http { .. } => ("HTTP", format!("TCP port {http_port}")),
        }
    }

    fn interface(&self) -> &str {
        match self {
            Self::Dhcp { interface, .. }
            | Self::Tftp { interface, .. }
            | Self::Http { interface, .. } => interface,
        }
    }
}

const TFTP_PORT: u16 = 69;
/// The host's own requests come by this interface, whatever address they are for.
const LOOPBACK: &str = "lo";

impl Listeners {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(tree: Arc<Tree>, shared: Arc<Shared>) -> Self {
        Self {
            tree,
            shared,
            running: BTreeMap::new(),
        }
    }

    /// Starts what is wanted and does not run, stops what runs and is not wanted. Returns what could
    /// not be served, a sentence each.
    pub async fn reconcile(&mut self, plan: Plan) -> Vec<String> {
        let mut wanted = BTreeMap::new();
        for ((interface, index), link) in plan.links {
            want(&mut wanted, &interface, index, &link);
        }
        let unwanted: Vec<Key> = self
            .running
            .iter()
            .filter(|(key, running)| !wanted.contains_key(*key) || running.task.is_finished())
            .map(|(key, _)| key.clone())
            .collect();
        for key in unwanted {
            self.stop(&key).await;
        }
        let mut notes = plan.absent;
        for (key, link) in wanted {
            match self.running.get(&key) {
                Some(running) => {
                    running.link.send_if_modified(|old| {
                        let changed = !same(old, &link);
                        if changed {
                            old.clone_from(&link);
                        }
                        changed
                    });
                }
                None => notes.extend(self.start(key, &link)),
            }
        }
        notes
    }

    /// Stops everything and waits for it.
    pub async fn stop_all(&mut self) {
        for running in self.running.values() {
            running.stop.cancel();
        }
        let keys: Vec<Key> = self.running.keys().cloned().collect();
        for key in keys {
            self.stop(&key).await;
        }
    }

    async fn stop(&mut self, key: &Key) {
        if let Some(running) = self.running.remove(key) {
            running.stop.cancel();
            if let Err(error) = running.task.await {
                tracing::error!(%error, "{} on {} ended", key.what(0).0, key.interface());
            }
            tracing::info!(interface = key.interface(), "{} stopped", key.what(0).0);
        }
    }

    fn start(&mut self, key: Key, link: &[Served]) -> Vec<String> {
        let (what, port) = key.what(self.tree.http_port);
        let stop = CancellationToken::new();
        let (sender, receiver) = watch::channel(link.to_vec());
        match self.bind(&key, receiver, &stop) {
            Ok(task) => {
                tracing::info!(interface = key.interface(), "{what} started on {port}");
                self.running.insert(
                    key,
                    Running {
                        stop,
                        task,
                        link: sender,
                    },
                );
                Vec::new()
            }
            // The host itself can do without.
            Err(_) if key.interface() == LOOPBACK && link.is_empty() => Vec::new(),
            Err(error) => {
                let interface = key.interface();
                let why = explain(&error, &port);
                let note = |served: &Served| {
                    format!(
                        "network {}: cannot serve {what} on {interface}: {why}",
                        served.network.name
                    )
                };
                link.iter().map(note).collect()
            }
        }
    }

    fn bind(
        &self,
        key: &Key,
        link: watch::Receiver<Vec<Served>>,
        stop: &CancellationToken,
    ) -> io::Result<JoinHandle<()>> {
        let (tree, stop) = (self.tree.clone(), stop.clone());
        match key {
            Key::Dhcp { interface, .. } => {
                let socket = dhcp::bind(interface)?;
                let serving =
                    dhcp::serve(socket, interface.clone(), link, self.shared.clone(), stop);
                Ok(tokio::spawn(serving))
            }
            Key::Tftp {
                interface, address, ..
            } => {
                let at = SocketAddr::new(IpAddr::V4(*address), TFTP_PORT);
                let server = tftp::Server::bind(at, Some(interface), tftp::Limits::default())?;
                Ok(tokio::spawn(server.run(tree, stop)))
            }
            Key::Http {
                interface, address, ..
            } => {
                let at = SocketAddr::new(IpAddr::V4(*address), self.tree.http_port);
                let server = http::Server::bind(at, Some(interface), http::Limits::default())?;
                Ok(tokio::spawn(server.run(tree, stop)))
            }
        }
    }
}

fn want(wanted: &mut BTreeMap<Key, Vec<Served>>, interface: &str, index: u32, link: &[Served]) {
    // Where another server gives the addresses, only files are served.
    let ours = |served: &&Served| {
        served
            .network
            .dhcpserver
            .is_none_or(|ip| ip == served.server)
    };
    let dhcp: Vec<Served> = link.iter().filter(ours).cloned().collect();
    if !dhcp.is_empty() && interface != LOOPBACK {
        wanted.insert(
            Key::Dhcp {
                interface: interface.to_owned(),
                index,
            },
            dhcp,
        );
    }
    for served in link {
        let address = served.server;
        let mut add = |interface: &str, index: u32, served: &[Served]| {
            let interface = interface.to_owned();
            let key = Key::Tftp {
                interface: interface.clone(),
                index,
                address,
            };
            wanted.entry(key).or_default().extend_from_slice(served);
            let key = Key::Http {
                interface,
                index,
                address,
            };
            wanted.entry(key).or_default().extend_from_slice(served);
        };
        add(interface, index, std::slice::from_ref(served));
        if interface != LOOPBACK {
            add(LOOPBACK, 1, &[]);
        }
    }
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

    fn local(interface: &str, index: u32, address: &str) -> LocalAddress {
        LocalAddress {
            interface: interface.into(),
            index,
            address: address.parse().unwrap(),
        }
    }

    fn network(name: &str, subnet: &str) -> Arc<Network> {
        Arc::new(Network::new(name, subnet.parse().unwrap()))
    }

    fn keys(plan: &Plan) -> Vec<String> {
        let mut wanted = BTreeMap::new();
        for ((interface, index), link) in &plan.links {
            want(&mut wanted, interface, *index, link);
        }
        wanted
            .keys()
            .map(|key| format!("{} {}", key.what(3011).0, key.interface()))
            .collect()
    }

    #[test]
    fn only_interfaces_with_an_address_in_a_network_are_served() {
        let addresses = [
            local("lo", 1, "127.0.0.1/8"),
            local("eth0", 2, "192.168.1.5/24"),
            local("br0", 3, "11.0.0.101/8"),
        ];
        let networks = [network("c920", "11.0.0.0/8"), network("far", "12.0.0.0/8")];
        let plan = plan(networks.iter(), &addresses, &[]);
        assert_eq!(
            keys(&plan),
            ["DHCP br0", "TFTP br0", "TFTP lo", "HTTP br0", "HTTP lo"]
        );
        assert_eq!(plan.absent.len(), 1);
        assert!(
            plan.absent[0].contains("network far: no interface"),
            "{:?}",
            plan.absent
        );
    }

    #[test]
    fn the_operator_may_limit_the_interfaces() {
        let addresses = [local("a", 1, "11.0.0.1/8"), local("b", 2, "11.0.0.2/8")];
        let networks = [network("c920", "11.0.0.0/8")];
        let plan = plan(networks.iter(), &addresses, &["b".to_owned()]);
        assert_eq!(
            plan.links.keys().collect::<Vec<_>>(),
            [&("b".to_owned(), 2)]
        );
    }

    #[test]
    fn another_dhcp_server_is_left_alone() {
        let addresses = [local("br0", 3, "11.0.0.101/8")];
        let mut other = Network::new("c920", "11.0.0.0/8".parse().unwrap());
        other.dhcpserver = Some("11.0.0.1".parse().unwrap());
        let served = plan([Arc::new(other.clone())].iter(), &addresses, &[]);
        assert_eq!(
            keys(&served),
            ["TFTP br0", "TFTP lo", "HTTP br0", "HTTP lo"]
        );
        other.dhcpserver = Some("11.0.0.101".parse().unwrap());
        let served = plan([Arc::new(other)].iter(), &addresses, &[]);
        assert_eq!(keys(&served)[0], "DHCP br0");
    }

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
