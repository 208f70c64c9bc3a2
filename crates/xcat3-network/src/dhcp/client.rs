//! Who sent a DHCP request, and from which network: the node behind its nic, the firmware that runs
//! there, and whether a relay passed it on.
//!
//! RFC 3046 and 3527 (relays, link selection), RFC 3011 (subnet selection), RFC 4578 (firmware).

use std::net::Ipv4Addr;
use std::sync::Arc;

use xcat3_core::{Network, Nic, Node};
use xcat3_drivers::boot::firmware::FirmwareOptions;
use xcat3_drivers::boot::{self, BootFacts, Firmware, Loader, Loaders};
use xcat3_drivers::install::InstallSettings;

use super::packet::{Request, code};
use crate::facts::{Facts, address_of, nic_of};
use crate::leases::Choice;

/// A network that is served on an interface, with our address in it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The network.
    pub network: Arc<Network>,
    /// Our address.
    pub server: Ipv4Addr,
}

/// What a request is answered from.
pub struct Desk<'a> {
    /// All that is declared.
    pub facts: &'a Facts,
    /// The networks of the interface that the request came in by; at least one.
    pub link: &'a [Served],
    /// The port of our boot HTTP server.
    pub http_port: u16,
    /// The boot programs for each firmware.
    pub loaders: &'a Loaders,
    /// What is the same for all installs.
    pub install: &'a InstallSettings,
    /// How long the lease of a fixed address is, in seconds.
    pub lease_s: u32,
    /// How long an address of a dynamic range is leased, in seconds.
    pub dynamic_lease_s: u32,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

/// Who asks, and what is to be given.
pub(super) struct Client<'a> {
    pub request: &'a Request,
    pub served: Served,
    pub node: Option<(&'a Arc<Node>, &'a Nic)>,
    /// The address that is fixed to its nic.
    pub fixed: Option<Ipv4Addr>,
    pub firmware: Firmware,
}

impl<'a> Client<'a> {
    /// Tells who asks.
    ///
    /// # Errors
    /// Says why the request is not ours to answer.
    pub fn of(request: &'a Request, desk: &Desk<'a>) -> Result<Self, String> {
        let node = desk.facts.node_by_mac(request.mac);
        let node = node.and_then(|node| Some((node, nic_of(node, request.mac)?)));
        let fixed = node.and_then(|(_, nic)| address_of(nic));
        let served = if request.giaddr.is_unspecified() {
            network_here(request, desk, fixed)
        } else {
            network_of_relay(request, desk)
        };
        let fits = |served: &Served| fixed.is_none_or(|ip| served.network.subnet.contains(&ip));
        let served = served.filter(fits).ok_or_else(|| match (node, fixed) {
            (Some((node, _)), Some(ip)) => {
                format!(
                    "{}: its address {ip} is in no network that is served here",
                    node.name
                )
            }
            _ => "it asks for no network that is served here".to_owned(),
        })?;
        let firmware = Firmware::detect(FirmwareOptions {
            architecture: request.architectures().next(),
            vendor_class: request.option(code::VENDOR_CLASS),
            user_class: request.option(code::USER_CLASS),
        });
        Ok(Self {
            request,
            served,
            node,
            fixed,
            firmware,
        })
    }

