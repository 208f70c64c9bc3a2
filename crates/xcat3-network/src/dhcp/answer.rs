//! Writing DHCP replies: addresses, what is known of the network, and what a node's firmware is to
//! load.
//!
//! RFC 2132 (options), RFC 2131, 4.1 (where a reply goes), RFC 4578 and PXE 2.1 (boot options), UEFI
//! 2.10, 24.7 (HTTP boot), RFC 6842 (client identifier).

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use xcat3_core::{DiscoveredMachine, NodeName};
use xcat3_drivers::boot::{Firmware, Loader};
use xcat3_store::Lease;

use super::client::{Client, Desk};
use super::packet::{Kind, Reply, code};

pub(super) const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;

/// What is to be done about a request.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// What to send, and where to.
    pub reply: Option<(Reply, SocketAddrV4)>,
    /// What must be saved before that.
    pub save: Option<Lease>,
    /// The node that asked, and with which firmware.
    pub seen: Option<(NodeName, Firmware)>,
    /// The machine that asked, where it boots and is no node.
    pub machine: Option<DiscoveredMachine>,
    /// What was done or why nothing was, for the log.
    pub note: String,
}

impl Answer {
    /// No reply, and why.
    pub(super) fn silence(note: impl Into<String>) -> Self {
        Self {
            note: note.into(),
            ..Self::default()
        }
    }
}

impl Client<'_> {
    pub(super) fn grant(&self, desk: &Desk<'_>, kind: Kind, ip: Ipv4Addr) -> Answer {
        let mut reply = self.reply(kind);
        reply.yiaddr = ip;
        if kind == Kind::Ack {
            reply.ciaddr = self.request.ciaddr;
        }
        let lease_s = self.lease_s(desk);
        reply.set_seconds(code::LEASE_TIME, lease_s);
        reply.set_seconds(code::RENEWAL, lease_s / 2);
        reply.set_seconds(code::REBINDING, lease_s / 8 * 7);
        self.describe_network(&mut reply);
        let loader = self.boot(&mut reply, desk);
        let loader = loader
            .map(|file| format!(", loader {file}"))
            .unwrap_or_default();
        let note = format!("{kind:?} {ip} to {}{loader}", self.name());
        Answer {
            reply: Some((reply, self.destination())),
            note,
            ..Answer::default()
        }
    }

    pub(super) fn refuse(&self, reason: &str) -> Answer {
        let mut reply = self.reply(Kind::Nak);
        reply.set(code::MESSAGE, reason);
        let to = if self.request.giaddr.is_unspecified() {
            SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT)
        } else {
            // The relay must broadcast it: the client may not answer to its address any more.
            reply.flags |= 0x8000;
            SocketAddrV4::new(self.request.giaddr, SERVER_PORT)
        };
        let note = format!("Nak to {}: {reason}", self.name());
        Answer {
            reply: Some((reply, to)),
            note,
            ..Answer::default()
        }
    }

    /// A reply with what every reply has.
    fn reply(&self, kind: Kind) -> Reply {
        let mut reply = Reply::to(self.request, Some(kind));
        reply.set_addresses(code::SERVER_ID, &[self.served.server]);
        for echoed in [code::CLIENT_ID, code::RELAY] {
            reply.set(echoed, self.request.option(echoed).unwrap_or_default());
        }
        reply
    }

    /// RFC 2131, 4.1. A client without an address is sent broadcasts, which it takes whatever its
    /// broadcast flag says; unicast would need an entry in the ARP table.
    fn destination(&self) -> SocketAddrV4 {
        let request = self.request;
        let inside = self.served.network.subnet.contains(&request.ciaddr);
        if !request.giaddr.is_unspecified() {
            SocketAddrV4::new(request.giaddr, SERVER_PORT)
        } else if inside && !request.ciaddr.is_unspecified() {
            SocketAddrV4::new(request.ciaddr, CLIENT_PORT)
        } else {
            SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT)
        }
    }

    fn describe_network(&self, reply: &mut Reply) {
        let (network, request) = (&self.served.network, self.request);
        let nic_mask = self.node.and_then(|(_, nic)| match nic.netmask {
            Some(IpAddr::V4(mask)) => Some(mask),
            _ => None,
        });
        let mask = nic_mask.unwrap_or(network.subnet.netmask());
        reply.set_addresses(code::NETMASK, &[mask]);
        reply.set_addresses(code::ROUTER, network.gateway.as_slice());
        if request.wants(code::BROADCAST) {
            reply.set_addresses(code::BROADCAST, &[network.subnet.broadcast()]);
        }
        if request.wants(code::NAMESERVERS) {
            reply.set_addresses(code::NAMESERVERS, &network.nameservers);
        }
        if request.wants(code::NTP_SERVERS) {
            reply.set_addresses(code::NTP_SERVERS, &network.ntpservers);
        }
        if let Some(domain) = network
            .domain
            .as_deref()
            .filter(|_| request.wants(code::DOMAIN))
        {
            reply.set(code::DOMAIN, domain);
        }
        if let Some((node, _)) = self.node.filter(|_| request.wants(code::HOSTNAME)) {
            reply.set(code::HOSTNAME, node.name.as_str());
        }
    }

    /// Tells a node's boot nic what to load, and returns it.
    fn boot(&self, reply: &mut Reply, desk: &Desk<'_>) -> Option<String> {
        if self.firmware == Firmware::Ipxe {
            // iPXE need not wait for a ProxyDHCP server: `no-pxedhcp`, which is 176 inside 175.
            reply.set(code::IPXE, [176, 1, 1]);
        }
        let loader = self.loader(desk)?;
        let server = self.served.server;
        let file = match loader {
            Loader::None => return None,
            Loader::Tftp(file) | Loader::Http(file) => file,
        };
        reply.siaddr = server;
        reply.set(code::TFTP_SERVER, server.to_string());
        reply.set(code::BOOT_FILE, file.as_str());
        reply.file.clone_from(&file);
        if self.firmware.is_http() {
            reply.set(code::VENDOR_CLASS, "HTTPClient");
        } else if self.firmware != Firmware::Ipxe && self.is_pxe() {
            // PXE_DISCOVERY_CONTROL 8: use the boot file named here, ask no boot servers.
            reply.set(code::VENDOR_CLASS, "PXEClient");
            reply.set(code::VENDOR, [6, 1, 8, 255]);
            reply.set(
                code::MACHINE_ID,
                self.request.option(code::MACHINE_ID).unwrap_or_default(),
            );
        }
        Some(file)
    }
}
