//! The IPMI part of the command line of `xcat3-sim bmc`.

use std::time::Duration;

use clap::Args;

use super::{Faults, Options};
use crate::bmc::account::{Account, Level};

/// How the simulated BMCs speak IPMI.
#[derive(Args, Debug)]
#[command(next_help_heading = "IPMI")]
#[group(id = "ipmi")]
pub struct Arguments {
    /// Speak IPMI (RMCP+) on this UDP port, at every machine's address.
    #[arg(long, value_name = "PORT")]
    pub ipmi_port: Option<u16>,
    /// The highest privilege level that the account gets by IPMI.
    #[arg(
        long,
        value_enum,
        default_value = "administrator",
        value_name = "LEVEL"
    )]
    ipmi_level: Level,
    /// Sessions that a BMC has room for.
    #[arg(long, value_name = "N", default_value_t = 16)]
    ipmi_sessions: usize,
    /// A session without a request ends after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 60)]
    ipmi_session_timeout: u64,
    /// A BMC that is told to restart (mc reset) is silent for so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    ipmi_restart_time: u64,
    /// Threads that answer; as many as the machine has processors otherwise.
    #[arg(long, value_name = "N")]
    ipmi_threads: Option<usize>,
    /// What is wrong by IPMI: NAME=SHARE[/SHARE][:PARAMETER],…: a share of the machines and one of their
    /// datagrams. Names: drop, duplicate, reorder (50ms) and reboot (5s), whose single share is of the
    /// datagrams of all machines; black-hole, delay (2s), wrong-password, no-privilege (user), slots-full,
    /// cipher (3 or 17; else none), other-session, lying-fru, lying-sdr, whose single share is of the
    /// machines.
    #[arg(long, value_name = "FAULTS", default_value = "")]
    faults: Faults,
    /// Another number draws other machines and datagrams for the faults.
    #[arg(long, value_name = "N", default_value_t = 1)]
    faults_seed: u64,
}

impl Arguments {
    /// The options for machines with this account and others; nothing where IPMI is not wanted.
    #[must_use]
    pub fn options(self, user: &str, password: &str, others: &[Account]) -> Option<Options> {
        let defaults = Options::default();
        Some(Options {
            port: self.ipmi_port?,
            user: user.to_owned(),
            password: password.to_owned(),
            level: self.ipmi_level,
            users: others.to_vec(),
            slots: self.ipmi_sessions,
            idle: Duration::from_secs(self.ipmi_session_timeout),
            restart_time: Duration::from_millis(self.ipmi_restart_time),
            threads: self.ipmi_threads.unwrap_or(defaults.threads),
            faults: self.faults.with_seed(self.faults_seed),
        })
    }
}
