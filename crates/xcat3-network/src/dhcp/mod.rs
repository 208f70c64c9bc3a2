//! DHCPv4 (RFC 2131, 2132): addresses for nodes and unknown machines, and which boot program a firmware is
//! to load.
//!
//! `packet` reads requests and writes replies, `respond` is the pure decision between the two with
//! `client` (who asks) and `answer` (what is written), `server` is the socket of one interface and
//! `promise` saves leases before they are promised. Addresses of the dynamic ranges are in
//! [`crate::leases`].

pub mod answer;
pub mod client;
pub mod packet;
pub mod promise;
pub mod respond;
pub mod server;

#[cfg(test)]
mod tests;
