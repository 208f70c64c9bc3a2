//! Processes of xcat3 that report for duty.

use std::fmt;
use std::str::FromStr;

/// Seconds between two heartbeats of a service.
pub const HEARTBEAT_S: u64 = 10;
/// Seconds of silence after which a service counts as offline.
pub const OFFLINE_AFTER_S: u64 = 30;

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServiceKind {
    /// Answers the REST API.
    Api,
    /// Drives hardware.
    Conductor,
    /// Serves DHCP, TFTP and HTTP to nodes.
    Network,
}

/// A service on a host, as last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The host that it runs on.
    pub hostname: String,
    /// What it does.
    pub kind: ServiceKind,
    /// Whether it was heard of in the last [`OFFLINE_AFTER_S`] seconds.
    pub online: bool,
    /// How many worker processes it has there.
    pub workers: u32,
}

impl ServiceKind {
    /// The word for it in the store and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Conductor => "conductor",
            Self::Network => "network",
        }
    }
}

/// The word is no kind of service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a kind of service")]
pub struct UnknownService(String);

impl FromStr for ServiceKind {
    type Err = UnknownService;

    fn from_str(text: &str) -> Result<Self, UnknownService> {
        match text {
            "api" => Ok(Self::Api),
            "conductor" => Ok(Self::Conductor),
            "network" => Ok(Self::Network),
            other => Err(UnknownService(other.to_owned())),
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
