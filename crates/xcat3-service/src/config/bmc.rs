//! The sections of the configuration file for BMCs and their defaults.

use std::num::{NonZeroU32, NonZeroUsize};

use serde::{Deserialize, Serialize};

use super::Seconds;

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
        }
    }
}
