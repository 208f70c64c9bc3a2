//! Which local network interfaces own which IPv4 addresses, and when that changes.
//!
//! Asked of the kernel by rtnetlink (RFC 3549; `man 7 rtnetlink`), so that no program is run and no
//! file is parsed, and the kernel tells of changes by itself.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ipnet::Ipv4Net;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netdevice, recv, sendto,
    socket_with, sockopt,
};
use tokio::io::unix::AsyncFd;

/// An IPv4 address of a local interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalAddress {
    /// The interface, for example `br0`.
    pub interface: String,
    /// Its index in the kernel.
    pub index: u32,
    /// The address with its prefix length.
    pub address: Ipv4Net,
}

const NEWADDR: u16 = 20;
const GETADDR: u16 = 22;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const REQUEST_DUMP: u16 = 0x301;
const AF_INET: u8 = 2;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Link state and IPv4 addresses.
const GROUP_LINK: u32 = 1;
const GROUP_IPV4_ADDRESS: u32 = 0x10;

fn netlink(groups: u32, flags: SocketFlags) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | flags;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// All IPv4 addresses of this host, in a fixed order.
///
/// # Errors
/// The kernel did not answer.
pub fn local_addresses() -> io::Result<Vec<LocalAddress>> {
    let socket = netlink(0, SocketFlags::empty())?;
    sockopt::set_socket_timeout(
        &socket,
        sockopt::Timeout::Recv,
        Some(Duration::from_secs(2)),
    )?;
    // struct nlmsghdr (length, type, flags, sequence, port), then struct ifaddrmsg.
    let mut request = Vec::with_capacity(24);
    request.extend_from_slice(&24u32.to_ne_bytes());
    request.extend_from_slice(&GETADDR.to_ne_bytes());
    request.extend_from_slice(&REQUEST_DUMP.to_ne_bytes());
    request.extend_from_slice(&[0; 8]);
    request.extend_from_slice(&[AF_INET, 0, 0, 0, 0, 0, 0, 0]);
    sendto(
        &socket,
        &request,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut found = Vec::new();
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        let (length, _) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
        match read_dump(&buffer[..length], &mut found) {
            Dump::Goes => {}
            Dump::Ends => break,
            Dump::Fails => return Err(io::Error::other("the kernel refused to list addresses")),
        }
    }
    let mut addresses = Vec::with_capacity(found.len());
    for (index, address) in found {
        // An interface that went away meanwhile has no name any more.
        if let Ok(interface) = netdevice::index_to_name(&socket, index) {
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

enum Dump {
    Goes,
    Ends,
    Fails,
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(bytes))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

/// Reads the messages of one datagram of a dump.
fn read_dump(mut bytes: &[u8], found: &mut Vec<(u32, Ipv4Net)>) -> Dump {
    while let (Some(length), Some(kind)) = (number(bytes, 0), short(bytes, 4)) {
        let length = length as usize;
        match kind {
            DONE => return Dump::Ends,
            ERROR => return Dump::Fails,
            _ => {}
        }
        let Some(message) = bytes.get(16..length) else {
            return Dump::Fails;
        };
        if kind == NEWADDR {
            found.extend(read_address(message));
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Dump::Goes
}

/// Reads struct ifaddrmsg (family, prefix length, flags, scope, index) and the attributes after it.
fn read_address(message: &[u8]) -> Option<(u32, Ipv4Net)> {
    let (&family, &prefix) = (message.first()?, message.get(1)?);
    if family != AF_INET {
        return None;
    }
    let index = number(message, 4)?;
    let (mut local, mut peer) = (None, None);
    let mut attributes = message.get(8..)?;
    while let (Some(length), Some(kind)) = (short(attributes, 0), short(attributes, 2)) {
        let length = usize::from(length);
        let value: Option<[u8; 4]> = attributes.get(4..length).and_then(|v| v.try_into().ok());
        match kind {
            IFA_LOCAL => local = value,
            IFA_ADDRESS => peer = value,
            _ => {}
        }
        attributes = attributes
            .get(length.max(4).next_multiple_of(4)..)
            .unwrap_or_default();
    }
    let address = Ipv4Addr::from(local.or(peer)?);
    Some((index, Ipv4Net::new(address, prefix).ok()?))
}

/// Tells when addresses or links of this host change.
pub struct AddressChanges(AsyncFd<OwnedFd>);

impl AddressChanges {
    /// Starts to listen. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The kernel gives no such socket.
    pub fn new() -> io::Result<Self> {
        let socket = netlink(GROUP_LINK | GROUP_IPV4_ADDRESS, SocketFlags::NONBLOCK)?;
        #[expect(
            deprecated,
            reason = "unsound only for types that close early; OwnedFd does not"
        )]
        AsyncFd::new(socket).map(Self)
    }

    /// Waits for the next change; several at once are one.
    pub async fn next(&self) {
        let Ok(mut ready) = self.0.readable().await else {
            return std::future::pending().await;
        };
        let mut buffer = [0u8; 8192];
        // Lost messages (ENOBUFS) are changes too; any other error ends the reading.
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
    fn the_loopback_interface_is_found() {
        let addresses = local_addresses().unwrap();
        let loopback = addresses
            .iter()
            .find(|address| address.interface == "lo")
            .unwrap();
        assert_eq!(loopback.address.to_string(), "127.0.0.1/8");
        assert_eq!(loopback.index, 1);
    }

    #[test]
    fn whatever_a_message_says_it_is_read_to_its_end() {
        let mut message = [0u8; 64];
        for length in 0..=64u32 {
            for kind in [0, NEWADDR, DONE, ERROR] {
                message[..4].copy_from_slice(&length.to_ne_bytes());
                message[4..6].copy_from_slice(&kind.to_ne_bytes());
                message[16] = AF_INET;
                read_dump(&message[..length as usize], &mut Vec::new());
            }
        }
    }
}
