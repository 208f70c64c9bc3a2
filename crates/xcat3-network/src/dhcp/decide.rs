//! The DHCP decision: a pure function from a request, the facts and the lease table to a reply.
//!
//! [`decide`] has three steps: identify the client and its network ([`Client`]; RFC 3046 and 3527 for
//! relays, RFC 3011 for subnet selection, RFC 4578 for firmware), choose a verdict (RFC 2131, 4.3), and
//! write the reply ([`super::reply`]). The address of a node is fixed to its nic and needs no lease; any
//! other client gets an address of a dynamic range. A request that another server has to answer gets
//! no reply and a reason for the log.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use xcat3_core::{DiscoveredMachine, Network, Nic, Node, NodeName};
use xcat3_drivers::boot::firmware::FirmwareOptions;
use xcat3_drivers::boot::{Firmware, Loader};
use xcat3_store::Lease;

use super::packet::{MessageType, Reply, Request, code};
use super::reply::{self, Grant, GrantType};
use crate::boot::{BootContext, BootSettings};
use crate::discovered;
use crate::facts::{Facts, address_of, nic_of};
use crate::leases::{LeaseTable, PoolRules};
use crate::plan::ServedNetwork;

/// What a request is decided from, apart from the leases.
pub struct DhcpFacts<'a> {
    /// Everything that is declared.
    pub declared: &'a Facts,
    /// The networks of the interface that received the request; at least one.
    pub link: &'a [ServedNetwork],
    /// The settings of boot answers.
    pub boot: &'a Arc<BootSettings>,
    /// Lease time of a fixed address, in seconds.
    pub lease_s: u32,
    /// Lease time of an address of a dynamic range, in seconds.
    pub dynamic_lease_s: u32,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
}

/// The outcome of a request.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The reply and its destination.
    pub reply: Option<(Reply, SocketAddrV4)>,
    /// The lease that must be saved before the reply is sent.
    pub lease: Option<Lease>,
    /// The node that sent the request.
    pub node: Option<NodeName>,
    /// The firmware that sent the request.
    pub firmware: Option<Firmware>,
    /// The machine that sent the request, where it boots and is no node.
    pub discovered: Option<DiscoveredMachine>,
    /// Why there is no reply, or a refusal.
    pub reason: Option<String>,
}

/// Decides about a request.
#[must_use]
pub fn decide(request: &Request, facts: &DhcpFacts<'_>, leases: &mut LeaseTable) -> Decision {
    let client = match Client::identify(request, facts) {
        Ok(client) => client,
        Err(reason) => {
            return Decision {
                reason: Some(reason),
                ..Decision::default()
            };
        }
    };
    let verdict = client.verdict(leases);
    client.decision(verdict)
}

// --- 1. The client and its network ---------------------------------------------------------------

/// The sender of a request.
struct Client<'a> {
    request: &'a Request,
    facts: &'a DhcpFacts<'a>,
    /// The network of the client, with the address of this server there.
    served: ServedNetwork,
    node: Option<(&'a Arc<Node>, &'a Nic)>,
    /// The address that is fixed to the nic of the node.
    fixed_ip: Option<Ipv4Addr>,
    firmware: Firmware,
}

impl<'a> Client<'a> {
    /// Identifies the client, or returns why this server has nothing to answer.
    fn identify(request: &'a Request, facts: &'a DhcpFacts<'a>) -> Result<Self, String> {
        let node = facts.declared.node_by_mac(request.mac);
        let node = node.and_then(|node| Some((node, nic_of(node, request.mac)?)));
        let fixed_ip = node.and_then(|(_, nic)| address_of(nic));
        let served = if request.giaddr.is_unspecified() {
            network_of_link(request, facts, fixed_ip)
        } else {
            network_of_relay(request, facts)
        };
        let contains_fixed =
            |served: &ServedNetwork| fixed_ip.is_none_or(|ip| served.network.subnet.contains(&ip));
        let served = served
            .filter(contains_fixed)
            .ok_or_else(|| match (node, fixed_ip) {
                (Some((node, _)), Some(ip)) => {
                    format!(
                        "address {ip} of {} is in no network that is served here",
                        node.name
                    )
                }
                _ => "the request is for no network that is served here".to_owned(),
            })?;
        let firmware = Firmware::detect(FirmwareOptions {
            architecture: request.architectures().next(),
            vendor_class: request.option(code::VENDOR_CLASS),
            user_class: request.option(code::USER_CLASS),
        });
        Ok(Self {
            request,
            facts,
            served,
            node,
            fixed_ip,
            firmware,
        })
    }

    fn network(&self) -> &Network {
        &self.served.network
    }

    /// The lease time: the time that the client requests, within the configured one.
    fn lease_s(&self) -> u32 {
        let configured = match self.fixed_ip {
            Some(_) => self.facts.lease_s,
            None => self.facts.dynamic_lease_s,
        };
        let requested: Option<[u8; 4]> = self
            .request
            .option(code::LEASE_TIME)
            .and_then(|bytes| bytes.try_into().ok());
        requested.map_or(configured, |bytes| {
            u32::from_be_bytes(bytes).clamp(configured.min(60), configured)
        })
    }

