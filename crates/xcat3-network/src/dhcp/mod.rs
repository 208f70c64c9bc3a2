//! DHCPv4 (RFC 2131, 2132): addresses for nodes and other machines, and the loader for each firmware.
//!
//! [`packet`] parses requests and encodes replies, [`decide`] is the pure decision between the two,
//! [`reply`] writes the options, [`server`] is the socket of one interface, and [`lease_writer`] saves
//! leases before their replies are sent. The addresses of the dynamic ranges are in [`crate::leases`].

pub mod decide;
pub mod lease_writer;
pub mod packet;
pub mod reply;
pub mod server;

#[cfg(test)]
mod tests;
