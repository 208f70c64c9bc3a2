//! Nodes: machines, physical or virtual, as operators enrol them.

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

/// A machine: what its operator declared, what services observe of it, and its deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique.
    pub name: NodeName,
    /// What an operator declared.
    pub declared: DeclaredNode,
    /// The network interfaces, in the order in which they were declared.
    pub nics: Vec<Nic>,
    /// What the services observe.
    pub observed: ObservedNode,
    /// The last attempt to give the node an image.
    pub deployment: Deployment,
}

/// What an operator declares of a node, apart from its name and nics.
#[derive(Clone, Default, PartialEq)]
pub struct DeclaredNode {
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
}

/// What the services observe of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedNode {
    /// Host name of the conductor that last acted on the node.
    pub conductor: Option<String>,
    /// The owner of the reservation under which an operation changes the node now.
    pub reservation: Option<String>,
}

/// One attempt to give a node an image.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Deployment {
    /// Where the node stands between bare metal and an installed system.
    pub state: State,
    /// Why the deployment failed, in a sentence; only in [`State::Failed`].
    pub failure: Option<String>,
    /// The OS image that the node has or is given.
    pub osimage: Option<String>,
    /// The last boot event of the node.
    pub progress: Option<Progress>,
    /// The one-time token of the deployment under way: whoever presents it is this node. Secret.
    pub token: Option<String>,
}

impl Node {
    /// A node with nothing declared but its name.
    #[must_use]
    pub fn new(name: NodeName) -> Self {
        Self {
            name,
            declared: DeclaredNode::default(),
            nics: Vec::new(),
            observed: ObservedNode::default(),
            deployment: Deployment::default(),
        }
    }

    /// The nic that the node installs over: the primary one, else the first.
    #[must_use]
    pub fn boot_nic(&self) -> Option<&Nic> {
        self.nics
            .iter()
            .find(|nic| nic.primary)
            .or_else(|| self.nics.first())
    }

    /// The text under `key` of `control_info`.
    #[must_use]
    pub fn control(&self, key: &str) -> Option<&str> {
        self.declared.control_info.get(key).and_then(Value::as_str)
    }
}

/// Masks secrets, so that a node can stand in a log line or an error.
impl fmt::Debug for DeclaredNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeclaredNode")
            .field("mgt", &self.mgt)
            .field("netboot", &self.netboot)
            .field("arch", &self.arch)
            .field("kind", &self.kind)
            .field("control_info", &redact(&self.control_info))
            .field("console_info", &redact(&self.console_info))
            .finish()
    }
}

/// Leaves the token out.
impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment")
            .field("state", &self.state)
            .field("failure", &self.failure)
            .field("osimage", &self.osimage)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_node_hides_secrets() {
        let mut node = Node::new("n1".parse().unwrap());
        node.declared
            .control_info
            .insert("ssh_password".into(), "hidden".into());
        node.declared
            .console_info
            .insert("bmc_password".into(), "hidden".into());
        node.deployment.token = Some("hidden".into());
        let shown = format!("{node:?}");
        assert!(shown.contains("n1") && !shown.contains("hidden"), "{shown}");
    }
}
