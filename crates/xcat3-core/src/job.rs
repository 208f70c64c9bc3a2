//! Operations on many nodes and what came of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is to be done to each node of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Ask for the power state.
    PowerStatus,
    /// Change the power state.
    Power(PowerTarget),
    /// Ask for the boot device.
    BootDeviceStatus,
    /// Set the boot device.
    SetBootDevice(BootDevice),
    /// Install an operating system at the next network boot.
    Deploy {
        /// The image; where absent each node's last one.
        osimage: Option<String>,
        /// The network to install over; where absent the one around the node's address.
        subnet: Option<String>,
        /// Whether to restart an install that is under way.
        #[serde(default)]
        force: bool,
    },
    /// Only serve the node's address.
    ServeDhcp,
    /// Take back all that a deploy set up.
    Undo,
    /// Note that the node said its install is done.
    Callback,
}

impl Operation {
    /// Whether other operations may run on the same nodes meanwhile.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::PowerStatus | Self::BootDeviceStatus)
    }

    /// Which queue its batches wait in.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::PowerStatus
            | Self::Power(_)
            | Self::BootDeviceStatus
            | Self::SetBootDevice(_) => Lane::Hardware,
            Self::Deploy { .. } | Self::ServeDhcp | Self::Undo | Self::Callback => {
                Lane::Provisioning
            }
        }
    }
}

/// The two queues of work. A deploy, which only writes to the store, never waits behind hardware
/// that is slow to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// What talks to hypervisors and BMCs.
    Hardware,
    /// What changes the provisioning state.
    Provisioning,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hardware, Self::Provisioning];

    /// The word for it in names of queues and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Provisioning => "provisioning",
        }
    }
}

/// What `power` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerTarget {
    /// Power on.
    On,
    /// Power off, at once.
    Off,
    /// Reset where on, power on where off.
    Boot,
    /// Reset, at once.
    Reset,
}

/// Whether a machine is powered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PowerState {
    /// Powered.
    On,
    /// Not powered.
    Off,
}

/// What a machine boots from next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootDevice {
    /// The network.
    Net,
    /// Its first disk.
    Disk,
    /// Its optical drive.
    Cdrom,
}

/// The word is none of those allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {kind}: use one of {allowed}")]
pub struct UnknownWord {
    given: String,
    kind: &'static str,
    allowed: &'static str,
}

macro_rules! words {
    ($type:ident, $kind:literal, $allowed:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// The word for it in the store and on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(UnknownWord {
                        given: other.chars().take(64).collect(), kind: $kind, allowed: $allowed,
                    }),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    PowerTarget,
    "power target",
    "on, off, boot, reset",
    On = "on",
    Off = "off",
    Boot = "boot",
    Reset = "reset"
);
words!(PowerState, "power state", "on, off", On = "on", Off = "off");
words!(
    BootDevice,
    "boot device",
    "net, disk, cdrom",
    Net = "net",
    Disk = "disk",
    Cdrom = "cdrom"
);

/// What came of an operation on one node. A node's failure is an outcome, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the word is what the operation answers (`ok`, `on`, `disk`, …).
    Done(&'static str),
    /// Not done, and why, in a sentence.
    Failed(String),
    /// Never begun, because the job was cancelled or stopped, and which of these, in a sentence.
    LeftAlone(String),
}

impl Outcome {
    /// The operation was done and has nothing more to say.
    pub const OK: Self = Self::Done("ok");

    /// A failure with its reason.
    #[must_use]
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// Whether it was done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }

    /// The word or sentence for the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Done(word) => word,
            Self::Failed(reason) | Self::LeftAlone(reason) => reason,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
