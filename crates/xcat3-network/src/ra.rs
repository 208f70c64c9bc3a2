//! Answers router solicitations (RFC 4861, 6.2) with an advertisement that says: no router here, no
//! prefix, nothing to configure.
//!
//! iPXE waits 16 seconds for IPv6 before it boots over IPv4 unless a router answers it. The router
//! lifetime is 0, so no machine takes us for its router or gives itself an address because of it. Not
//! a router, and not for IPv6 provisioning.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use rustix::net::{RecvFlags, recvfrom};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const SOLICITATION: u8 = 133;
/// Type 134, code 0; the kernel fills in the checksum. Hop limit, flags, router lifetime, reachable
/// and retransmission time are all 0: "not said", and for the lifetime "no default router".
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Advertisements to all are at least so far apart (MIN_DELAY_BETWEEN_RAS).
const BETWEEN: Duration = Duration::from_secs(3);

/// Opens the socket of an interface.
///
/// # Errors
/// Raw sockets are not allowed, or the interface has no IPv6.
pub fn bind(interface: &str, index: u32) -> io::Result<AsyncFd<Socket>> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_nonblocking(true)?;
    // Whatever came through a router has fewer than 255 hops left and is no advertisement.
    socket.set_unicast_hops_v6(255)?;
    socket.set_multicast_hops_v6(255)?;
    socket.join_multicast_v6(&ALL_ROUTERS, index)?;
    #[expect(
        deprecated,
        reason = "unsound only for types that close early; Socket does not"
    )]
    AsyncFd::new(socket)
}

/// Answers solicitations until `stop`.
pub async fn serve(socket: AsyncFd<Socket>, index: u32, stop: CancellationToken) {
    let mut to_all: Option<Instant> = None;
    while let Some(from) = stop.run_until_cancelled(next(&socket)).await {
        let Some(from) = from else { continue };
        let to = if from.ip().is_unspecified() {
            if to_all.is_some_and(|last| last.elapsed() < BETWEEN) {
                continue;
            }
            to_all = Some(Instant::now());
            ALL_NODES
        } else {
            *from.ip()
        };
        let to = SocketAddrV6::new(to, 0, 0, index);
        match socket.get_ref().send_to(&ADVERTISEMENT, &to.into()) {
            Ok(_) => tracing::debug!(%to, "answered a router solicitation"),
            Err(error) => tracing::debug!(%to, %error, "could not answer a router solicitation"),
        }
    }
}

/// Who sent the next message, if that is a solicitation.
async fn next(socket: &AsyncFd<Socket>) -> Option<SocketAddrV6> {
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
            tracing::debug!(%error, "receiving router solicitations failed");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

/// RFC 4861, 6.1.1. Link-local and unspecified sources come from the link itself: no router passes
/// them on.
fn is_solicitation(message: &[u8], from: Ipv6Addr) -> bool {
    message.len() >= 8
        && message[..2] == [SOLICITATION, 0]
        && (from.is_unicast_link_local() || from.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_solicitations_from_the_link_are_answered() {
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
