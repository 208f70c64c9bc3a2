//! Writes DHCP replies: the address, the description of the network, and the boot options. A further
//! DHCP option is written in [`describe_network`] or [`describe_boot`].
//!
//! RFC 2132 (options), RFC 2131, 4.1 (destination of a reply), RFC 4578 and PXE 2.1 (boot options), UEFI
//! 2.10, 24.7 (HTTP boot), RFC 6842 (client identifier).

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use xcat3_core::{Network, Nic, NodeName};
use xcat3_drivers::boot::{Firmware, Loader};

use super::packet::{MessageType, Reply, Request, code};

const CLIENT_PORT: u16 = 68;
const SERVER_PORT: u16 = 67;
/// A client without an address receives broadcasts, whatever its broadcast flag is; unicast would need
/// an entry in the ARP table.
const BROADCAST: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT);

/// The message that grants an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// DHCPOFFER, with the lease time in seconds.
    Offer {
        /// Lease time, in seconds.
        lease_s: u32,
    },
    /// DHCPACK of a request, with the lease time in seconds.
    Ack {
        /// Lease time, in seconds.
        lease_s: u32,
    },
    /// DHCPACK of DHCPINFORM: no address and no lease time.
    Inform,
    /// BOOTREPLY: no message type and no lease time.
    Bootp,
}

/// The contents of a reply that grants an address.
pub struct Grant<'a> {
    /// The message.
    pub grant_type: GrantType,
    /// The address of the client.
    pub ip: Ipv4Addr,
    /// The address of this server.
    pub server: Ipv4Addr,
    /// The network of the client.
    pub network: &'a Network,
    /// The node and the nic that sent the request.
    pub node: Option<(&'a NodeName, &'a Nic)>,
    /// The firmware that sent the request.
    pub firmware: Firmware,
    /// The loader for the firmware.
    pub loader: Loader,
}

/// The reply that grants an address, and its destination.
#[must_use]
pub fn grant(request: &Request, grant: &Grant<'_>) -> (Reply, SocketAddrV4) {
    let mut reply = match grant.grant_type {
        GrantType::Offer { .. } => begin(request, MessageType::Offer, grant.server),
        GrantType::Ack { .. } | GrantType::Inform => begin(request, MessageType::Ack, grant.server),
        GrantType::Bootp => Reply::new(request, None),
    };
    let mut destination = destination(request, grant.network);
    match grant.grant_type {
        GrantType::Offer { lease_s } => {
            reply.yiaddr = grant.ip;
            set_lease_time(&mut reply, lease_s);
        }
        GrantType::Ack { lease_s } => {
            (reply.yiaddr, reply.ciaddr) = (grant.ip, request.ciaddr);
            set_lease_time(&mut reply, lease_s);
        }
        GrantType::Inform => {
            reply.ciaddr = request.ciaddr;
            destination = SocketAddrV4::new(grant.ip, CLIENT_PORT);
        }
        GrantType::Bootp => (reply.yiaddr, reply.ciaddr) = (grant.ip, request.ciaddr),
    }
    describe_network(&mut reply, request, grant);
    describe_boot(&mut reply, request, grant);
    (reply, destination)
}

/// The DHCPNAK with a reason, and its destination.
#[must_use]
pub fn refuse(request: &Request, server: Ipv4Addr, reason: &str) -> (Reply, SocketAddrV4) {
    let mut reply = begin(request, MessageType::Nak, server);
    reply.set(code::MESSAGE, reason);
    if request.giaddr.is_unspecified() {
        return (reply, BROADCAST);
    }
    // The relay must broadcast a NAK: the client may not own its address any more.
    reply.flags |= 0x8000;
    (reply, SocketAddrV4::new(request.giaddr, SERVER_PORT))
}

/// Writes lease time, renewal time (half of it) and rebinding time (seven eighths).
pub fn set_lease_time(reply: &mut Reply, lease_s: u32) {
    reply.set_seconds(code::LEASE_TIME, lease_s);
    reply.set_seconds(code::RENEWAL, lease_s / 2);
    reply.set_seconds(code::REBINDING, lease_s / 8 * 7);
}

/// A reply with the options of every DHCP reply.
fn begin(request: &Request, message_type: MessageType, server: Ipv4Addr) -> Reply {
    let mut reply = Reply::new(request, Some(message_type));
    reply.set_addresses(code::SERVER_ID, &[server]);
    for echoed in [code::CLIENT_ID, code::RELAY] {
        reply.set(echoed, request.option(echoed).unwrap_or_default());
    }
    reply
}

/// RFC 2131, 4.1.
fn destination(request: &Request, network: &Network) -> SocketAddrV4 {
    if !request.giaddr.is_unspecified() {
        SocketAddrV4::new(request.giaddr, SERVER_PORT)
    } else if network.subnet.contains(&request.ciaddr) && !request.ciaddr.is_unspecified() {
        SocketAddrV4::new(request.ciaddr, CLIENT_PORT)
    } else {
        BROADCAST
    }
}

/// The options that describe the network; some only where the client requests them.
fn describe_network(reply: &mut Reply, request: &Request, grant: &Grant<'_>) {
    let network = grant.network;
    let nic_mask = grant.node.and_then(|(_, nic)| match nic.netmask {
        Some(IpAddr::V4(mask)) => Some(mask),
        _ => None,
    });
    let mask = nic_mask.unwrap_or(network.subnet.netmask());
    reply.set_addresses(code::NETMASK, &[mask]);
    reply.set_addresses(code::ROUTER, network.gateway.as_slice());
    let broadcast = [network.subnet.broadcast()];
    for (code, addresses) in [
        (code::BROADCAST, &broadcast[..]),
        (code::NAMESERVERS, &network.nameservers),
        (code::NTP_SERVERS, &network.ntpservers),
    ] {
        if request.wants(code) {
            reply.set_addresses(code, addresses);
        }
    }
    if request.wants(code::DOMAIN) {
        reply.set(code::DOMAIN, network.domain.as_deref().unwrap_or_default());
    }
    if request.wants(code::HOSTNAME) {
        let name = grant.node.map(|(name, _)| name.as_str());
        reply.set(code::HOSTNAME, name.unwrap_or_default());
    }
}

/// The options that name the loader.
fn describe_boot(reply: &mut Reply, request: &Request, grant: &Grant<'_>) {
    let (firmware, server) = (grant.firmware, grant.server);
    if firmware == Firmware::Ipxe {
        // Option 176 inside option 175, `no-pxedhcp`: iPXE need not wait for a ProxyDHCP server.
        reply.set(code::IPXE, [176, 1, 1]);
    }
    let file = match &grant.loader {
        Loader::None => return,
        Loader::Tftp(file) | Loader::Http(file) => file,
    };
    reply.siaddr = server;
    reply.set(code::TFTP_SERVER, server.to_string());
    reply.set(code::BOOT_FILE, file.as_str());
    reply.file.clone_from(file);
    let class = request.option(code::VENDOR_CLASS).unwrap_or_default();
    if firmware.is_http() {
        reply.set(code::VENDOR_CLASS, "HTTPClient");
    } else if firmware != Firmware::Ipxe && class.starts_with(b"PXEClient") {
        // PXE_DISCOVERY_CONTROL 8: load the boot file named here and discover no boot servers.
        reply.set(code::VENDOR_CLASS, "PXEClient");
        reply.set(code::VENDOR, [6, 1, 8, 255]);
        let machine_id = request.option(code::MACHINE_ID);
        reply.set(code::MACHINE_ID, machine_id.unwrap_or_default());
    }
}
