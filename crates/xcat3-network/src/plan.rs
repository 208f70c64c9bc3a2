//! What is to be served on which interface: DHCP, TFTP and HTTP for every network that an interface of
//! this host has an address in, and nowhere else. A pure decision from networks and local addresses;
//! [`crate::listeners`] makes it so.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use xcat3_core::Network;

use crate::dhcp::client::Served;
use crate::interfaces::LocalAddress;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Addresses.
    Dhcp,
    /// Boot programs.
    Tftp,
    /// Everything else.
    Http,
    /// Answers to router solicitations, see [`crate::ra`].
    RouterAdvertisements,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// What it speaks.
    pub service: Service,
    /// The interface that it is bound to.
    pub interface: String,
    /// The index of that interface: one made anew with the same name is another one.
    pub index: u32,
    /// The address that it is bound to; unspecified for those that are bound to the interface only.
    pub address: Ipv4Addr,
}

/// What is to be served.
#[derive(Debug, Default)]
pub struct Plan {
    /// The servers, each with the networks that it serves.
    pub servers: BTreeMap<Server, Vec<Served>>,
    /// Networks that are not served here, a sentence each.
    pub absent: Vec<String>,
}

/// The host's own requests come by this interface, whatever address they are for.
pub const LOOPBACK: &str = "lo";

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
                let server = local.address.addr();
                plan.serve(
                    &Served {
                        network: network.clone(),
                        server,
                    },
                    local,
                );
            }
            None => plan.absent.push(format!(
                "network {}: no interface that may be served has an address in {}",
                network.name, network.subnet
            )),
        }
    }
    plan
}

impl Plan {
    fn serve(&mut self, served: &Served, local: &LocalAddress) {
        let address = served.server;
        let is_loopback = local.interface == LOOPBACK;
        // Where another server gives the addresses, only files are served.
        let is_ours = served.network.dhcpserver.is_none_or(|ip| ip == address);
        if is_ours && !is_loopback {
            let anywhere = Ipv4Addr::UNSPECIFIED;
            self.add(
                Service::Dhcp,
                &local.interface,
                local.index,
                anywhere,
                Some(served),
            );
            let ra = Service::RouterAdvertisements;
            self.add(ra, &local.interface, local.index, anywhere, Some(served));
        }
        for service in [Service::Tftp, Service::Http] {
            self.add(
                service,
                &local.interface,
                local.index,
                address,
                Some(served),
            );
            if !is_loopback {
                self.add(service, LOOPBACK, 1, address, None);
            }
        }
    }

    fn add(
        &mut self,
        service: Service,
        interface: &str,
        index: u32,
        address: Ipv4Addr,
        served: Option<&Served>,
    ) {
        let interface = interface.to_owned();
        let server = Server {
            service,
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
            .map(|server| format!("{:?} {}", server.service, server.interface))
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
            [
                "Dhcp br0",
                "Tftp br0",
                "Tftp lo",
                "Http br0",
                "Http lo",
                "RouterAdvertisements br0"
            ]
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
        assert!(
            plan.servers
                .keys()
                .all(|server| ["b", "lo"].contains(&server.interface.as_str()))
        );
        assert_eq!(plan.servers.len(), 6);
    }

    #[test]
    fn another_dhcp_server_is_left_alone() {
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