    /// Calls `choose` with the rules for dynamic addresses of the client's network.
    fn with_rules<T>(&self, choose: impl FnOnce(&PoolRules<'_>) -> T) -> T {
        let is_excluded = |ip: Ipv4Addr| {
            self.facts.link.iter().any(|served| served.server == ip)
                || !self.facts.declared.nodes_by_ip(ip).is_empty()
                || ip == self.request.giaddr
        };
        choose(&PoolRules {
            network: self.network(),
            is_excluded: &is_excluded,
            now_ms: self.facts.now_ms,
        })
    }

    /// The loader for the firmware. Only a node that boots from its boot nic gets one.
    fn loader(&self) -> Loader {
        let (declared, settings) = (self.facts.declared, self.facts.boot);
        let context = self.node.and_then(|(node, nic)| {
            BootContext::new(declared, settings, node, nic.mac, self.served.server)
        });
        context.map_or(Loader::None, |context| context.loader(self.firmware))
    }
}

/// The network of a client on the link: the one around its fixed address; for other clients the one
/// around the address that they request, else the first with a dynamic range.
fn network_of_link(
    request: &Request,
    facts: &DhcpFacts<'_>,
    fixed_ip: Option<Ipv4Addr>,
) -> Option<ServedNetwork> {
    let around = |ip: Ipv4Addr| {
        let mut link = facts.link.iter();
        link.find(|served| served.network.subnet.contains(&ip))
    };
    if let Some(ip) = fixed_ip {
        return around(ip).cloned();
    }
    let current = (!request.ciaddr.is_unspecified()).then_some(request.ciaddr);
    let requested = current.or_else(|| request.address(code::REQUESTED_IP));
    let has_range = |served: &&ServedNetwork| !served.network.dynamic_range.is_empty();
    requested
        .and_then(around)
        .or_else(|| facts.link.iter().find(has_range))
        .or_else(|| facts.link.first())
        .cloned()
}

/// The network that a relay forwarded a request from: the one around the address in option 82 (link
/// selection, RFC 3527) or option 118, else around the relay's address.
fn network_of_relay(request: &Request, facts: &DhcpFacts<'_>) -> Option<ServedNetwork> {
    let selected = request.option(code::RELAY).and_then(link_selection);
    let selected = selected.or_else(|| request.address(code::SUBNET_SELECTION));
    let network = facts
        .declared
        .network_around(selected.unwrap_or(request.giaddr))?;
    let is_local = |ip: Ipv4Addr| facts.link.iter().any(|served| served.server == ip);
    let server = facts.link.first()?.server;
    network
        .dhcpserver
        .is_none_or(is_local)
        .then(|| ServedNetwork {
            network: network.clone(),
            server,
        })
}

/// The address in sub-option 5 of option 82.
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

// --- 2. The verdict ------------------------------------------------------------------------------

/// What a client gets.
enum Verdict {
    /// An address, or with INFORM only the description of the network. The lease must be saved first.
    Grant(GrantType, Ipv4Addr, Option<Lease>),
    /// A NAK.
    Refuse(String),
    /// No reply. The lease, of an address that was released, must be saved.
    Silence(String, Option<Lease>),
}

impl Verdict {
    fn silence(reason: impl Into<String>) -> Self {
        Self::Silence(reason.into(), None)
    }
}

impl Client<'_> {
    fn verdict(&self, leases: &mut LeaseTable) -> Verdict {
        match self.request.message_type() {
            None => self.on_bootp(),
            Some(MessageType::Discover) => self.on_discover(leases),
            Some(MessageType::Request) => self.on_request(leases),
            Some(MessageType::Release) => self.on_release(leases),
            Some(MessageType::Decline) => self.on_decline(leases),
            Some(MessageType::Inform) => self.on_inform(),
            Some(other) => Verdict::silence(format!("{other:?} is no message of a client")),
        }
    }

    /// Plain BOOTP: fixed addresses only, since BOOTP has no lease times.
    fn on_bootp(&self) -> Verdict {
        match self.fixed_ip {
            Some(ip) => Verdict::Grant(GrantType::Bootp, ip, None),
            None => Verdict::silence("BOOTP request of a machine that is no node"),
        }
    }

    fn on_discover(&self, leases: &mut LeaseTable) -> Verdict {
        let requested = self.request.address(code::REQUESTED_IP);
        let offered = self
            .fixed_ip
            .or_else(|| self.with_rules(|rules| leases.offer(rules, self.request.mac, requested)));
        let lease_s = self.lease_s();
        match offered {
            Some(ip) => Verdict::Grant(GrantType::Offer { lease_s }, ip, None),
            None => Verdict::silence(self.no_address_reason()),
        }
    }

