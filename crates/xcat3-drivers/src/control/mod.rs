//! Control drivers: power and boot device of machines, through whatever stands beside them (a
//! hypervisor, a BMC).
//!
//! A driver is given many nodes at once and streams one outcome a node; grouping by endpoint,
//! connections and concurrency are its own business. What is *not* here: reservations, jobs and
//! states of nodes, which are the conductor's.
//!
//! A new driver is a file beside this one, a field of [`Controls`] and an arm of its match.

pub mod kvm;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use xcat3_core::{BootDevice, Node, NodeName, Outcome, PowerTarget};

/// What a control driver is asked to do to each of its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlOperation {
    /// Answer `on` or `off`.
    PowerStatus,
    /// Change the power state; answer `ok`.
    Power(PowerTarget),
    /// Answer `net`, `disk` or `cdrom`.
    BootDeviceStatus,
    /// Set what the machine boots from, until it is set again; answer `ok`.
    SetBootDevice(BootDevice),
}

/// A way to control machines.
#[async_trait]
pub trait ControlDriver: Send + Sync {
    /// Does `operation` to all of `nodes` and sends exactly one outcome a node, each as soon as
    /// it is known. Returns when all were sent, at the latest a moment after `deadline` (those
    /// not done by then have failed), or when nobody listens any more.
    async fn run(
        &self,
        operation: ControlOperation,
        nodes: &[Node],
        outcomes: mpsc::Sender<(NodeName, Outcome)>,
        deadline: Duration,
    );
}

/// What the drivers must be told by configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// Of the driver `kvm`.
    pub kvm: KvmConfig,
}

/// How hypervisors are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvmConfig {
    /// Host keys of hypervisors, in the format of OpenSSH's known_hosts. Need not exist yet.
    pub known_hosts: PathBuf,
    /// Whether to take, and remember in that file, the key of a host that it does not know. A key
    /// that differs from a known one is refused in either case.
    pub trust_on_first_use: bool,
    /// How long connecting to a hypervisor may take, and then logging in to it.
    pub connect_deadline: Duration,
    /// How long one command on a hypervisor may be silent.
    pub command_deadline: Duration,
}

impl KvmConfig {
    /// The defaults, with host keys kept in `known_hosts`.
    #[must_use]
    pub fn new(known_hosts: PathBuf) -> Self {
        Self {
            known_hosts,
            trust_on_first_use: true,
            connect_deadline: Duration::from_secs(10),
            command_deadline: Duration::from_secs(30),
        }
    }
}

/// Every control driver of this build, ready for use. Made once: drivers keep connections.
pub struct Controls {
    kvm: kvm::Kvm,
}

impl Controls {
    /// The drivers as configured. Nothing is connected to before it is needed.
    #[must_use]
    pub fn new(config: &ControlConfig) -> Self {
        Self {
            kvm: kvm::Kvm::new(config.kvm.clone()),
        }
    }

    /// The driver that a node's `mgt` names, if this build has it.
    #[must_use]
    pub fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
        match mgt {
            "kvm" => Some(&self.kvm),
            _ => None,
        }
    }
}
