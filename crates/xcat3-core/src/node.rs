//! Machines, physical or virtual, as operators enrol them.

use std::fmt;

use serde_json::{Map, Value};

use crate::boot::Progress;
use crate::secret::redact;
use crate::{Nic, NodeName, State};

/// The control drivers that a node's `mgt` may name. Which of them this build can drive is the
/// business of the drivers crate; a record may name any, as the prototype's do.
pub const CONTROL_DRIVERS: [&str; 5] = ["kvm", "ipmi", "redfish", "openbmc", "fake"];
/// The boot drivers that a node's `netboot` may name.
pub const BOOT_DRIVERS: [&str; 2] = ["pxe", "petitboot"];
/// The architectures that a node's `arch` may name.
pub const ARCHITECTURES: [&str; 4] = ["x86_64", "aarch64", "ppc64le", "ppc64"];

/// A machine: what its operator declared and what xcat3 knows of it.
#[derive(Clone, PartialEq)]
pub struct Node {
    /// Unique.
    pub name: NodeName,
    /// The control driver: `kvm`, `ipmi`, …
    pub mgt: Option<String>,
    /// The boot driver: `pxe`, `petitboot`, …
    pub netboot: Option<String>,
    /// `x86_64`, `aarch64`, `ppc64le`, …
    pub arch: Option<String>,
    /// The operator's own classification (`type` on the wire).
    pub kind: Option<String>,
    /// Where and how the control driver reaches the machine. May hold secrets, see
    /// [`crate::secret`].
    pub control_info: Map<String, Value>,
    /// The same for the console driver.
    pub console_info: Map<String, Value>,
    /// In the order in which they were declared.
    pub nics: Vec<Nic>,
    /// Where the node stands between bare metal and an installed system.
    pub state: State,
    /// Why [`State::Failed`], in a sentence.
    pub failure: Option<String>,
    /// The OS image that it has or is being given.
    pub osimage: Option<String>,
    /// Host name of the conductor that last acted on it.
    pub conductor: Option<String>,
    /// Who holds it for an operation now.
    pub reservation: Option<String>,
    /// What was last seen of it on its way through a deploy.
    pub progress: Option<Progress>,
    /// The one-time token of the deploy under way: whoever presents it is this node. Secret.
    pub deploy_token: Option<String>,
}

impl Node {
    /// A node of which only the name is known.
    #[must_use]
    pub fn new(name: NodeName) -> Self {
        Self {
            name,
            mgt: None,
            netboot: None,
            arch: None,
            kind: None,
            control_info: Map::new(),
            console_info: Map::new(),
            nics: Vec::new(),
            state: State::None,
            failure: None,
            osimage: None,
            conductor: None,
            reservation: None,
            progress: None,
            deploy_token: None,
        }
    }

    /// The nic that the node installs over: the one marked primary, else the first.
    #[must_use]
    pub fn boot_nic(&self) -> Option<&Nic> {
        self.nics
            .iter()
            .find(|nic| nic.primary)
            .or_else(|| self.nics.first())
    }

    /// The text under `key` of `control_info`, where there is one.
    #[must_use]
    pub fn control(&self, key: &str) -> Option<&str> {
        self.control_info.get(key).and_then(Value::as_str)
    }
}

/// Without secrets, so that a node can stand in a log line or an error.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .field("mgt", &self.mgt)
            .field("netboot", &self.netboot)
            .field("arch", &self.arch)
            .field("kind", &self.kind)
            .field("control_info", &redact(&self.control_info))
            .field("console_info", &redact(&self.console_info))
            .field("nics", &self.nics)
            .field("state", &self.state)
            .field("failure", &self.failure)
            .field("osimage", &self.osimage)
            .field("conductor", &self.conductor)
            .field("reservation", &self.reservation)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_in_a_log_line_shows_no_secret() {
        let mut node = Node::new("n1".parse().unwrap());
        node.control_info
            .insert("ssh_password".into(), "hidden".into());
        node.console_info
            .insert("bmc_password".into(), "hidden".into());
        node.deploy_token = Some("hidden".into());
        let shown = format!("{node:?}");
        assert!(shown.contains("n1") && !shown.contains("hidden"), "{shown}");
    }
}