    /// RFC 2131, 4.3.2: the client accepts our offer or that of another server, verifies its address
    /// after a restart, or extends its lease.
    fn on_request(&self, leases: &mut LeaseTable) -> Verdict {
        let request = self.request;
        let is_local = |server| self.facts.link.iter().any(|served| served.server == server);
        let selected = request.address(code::SERVER_ID);
        if let Some(server) = selected.filter(|&server| !is_local(server)) {
            leases.withdraw(&self.network().name, request.mac);
            return Verdict::silence(format!("the client selected the server {server}"));
        }
        let current = (!request.ciaddr.is_unspecified()).then_some(request.ciaddr);
        let Some(ip) = request.address(code::REQUESTED_IP).or(current) else {
            return Verdict::silence("the request names no address");
        };
        let lease_s = self.lease_s();
        match self.fixed_ip {
            Some(fixed) if fixed == ip => Verdict::Grant(GrantType::Ack { lease_s }, ip, None),
            Some(fixed) => Verdict::Refuse(format!("{ip} is not your address, {fixed} is")),
            None => self.on_dynamic_request(leases, ip),
        }
    }

    fn on_dynamic_request(&self, leases: &mut LeaseTable, ip: Ipv4Addr) -> Verdict {
        let (request, network) = (self.request, self.network());
        let accepts_offer = request.options.contains_key(&code::SERVER_ID);
        if network.dynamic_range.is_empty() && !accepts_offer && network.subnet.contains(&ip) {
            return Verdict::silence(self.no_address_reason());
        }
        let lease_s = self.lease_s();
        let expires_ms = self.facts.now_ms + i64::from(lease_s) * 1000;
        let lease = self.with_rules(|rules| leases.lease(rules, request.mac, ip, expires_ms));
        match lease {
            Some(lease) => {
                let lease = Lease {
                    hostname: request.hostname(),
                    client_id: request.option(code::CLIENT_ID).map(<[u8]>::to_vec),
                    ..lease
                };
                Verdict::Grant(GrantType::Ack { lease_s }, ip, Some(lease))
            }
            None => Verdict::Refuse(format!("{ip} is not free for you")),
        }
    }

    fn on_release(&self, leases: &mut LeaseTable) -> Verdict {
        let (mac, ip) = (self.request.mac, self.request.ciaddr);
        let lease = leases.release(&self.network().name, mac, ip, self.facts.now_ms);
        Verdict::Silence(format!("the client released {ip}"), lease)
    }

    fn on_decline(&self, leases: &mut LeaseTable) -> Verdict {
        let Some(ip) = self.request.address(code::REQUESTED_IP) else {
            return Verdict::silence("the request names no declined address");
        };
        let (mac, now_ms) = (self.request.mac, self.facts.now_ms);
        leases.decline(&self.network().name, mac, ip, now_ms);
        Verdict::silence(format!("the client found {ip} in use by another machine"))
    }

    /// The client has its address from elsewhere and requests the other options.
    fn on_inform(&self) -> Verdict {
        let (ip, network) = (self.request.ciaddr, self.network());
        if network.subnet.contains(&ip) {
            Verdict::Grant(GrantType::Inform, ip, None)
        } else {
            Verdict::silence(format!("{ip} is not in network {}", network.name))
        }
    }

    fn no_address_reason(&self) -> String {
        let network = self.network();
        if network.dynamic_range.is_empty() {
            let name = &network.name;
            format!("no node has this nic, and network {name} has no dynamic range")
        } else {
            format!(
                "the dynamic range of network {} has no free address",
                network.name
            )
        }
    }

    // --- 3. The reply ----------------------------------------------------------------------------

    fn decision(&self, verdict: Verdict) -> Decision {
        let (request, server) = (self.request, self.served.server);
        let mut decision = Decision {
            node: self.node.map(|(node, _)| node.name.clone()),
            firmware: Some(self.firmware),
            ..Decision::default()
        };
        match verdict {
            Verdict::Grant(grant_type, ip, lease) => {
                let grant = Grant {
                    grant_type,
                    ip,
                    server,
                    network: self.network(),
                    node: self.node.map(|(node, nic)| (&node.name, nic)),
                    firmware: self.firmware,
                    loader: self.loader(),
                };
                decision.reply = Some(reply::grant(request, &grant));
                decision.lease = lease;
            }
            Verdict::Refuse(reason) => {
                decision.reply = Some(reply::refuse(request, server, &reason));
                decision.reason = Some(reason);
            }
            Verdict::Silence(reason, lease) => {
                decision.reason = Some(reason);
                decision.lease = lease;
            }
        }
        if self.node.is_none() {
            let ip = decision.reply.as_ref().map(|(reply, _)| reply.yiaddr);
            let ip = ip.filter(|ip| !ip.is_unspecified());
            let (network, now_ms) = (&self.network().name, self.facts.now_ms);
            decision.discovered = discovered::from_request(request, network, ip, now_ms);
        }
        decision
    }
}
