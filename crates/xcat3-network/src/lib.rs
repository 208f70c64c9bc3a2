//! The network service: DHCP, TFTP and HTTP for the managed subnets.

pub mod content;
pub mod http;
pub mod path;
pub mod tftp;
