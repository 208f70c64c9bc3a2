//! Which servers run on which interface: DHCP, TFTP and HTTP for every network that an interface of this
//! host has an address in. A pure decision from networks and local addresses; [`crate::listeners`]
//! carries it out.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use xcat3_core::Network;

use crate::interfaces::LocalAddress;

/// A network that is served on an interface.
#[derive(Clone, Debug)]
pub struct ServedNetwork {
    /// The network.
    pub network: Arc<Network>,
    /// The address of this host in the network.
    pub server: Ipv4Addr,
}

/// The protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// DHCP.
    Dhcp,
    /// TFTP.
    Tftp,
    /// HTTP.
    Http,
    /// Replies to router solicitations, see [`crate::ra`].
    RouterAdvertisements,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// The protocol.
    pub protocol: Protocol,
    /// The interface that the server is bound to.
    pub interface: String,
    /// The index of the interface: an interface created again with the same name has another.
    pub index: u32,
    /// The address that the server is bound to; unspecified where it is bound to the interface only.
    pub address: Ipv4Addr,
}

/// The servers that run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The servers, each with its networks.
    pub servers: BTreeMap<Server, Vec<ServedNetwork>>,
    /// A sentence for each network that is not served here.
    pub unserved: Vec<String>,
}

/// The host's own requests arrive on this interface, whatever address they are for.
pub const LOOPBACK: &str = "lo";

/// Decides which servers run. `allowed` are the interfaces that may be used; empty means all.
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
                let server = local.address.addr();
                plan.serve(
                    &ServedNetwork {
                        network: network.clone(),
                        server,
                    },
                    local,
                );
            }
            None => plan.unserved.push(format!(
                "network {}: no interface that may be served has an address in {}",
                network.name, network.subnet
            )),
        }
    }
    plan
}

impl Plan {
    fn serve(&mut self, served: &ServedNetwork, local: &LocalAddress) {
        let address = served.server;
        let is_loopback = local.interface == LOOPBACK;
        // With another DHCP server in the network, only files are served.
        let is_ours = served.network.dhcpserver.is_none_or(|ip| ip == address);
        if is_ours && !is_loopback {
            let anywhere = Ipv4Addr::UNSPECIFIED;
            self.add(
                Protocol::Dhcp,
                &local.interface,
                local.index,
                anywhere,
                Some(served),
            );
            let ra = Protocol::RouterAdvertisements;
            self.add(ra, &local.interface, local.index, anywhere, Some(served));
        }
        for protocol in [Protocol::Tftp, Protocol::Http] {
            self.add(
                protocol,
                &local.interface,
                local.index,
                address,
                Some(served),
            );
            if !is_loopback {
                self.add(protocol, LOOPBACK, 1, address, None);
            }
        }
    }

    fn add(
        &mut self,
        protocol: Protocol,
        interface: &str,
        index: u32,
        address: Ipv4Addr,
        served: Option<&ServedNetwork>,
    ) {
        let interface = interface.to_owned();
        let server = Server {
            protocol,
            interface,
            index,
            address,
        };
        self.servers
            .entry(server)
            .or_default()
            .extend(served.cloned());
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
        let servers = plan.servers.keys();
        servers
            .map(|server| format!("{:?} {}", server.protocol, server.interface))
            .collect()
    }

    #[test]
    fn interface_without_address_in_a_network_is_not_served() {
        let addresses = [
            local("lo", 1, "127.0.0.1/8"),
            local("eth0", 2, "192.168.1.5/24"),
            local("br0", 3, "11.0.0.101/8"),
        ];
        let networks = [network("c920", "11.0.0.0/8"), network("far", "12.0.0.0/8")];
        let plan = plan(networks.iter(), &addresses, &[]);
        assert_eq!(
            keys(&plan),
            [
                "Dhcp br0",
                "Tftp br0",
                "Tftp lo",
                "Http br0",
                "Http lo",
                "RouterAdvertisements br0"
            ]
        );
        assert_eq!(plan.unserved.len(), 1);
        assert!(
            plan.unserved[0].contains("network far: no interface"),
            "{:?}",
            plan.unserved
        );
    }

    #[test]
    fn interface_that_is_not_allowed_is_not_served() {
        let addresses = [local("a", 1, "11.0.0.1/8"), local("b", 2, "11.0.0.2/8")];
        let networks = [network("c920", "11.0.0.0/8")];
        let plan = plan(networks.iter(), &addresses, &["b".to_owned()]);
        assert!(
            plan.servers
                .keys()
                .all(|server| ["b", "lo"].contains(&server.interface.as_str()))
        );
        assert_eq!(plan.servers.len(), 6);
    }

    #[test]
    fn network_with_other_dhcp_server_gets_no_dhcp() {
        let addresses = [local("br0", 3, "11.0.0.101/8")];
        let mut other = Network::new("c920", "11.0.0.0/8".parse().unwrap());
        other.dhcpserver = Some("11.0.0.1".parse().unwrap());
        let served = plan([Arc::new(other.clone())].iter(), &addresses, &[]);
        assert_eq!(
            keys(&served),
            ["Tftp br0", "Tftp lo", "Http br0", "Http lo"]
        );
        other.dhcpserver = Some("11.0.0.101".parse().unwrap());
        let served = plan([Arc::new(other)].iter(), &addresses, &[]);
        assert_eq!(keys(&served)[0], "Dhcp br0");
    }
}
