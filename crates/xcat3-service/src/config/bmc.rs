//! The sections of the configuration file for BMCs and their defaults.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use xcat3_core::setting::Seconds;

/// What all drivers of BMCs share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bmc {
    /// How many BMCs a driver asks at once at least, however few of them answer.
    pub least_at_once: NonZeroUsize,
    /// How many it asks at once at most, however well they answer.
    pub most_at_once: NonZeroUsize,
    /// How long a session is kept that nobody uses.
    pub session_idle_s: Seconds,
}

/// The driver `mgt=ipmi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ipmi {
    /// How many milliseconds to wait for an answer before a datagram is sent again.
    pub retransmit_ms: NonZeroU32,
    /// How often a datagram is sent in all.
    pub attempts: NonZeroU32,
    /// How many addresses a second are asked whether a BMC is there (`xcat3 discover`).
    pub probe_rate: NonZeroU32,
}

/// The driver `mgt=redfish`, and `mgt=openbmc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redfish {
    /// Authorities (PEM) that sign certificates of BMCs; absent: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Where certificates that BMCs first showed are kept; absent: `known_bmcs` in the state
    /// directory.
    pub first_use_file: Option<PathBuf>,
    /// How long a connection may take, with its TLS handshake.
    pub connect_deadline_s: Seconds,
    /// How long the answer to one request may take.
    pub answer_deadline_s: Seconds,
    /// How long a change of power, or a task of the BMC's, may take.
    pub change_deadline_s: Seconds,
    /// How many addresses a second are asked whether a BMC is there (`xcat3 discover`).
    pub probe_rate: NonZeroU32,
}

impl Default for Redfish {
    fn default() -> Self {
        Self {
            ca_file: None,
            first_use_file: None,
            connect_deadline_s: Seconds::new(10),
            answer_deadline_s: Seconds::new(30),
            change_deadline_s: Seconds::new(60),
            probe_rate: NonZeroU32::new(500).unwrap_or(NonZeroU32::MIN),
        }
    }
}

impl Default for Bmc {
    fn default() -> Self {
        Self {
            least_at_once: NonZeroUsize::new(128).unwrap_or(NonZeroUsize::MIN),
            most_at_once: NonZeroUsize::new(1_024).unwrap_or(NonZeroUsize::MIN),
            session_idle_s: Seconds::new(15),
        }
    }
}

impl Default for Ipmi {
    fn default() -> Self {
        Self {
            retransmit_ms: NonZeroU32::new(500).unwrap_or(NonZeroU32::MIN),
            attempts: NonZeroU32::new(5).unwrap_or(NonZeroU32::MIN),
            probe_rate: NonZeroU32::new(2_000).unwrap_or(NonZeroU32::MIN),
        }
    }
}
