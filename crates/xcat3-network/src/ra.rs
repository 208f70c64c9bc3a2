//! Replies to router solicitations (RFC 4861, 6.2) with an advertisement without router, prefix and
//! configuration.
//!
//! Without a reply iPXE waits 16 seconds for IPv6 before it boots over IPv4. The router lifetime is 0, so
//! no machine uses this host as its router or configures an address. This is no IPv6 provisioning.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use rustix::net::{RecvFlags, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const SOLICITATION: u8 = 133;
/// Type 134, code 0; the kernel computes the checksum. Hop limit, flags, router lifetime, reachable and
/// retransmission time are 0, which is "unspecified", for the lifetime "no default router".
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Shortest time between advertisements to all nodes (MIN_DELAY_BETWEEN_RAS).
const MIN_INTERVAL: Duration = Duration::from_secs(3);

/// Opens the socket of an interface.
///
/// # Errors
/// Raw sockets are not permitted, or the interface has no IPv6.
pub fn bind(interface: &str, index: u32) -> io::Result<AsyncFd<Socket>> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_nonblocking(true)?;
    // Clients accept advertisements with a hop limit of 255 only: no router forwarded them.
    socket.set_unicast_hops_v6(255)?;
    socket.set_multicast_hops_v6(255)?;
    socket.join_multicast_v6(&ALL_ROUTERS, index)?;
    #[expect(
        deprecated,
        reason = "unsound only for types that close early; Socket does not"
    )]
    AsyncFd::new(socket)
}

/// Replies to solicitations until `stop`.
pub async fn serve(socket: AsyncFd<Socket>, index: u32, stop: CancellationToken) {
    let mut to_all: Option<Instant> = None;
    while let Some(from) = stop.run_until_cancelled(receive(&socket)).await {
        let Some(from) = from else { continue };
        let to = if from.ip().is_unspecified() {
            if to_all.is_some_and(|last| last.elapsed() < MIN_INTERVAL) {
                continue;
            }
            to_all = Some(Instant::now());
            ALL_NODES
        } else {
            *from.ip()
        };
        let to = SocketAddrV6::new(to, 0, 0, index);
        match socket.get_ref().send_to(&ADVERTISEMENT, &to.into()) {
            Ok(_) => tracing::debug!(%to, "router advertisement sent"),
            Err(error) => tracing::debug!(%to, %error, "cannot send a router advertisement"),
        }
    }
}

/// Receives the next message, and returns its sender where it is a solicitation.
async fn receive(socket: &AsyncFd<Socket>) -> Option<SocketAddrV6> {
    let mut buffer = [0u8; 256];
    let received = loop {
        let mut ready = socket.readable().await.ok()?;
        let read = |socket: &AsyncFd<Socket>| {
            let received = recvfrom(socket.get_ref(), &mut buffer[..], RecvFlags::empty());
            received.map_err(io::Error::from)
        };
        if let Ok(received) = ready.try_io(read) {
            break received;
        }
    };
    match received {
        Ok((length, _, Some(from))) => {
            let from = SocketAddrV6::try_from(from).ok()?;
            is_solicitation(buffer.get(..length)?, *from.ip()).then_some(from)
        }
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(%error, "cannot receive router solicitations");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// RFC 4861, 6.1.1. Messages from link-local and unspecified sources come from the link itself: routers do
/// not forward them.
fn is_solicitation(message: &[u8], from: Ipv6Addr) -> bool {
    message.len() >= 8
        && message[..2] == [SOLICITATION, 0]
        && (from.is_unicast_link_local() || from.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solicitation_from_the_link_is_recognised() {
        let link_local = "fe80::1".parse().unwrap();
        let solicitation = [133, 0, 1, 2, 0, 0, 0, 0];
        assert!(is_solicitation(&solicitation, link_local));
        assert!(is_solicitation(&solicitation, Ipv6Addr::UNSPECIFIED));
        assert!(!is_solicitation(
            &solicitation,
            "2001:db8::1".parse().unwrap()
        ));
        assert!(!is_solicitation(&solicitation[..7], link_local));
        assert!(!is_solicitation(&[134, 0, 0, 0, 0, 0, 0, 0], link_local));
        assert!(!is_solicitation(&[133, 1, 0, 0, 0, 0, 0, 0], link_local));
    }
}
