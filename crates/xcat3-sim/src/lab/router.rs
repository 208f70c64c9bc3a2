//! What a router does on the lab's segment: answers IPv6 router solicitations (RFC 4861).
//!
//! It offers neither a route nor an address. Without any answer iPXE waits 12 seconds for one.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use super::segment::BRIDGE;

const SOLICITATION: u8 = 133;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Router advertisement: hop limit 64, no flags, router lifetime 0 (not a default router). The kernel
/// fills in the checksum.
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Starts to answer, until the process ends.
pub fn start() -> Result<()> {
    let index = std::fs::read_to_string(format!("/sys/class/net/{BRIDGE}/ifindex"))
        .context("the bridge has no index")?
        .trim()
        .parse()?;
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(BRIDGE.as_bytes()))?;
    socket.join_multicast_v6(&ALL_ROUTERS, index)?;
    socket.set_multicast_if_v6(index)?;
    // A receiver drops an advertisement that could have come over a router.
    socket.set_multicast_hops_v6(255)?;
    socket.set_unicast_hops_v6(255)?;
    thread::Builder::new()
        .name("router".into())
        .spawn(move || answer(&socket, index))?;
    Ok(())
}

fn answer(socket: &Socket, index: u32) {
    let to = SocketAddrV6::new(ALL_NODES, 0, 0, index).into();
    let mut reader = socket;
    loop {
        let mut packet = [0; 1500];
        match std::io::Read::read(&mut reader, &mut packet) {
            Ok(length) if length >= 8 && packet[0] == SOLICITATION => {
                // Fails while the bridge has no link yet; the guest asks again.
                let _ = socket.send_to(&ADVERTISEMENT, &to);
            }
            Ok(_) => {}
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}
