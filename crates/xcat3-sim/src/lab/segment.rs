//! The lab's network segment: a bridge with the addresses of server and hypervisor.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::command::{command, run};

/// The bridge that the guests are on.
pub const BRIDGE: &str = "lab0";
/// The subnet, as xcat3 is told it.
pub const SUBNET: &str = "10.77.0.0";
/// Its mask.
pub const NETMASK: &str = "255.255.255.0";
/// The address of the machine that runs xcat3.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The address of the hypervisor.
pub const HYPERVISOR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Addresses for machines that nobody knows.
pub const DYNAMIC: &str = "10.77.0.200-10.77.0.220";

/// The address of the n-th guest, from 1.
#[must_use]
pub fn guest(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 10 + number)
}

/// The hardware address of the n-th guest, from 1.
#[must_use]
pub fn guest_mac(number: u8) -> String {
    format!("52:54:00:77:00:{:02x}", 10 + number)
}

/// Makes the bridge in the network namespace that we are in.
pub fn make() -> Result<()> {
    let ip = |words: &str| run(command("ip").args(words.split(' ')));
    ip("link set lo up")?;
    // A guest's firmware does not wait the 30 seconds that a bridge learns without these.
    ip(&format!(
        "link add {BRIDGE} type bridge stp_state 0 forward_delay 0"
    ))?;
    ip(&format!("address add {SERVER}/24 brd + dev {BRIDGE}"))?;
    ip(&format!("address add {HYPERVISOR}/24 dev {BRIDGE}"))?;
    ip(&format!("link set {BRIDGE} up"))
}
