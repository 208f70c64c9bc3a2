//! The IPv4 addresses of the local network interfaces, and a notification when they change.
//!
//! getifaddrs(3) lists the addresses. The kernel reports changes on a netlink socket (RFC 3549;
//! `man 7 rtnetlink`); what a message says is not read, since every change leads to a new list.

use std::io;
use std::os::fd::OwnedFd;

use if_addrs::IfAddr;
use ipnet::Ipv4Net;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netdevice, recv, socket_with,
};
use tokio::io::unix::AsyncFd;

/// An IPv4 address of a local interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalAddress {
    /// The interface, for example `br0`.
    pub interface: String,
    /// The index of the interface in the kernel.
    pub index: u32,
    /// The address with its prefix length.
    pub address: Ipv4Net,
}

/// Link state and IPv4 addresses (RTMGRP_LINK, RTMGRP_IPV4_IFADDR).
const CHANGE_GROUPS: u32 = 1 | 0x10;

/// All IPv4 addresses of this host, sorted.
///
/// # Errors
/// The kernel does not list them.
pub fn local_addresses() -> io::Result<Vec<LocalAddress>> {
    let names = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let mut addresses = Vec::new();
    for found in if_addrs::get_if_addrs()? {
        let (IfAddr::V4(ip), Some(index)) = (found.addr, found.index) else {
            continue;
        };
        // `found.name` may be the label of an address (`br0:1`); sockets are bound to the interface.
        // An interface that disappeared meanwhile has no name any more.
        if let Ok(interface) = netdevice::index_to_name(&names, index)
            && let Ok(address) = Ipv4Net::new(ip.ip, ip.prefixlen)
        {
            addresses.push(LocalAddress {
                interface,
                index,
                address,
            });
        }
    }
    addresses.sort();
    Ok(addresses)
}

/// Notifies of changes of addresses and links of this host.
pub struct AddressChanges(AsyncFd<OwnedFd>);

impl AddressChanges {
    /// Subscribes to changes. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The kernel refuses the netlink socket.
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, CHANGE_GROUPS))?;
        #[expect(
            deprecated,
            reason = "unsound only for types that close early; OwnedFd does not"
        )]
        AsyncFd::new(socket).map(Self)
    }

    /// Waits for the next change. Several changes at once count as one.
    pub async fn next(&self) {
        let Ok(mut ready) = self.0.readable().await else {
            return std::future::pending().await;
        };
        let mut buffer = [0u8; 8192];
        // Messages that the kernel dropped (ENOBUFS) are changes too; any other error ends the loop.
        while let Ok(_) | Err(rustix::io::Errno::NOBUFS) =
            recv(self.0.get_ref(), &mut buffer[..], RecvFlags::empty())
        {}
        ready.clear_ready();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_interface_is_listed() {
        let addresses = local_addresses().unwrap();
        let loopback = addresses
            .iter()
            .find(|address| address.interface == "lo")
            .unwrap();
        assert_eq!(loopback.address.to_string(), "127.0.0.1/8");
        assert_eq!(loopback.index, 1);
    }
}
