//! How far a node has come on its way from power on to an installed system.

use std::fmt;
use std::str::FromStr;

/// What was last seen of a node that is deploying. In the order in which a deploy passes them; a
/// reboot may send a node back to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The deploy was asked for; nothing was seen of the node since.
    Waiting,
    /// It asked for an address and was given one (DHCP).
    Dhcp,
    /// It fetched its network boot program (TFTP or HTTP).
    Loader,
    /// It fetched its boot script or loader configuration.
    BootScript,
    /// It fetched kernel or initial RAM disk.
    Kernel,
    /// The installer fetched its answer file.
    Installer,
    /// The installer fetches packages.
    Packages,
    /// The installer said that it is done.
    Callback,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Dhcp,
        Self::Loader,
        Self::BootScript,
        Self::Kernel,
        Self::Installer,
        Self::Packages,
        Self::Callback,
    ];

    /// The word for it in the store and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dhcp => "dhcp",
            Self::Loader => "loader",
            Self::BootScript => "boot-script",
            Self::Kernel => "kernel",
            Self::Installer => "installer",
            Self::Packages => "packages",
            Self::Callback => "callback",
        }
    }
}

/// The word is no phase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a phase of a deploy")]
pub struct UnknownPhase(String);

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, UnknownPhase> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| UnknownPhase(text.to_owned()))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a node has come, since when, and the last thing it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase that it is in.
    pub phase: Phase,
    /// The last thing seen, for example `GET /pool/main/b/bash/bash_5.2.deb`.
    pub detail: String,
    /// When it entered the phase, in milliseconds since 1970 (UTC).
    pub since_ms: i64,
    /// When `detail` was seen, in milliseconds since 1970 (UTC).
    pub seen_ms: i64,
}
