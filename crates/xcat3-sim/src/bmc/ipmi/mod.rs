//! The IPMI face of the simulated machines (IPMI v2.0 over RMCP+): UDP sockets for all addresses, behind
//! each of which a BMC answers. Sessions are those of `xcat3_ipmi::bmc`; what the commands do is here and
//! acts on the machine that the other faces show too.
//!
//! Section numbers are those of the IPMI v2.0 specification, revision 1.1.

mod arguments;
mod bmc;
mod boot;
mod chassis;
mod commands;
mod device;
mod faults;
mod fru;
mod lan;
mod lies;
mod sdr;
mod sel;
mod serve;
mod socket;
mod sol;

use std::time::Duration;

pub use super::account::{Account, Level};
pub use arguments::Arguments;
pub use faults::Faults;
pub use serve::{Ipmi, serve_ipmi};

/// How the IPMI face behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The UDP port; 0: any.
    pub port: u16,
    /// The user of every machine.
    pub user: String,
    /// The user's password, at most 20 bytes.
    pub password: String,
    /// The highest privilege level that the user gets.
    pub level: Level,
    /// Further accounts of every machine; passwords of at most 20 bytes.
    pub users: Vec<Account>,
    /// How many sessions a BMC has room for.
    pub slots: usize,
    /// A session in which nothing happens for so long is closed.
    pub idle: Duration,
    /// How long a BMC is silent that is told to restart.
    pub restart_time: Duration,
    /// Threads that answer.
    pub threads: usize,
    /// What is wrong with the machines.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            user: "admin".to_owned(),
            password: "password".to_owned(),
            level: Level::Administrator,
            users: Vec::new(),
            slots: 16,
            idle: Duration::from_secs(60),
            restart_time: Duration::from_secs(10),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            faults: Faults::default(),
        }
    }
}