    /// Runs a choice of a dynamic address.
    pub(super) fn choosing<T>(&self, desk: &Desk<'_>, choose: impl FnOnce(&Choice<'_>) -> T) -> T {
        let taken = |ip: Ipv4Addr| {
            desk.link.iter().any(|served| served.server == ip)
                || !desk.facts.nodes_by_ip(ip).is_empty()
                || ip == self.request.giaddr
        };
        let network = &self.served.network;
        choose(&Choice {
            network,
            taken: &taken,
            now_ms: desk.now_ms,
        })
    }

    pub(super) fn nothing_free(&self) -> String {
        let network = &self.served.network;
        if network.dynamic_range.is_empty() {
            format!(
                "no node has this nic, and network {} has no dynamic range",
                network.name
            )
        } else {
            format!(
                "all addresses of the dynamic range of network {} are taken",
                network.name
            )
        }
    }

    /// How long the lease is: what we give, or less where the client asks for less.
    pub(super) fn lease_s(&self, desk: &Desk<'_>) -> u32 {
        let ours = if self.fixed.is_some() {
            desk.lease_s
        } else {
            desk.dynamic_lease_s
        };
        let asked: Option<[u8; 4]> = self
            .request
            .option(code::LEASE_TIME)
            .and_then(|b| b.try_into().ok());
        asked.map_or(ours, |bytes| {
            u32::from_be_bytes(bytes).clamp(ours.min(60), ours)
        })
    }

    pub(super) fn name(&self) -> String {
        match self.node {
            Some((node, _)) => format!("{} ({:?})", node.name, self.firmware),
            None => format!("a machine that is no node ({:?})", self.firmware),
        }
    }

    pub(super) fn is_pxe(&self) -> bool {
        let class = self.request.option(code::VENDOR_CLASS);
        class.is_some_and(|class| class.starts_with(b"PXEClient"))
    }

    /// Only a known node that asks with its boot nic and has an address there boots over the network.
    pub(super) fn loader(&self, desk: &Desk<'_>) -> Option<Loader> {
        let (node, nic) = self.node?;
        self.fixed?;
        if node.boot_nic().is_none_or(|boot| boot.mac != nic.mac) {
            return None;
        }
        let facts = BootFacts {
            node,
            nic,
            network: &self.served.network,
            image: desk.facts.image_of(node).map(Arc::as_ref),
            server: self.served.server,
            http_port: desk.http_port,
            install: desk.install,
        };
        Some(boot::loader(self.firmware, &facts, desk.loaders))
    }
}

/// The network of the interface that a client belongs to: the one around its fixed address; for
/// unknown machines the one around what they ask for, else the first with a dynamic range.
fn network_here(request: &Request, desk: &Desk<'_>, fixed: Option<Ipv4Addr>) -> Option<Served> {
    let around = |ip: Ipv4Addr| {
        let mut link = desk.link.iter();
        link.find(|served| served.network.subnet.contains(&ip))
    };
    if let Some(ip) = fixed {
        return around(ip).cloned();
    }
    let has = (!request.ciaddr.is_unspecified()).then_some(request.ciaddr);
    let asked = has
        .or_else(|| request.address(code::REQUESTED_IP))
        .and_then(around);
    let dynamic = || {
        desk.link
            .iter()
            .find(|served| !served.network.dynamic_range.is_empty())
    };
    asked
        .or_else(dynamic)
        .or_else(|| desk.link.first())
        .cloned()
}

/// The network that a relay passed a request on from: the one around what option 82 (link selection,
/// RFC 3527) or 118 names, else around the relay's address.
fn network_of_relay(request: &Request, desk: &Desk<'_>) -> Option<Served> {
    let selected = request.option(code::RELAY).and_then(link_selection);
    let selected = selected.or_else(|| request.address(code::SUBNET_SELECTION));
    let network = desk
        .facts
        .network_around(selected.unwrap_or(request.giaddr))?;
    let ours = |ip: Ipv4Addr| desk.link.iter().any(|served| served.server == ip);
    let server = desk.link.first()?.server;
    let is_ours = network.dhcpserver.is_none_or(ours);
    is_ours.then(|| Served {
        network: network.clone(),
        server,
    })
}

fn link_selection(mut relay: &[u8]) -> Option<Ipv4Addr> {
    while let [code, length, rest @ ..] = relay {
        let value = rest.get(..usize::from(*length))?;
        if *code == 5 {
            let address: [u8; 4] = value.try_into().ok()?;
            return Some(Ipv4Addr::from(address));
        }
        relay = &rest[usize::from(*length)..];
    }
    None
}
