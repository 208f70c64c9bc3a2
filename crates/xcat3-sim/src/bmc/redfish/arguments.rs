//! The Redfish part of the command line of `xcat3-sim bmc`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Access, Faults, Flavours, Interfaces, Options, Signed};
use crate::bmc::account::Account;

/// How the simulated BMCs speak Redfish.
#[derive(Args, Debug)]
#[command(next_help_heading = "Redfish")]
#[group(id = "redfish")]
pub struct Arguments {
    /// Speak Redfish on this TCP port, at every machine's address.
    #[arg(long, value_name = "PORT")]
    pub redfish_port: Option<u16>,
    /// What the HTTP server offers: Redfish, the REST that OpenBMC had before it, or both.
    #[arg(long, value_enum, default_value = "redfish", value_name = "WHAT")]
    pub redfish_interfaces: Interfaces,
    /// HTTP instead of HTTPS.
    #[arg(long)]
    redfish_plain: bool,
    /// Write the certificate of the authority that signs the machines' to this file.
    #[arg(long, value_name = "FILE")]
    pub redfish_ca: Option<PathBuf>,
    /// Each machine signs its own certificate, as BMCs come from the factory.
    #[arg(long)]
    redfish_self_signed: bool,
    /// Resume TLS sessions.
    #[arg(long)]
    redfish_resumption: bool,
    /// Habits of a vendor: standard, openbmc, ilo, idrac, xcc, supermicro, megarac, early; several
    /// separated by commas are taken in turn, `mixed` is all of them.
    #[arg(long, value_name = "NAMES", default_value = "standard")]
    redfish_flavour: Flavours,
    /// What is wrong: NAME=SHARE[/SHARE][:PARAMETER],…: a share of the machines and one of their requests.
    /// Names: black-hole, refuse, reset, slow (2s), drip (100ms), error, busy, redirect, huge, loop,
    /// truncated, content-type, html, huge-headers, certificate, wrong-password,
    /// read-only, forget.
    #[arg(long, value_name = "FAULTS", default_value = "")]
    redfish_faults: Faults,
    /// Every machine demands If-Match of a change.
    #[arg(long)]
    redfish_if_match: bool,
    /// Every machine answers resets and media by tasks that take so long, in milliseconds.
    #[arg(long, value_name = "MS")]
    redfish_tasks: Option<u64>,
    /// A machine's power changes so long after it was told to, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    redfish_power_time: u64,
    /// A connection is closed after each answer.
    #[arg(long)]
    redfish_close: bool,
    /// Sessions that a machine has room for.
    #[arg(long, value_name = "N", default_value_t = 16)]
    redfish_sessions: usize,
    /// A session without a request ends after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 1800)]
    redfish_session_timeout: u64,
    /// So many wrong passwords lock the account.
    #[arg(long, value_name = "N")]
    redfish_lockout: Option<u32>,
    /// An account is locked for so many seconds.
    #[arg(long, value_name = "S", default_value_t = 300)]
    redfish_lockout_time: u64,
}

impl Arguments {
    /// By what a node knows these machines (`bmc_tls`), where not by a certificate of their authority.
    #[must_use]
    pub fn trust(&self) -> Option<&'static str> {
        match (self.redfish_plain, self.redfish_self_signed) {
            (true, _) => Some("plain"),
            (false, true) => Some("first-use"),
            (false, false) => None,
        }
    }

    /// The options for machines with this account and others; nothing where Redfish is not wanted.
    #[must_use]
    pub fn options(self, user: &str, password: &str, others: &[Account]) -> Option<Options> {
        let defaults = Options::default();
        let lockout = Duration::from_secs(self.redfish_lockout_time);
        Some(Options {
            port: self.redfish_port?,
            tls: !self.redfish_plain,
            signed: if self.redfish_self_signed {
                Signed::BySelf
            } else {
                Signed::ByAuthority
            },
            resumption: self.redfish_resumption,
            user: user.to_owned(),
            password: password.to_owned(),
            users: others.to_vec(),
            access: Access {
                slots: self.redfish_sessions,
                timeout: Duration::from_secs(self.redfish_session_timeout),
                lockout: self.redfish_lockout.map(|failures| (failures, lockout)),
            },
            interfaces: self.redfish_interfaces,
            flavours: self.redfish_flavour,
            if_match: self.redfish_if_match,
            tasks: self.redfish_tasks.is_some(),
            task_time: self
                .redfish_tasks
                .map_or(defaults.task_time, Duration::from_millis),
            power_time: Duration::from_millis(self.redfish_power_time),
            keep_alive: !self.redfish_close,
            faults: self.redfish_faults,
            ..defaults
        })
    }
}
