//! Operations on many nodes and what came of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::control::ControlOperation;
use crate::hardware::Report;

/// What is to be done to each node of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
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
    /// Look whether a BMC is there. The targets are no nodes but addresses
    /// ([`crate::addresses::target`]).
    Discover(Discovery),
    /// Have its control driver do this to its hardware.
    #[serde(untagged)]
    Control(ControlOperation),
}

/// How BMCs are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Discovery {
    /// The control driver that asks, and that nodes with such BMCs have: `ipmi` or `redfish`.
    pub mgt: String,
    /// The port to ask; that of the protocol where absent.
    #[serde(default)]
    pub port: Option<u16>,
    /// Whose certificates are trusted before anyone logs in, by Redfish.
    #[serde(default, skip_serializing_if = "CertificateTrust::is_default")]
    pub tls: CertificateTrust,
}

/// Whose certificate is trusted among BMCs that no node has yet, as `bmc_tls` calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateTrust {
    /// Those that an authority signed which is trusted: nobody else is told a password.
    #[default]
    Verify,
    /// The one that each shows now, which is told, so that a node can be bound to it.
    FirstUse,
    /// Anybody's.
    Insecure,
}

impl CertificateTrust {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::FirstUse => "first-use",
            Self::Insecure => "insecure",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl std::str::FromStr for CertificateTrust {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Verify, Self::FirstUse, Self::Insecure]
            .into_iter()
            .find(|trust| trust.as_str() == text)
            .ok_or("use verify, first-use or insecure")
    }
}

impl Discovery {
    /// It in the words of the command line, without the addresses.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = format!("discover --mgt {}", self.mgt);
        if let Some(port) = self.port {
            words += &format!(" --port {port}");
        }
        if !self.tls.is_default() {
            words += &format!(" --tls {}", self.tls.as_str());
        }
        words
    }
}

impl From<ControlOperation> for Operation {
    fn from(operation: ControlOperation) -> Self {
        Self::Control(operation)
    }
}

impl Operation {
    /// Whether other operations may run on the same nodes meanwhile.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Control(operation) => operation.is_shared(),
            Self::Discover(_) => true,
            Self::Deploy { .. } | Self::ServeDhcp | Self::Undo | Self::Callback => false,
        }
    }

    /// Whether what comes of it is a report, which may be long, and not a word.
    #[must_use]
    pub fn brings_reports(&self) -> bool {
        match self {
            Self::Control(operation) => operation.brings_reports(),
            Self::Discover(_) => true,
            Self::Deploy { .. } | Self::ServeDhcp | Self::Undo | Self::Callback => false,
        }
    }

    /// Which queue its batches wait in.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::Control(_) | Self::Discover(_) => Lane::Hardware,
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

/// What came of an operation on one node. A node's failure is an outcome, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the word is what the operation answers (`ok`, `on`, `disk`, …).
    Done(&'static str),
    /// Done; this is what was found.
    Report(Report),
    /// Not done, and why, in a sentence.
    Failed(String),
    /// Never begun, because the job was cancelled or stopped, and which of these, in a sentence.
    LeftAlone(String),
}

impl Outcome {
    /// Nobody answers at an address where a BMC was looked for.
    pub const SILENT: Self = Self::Done("silent");

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
        matches!(self, Self::Done(_) | Self::Report(_))
    }

    /// The word or sentence for the wire; of a report, its JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Done(word) => word,
            Self::Report(report) => report.json(),
            Self::Failed(reason) | Self::LeftAlone(reason) => reason,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::PowerTarget;

    #[test]
    fn operations_are_kept_as_they_always_were() {
        for (operation, json) in [
            (ControlOperation::PowerStatus.into(), r#""power_status""#),
            (
                ControlOperation::Power(PowerTarget::On).into(),
                r#"{"power":"on"}"#,
            ),
            (Operation::Undo, r#""undo""#),
            (
                Operation::Discover(Discovery {
                    mgt: "ipmi".to_owned(),
                    port: None,
                    tls: CertificateTrust::Verify,
                }),
                r#"{"discover":{"mgt":"ipmi","port":null}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&operation).unwrap(), json);
            assert_eq!(serde_json::from_str::<Operation>(json).unwrap(), operation);
        }
    }
}
