//! Control drivers: power and boot device of machines, through whatever stands beside them (a
//! hypervisor, a BMC).
//!
//! A driver is given many nodes at once and streams one outcome a node; grouping by endpoint,
//! connections and concurrency are its own business. What is *not* here: reservations, jobs and
//! states of nodes, which are the conductor's.
//!
//! A new driver is a file beside this one, a field of [`Controls`] and an arm of its match.

pub mod bmc;
pub mod fake;
pub mod ipmi;
pub mod kvm;
mod lease;
pub mod openbmc;
mod probe;
pub mod redfish;

pub use bmc::{
    BmcConfig, BmcCredentials, NewRejection, Password, Rejections, wants_default_credentials,
};
pub use fake::Rate;
pub use ipmi::IpmiConfig;
pub use lease::{Lease, LeaseHolder};
pub use probe::ProbeOrder;
pub use redfish::RedfishConfig;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use xcat3_core::{Node, NodeName, Outcome};

pub use xcat3_core::ControlOperation;

/// What a driver has to do.
#[derive(Clone, Copy, Debug)]
pub struct ControlOrder<'a> {
    /// What is done to each of the nodes.
    pub operation: &'a ControlOperation,
    /// The nodes.
    pub nodes: &'a [Node],
    /// How long it may take.
    pub deadline: Duration,
    /// Whether their machines may still be acted upon.
    pub lease: &'a Lease,
    /// The credentials of BMCs whose nodes have none of their own.
    pub default_credentials: Option<&'a BmcCredentials>,
    /// Credentials that BMCs are known to reject; what it finds is added to them.
    pub rejections: &'a Rejections,
}

/// A way to control machines.
#[async_trait]
pub trait ControlDriver: Send + Sync {
    /// Carries `order` out and sends exactly one outcome a node, each as soon as it is known.
    /// Returns when all were sent, at the latest a moment after the deadline (those not done by
    /// then have failed), or when nobody listens any more.
    ///
    /// Before each action it asks whether the lease holds. Where that is over it stops, and owes
    /// the nodes that it did not act on no outcome.
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>);

    /// Looks whether there are BMCs at the addresses of `order`, and sends one outcome for each: a report
    /// ([`xcat3_core::hardware::FoundBmc`]), [`Outcome::SILENT`], or why it can't be told.
    async fn probe(&self, order: ProbeOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        for (name, _) in order.targets {
            let outcome =
                Outcome::failed("this control driver looks for no BMCs: use ipmi or redfish");
            if outcomes.send((name.clone(), outcome)).await.is_err() {
                return;
            }
        }
    }
}

/// What the drivers must be told by configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// Of the driver `kvm`.
    pub kvm: KvmConfig,
    /// Of the driver `fake`.
    pub fake: FakeConfig,
    /// Of all drivers of BMCs.
    pub bmc: BmcConfig,
    /// Of the driver `ipmi`.
    pub ipmi: IpmiConfig,
    /// Of the drivers `redfish` and `openbmc`.
    pub redfish: RedfishConfig,
}

impl ControlConfig {
    /// The defaults of all drivers but these; certificates of BMCs are kept beside the journal.
    #[must_use]
    pub fn new(kvm: KvmConfig, fake: FakeConfig) -> Self {
        let beside = fake.journal.parent().unwrap_or(std::path::Path::new(""));
        Self {
            redfish: RedfishConfig::new(beside.join("known_bmcs")),
            kvm,
            fake,
            bmc: BmcConfig::default(),
            ipmi: IpmiConfig::default(),
        }
    }
}

/// How fake machines behave where their nodes don't say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeConfig {
    /// The file that remembers them. Need not exist yet.
    pub journal: PathBuf,
    /// How long each operation takes.
    pub latency: Duration,
    /// How much longer it takes at most, by chance.
    pub jitter: Duration,
    /// How often an operation fails.
    pub failure: Rate,
}

impl FakeConfig {
    /// Machines that answer at once and never fail, remembered in `journal`.
    #[must_use]
    pub fn new(journal: PathBuf) -> Self {
        Self {
            journal,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            failure: Rate::NEVER,
        }
    }
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
    fake: fake::Fake,
    ipmi: ipmi::Ipmi,
    redfish: redfish::Redfish,
    openbmc: openbmc::Openbmc,
}

impl Controls {
    /// The drivers as configured. Nothing is connected to before it is needed.
    #[must_use]
    pub fn new(config: &ControlConfig) -> Self {
        Self {
            kvm: kvm::Kvm::new(config.kvm.clone()),
            fake: fake::Fake::new(config.fake.clone()),
            ipmi: ipmi::Ipmi::new(&config.ipmi, &config.bmc),
            redfish: redfish::Redfish::new(&config.redfish, &config.bmc),
            openbmc: openbmc::Openbmc::new(&config.redfish, &config.bmc),
        }
    }

    /// The driver that a node's `mgt` names, if this build has it.
    #[must_use]
    pub fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
        match mgt {
            "kvm" => Some(&self.kvm),
            "fake" => Some(&self.fake),
            "ipmi" => Some(&self.ipmi),
            "redfish" => Some(&self.redfish),
            "openbmc" => Some(&self.openbmc),
            _ => None,
        }
    }
}

/// Why a machine can't be asked for `operation`: its control driver, `mgt`, doesn't know how.
pub(crate) fn lacks(mgt: &str, operation: &ControlOperation) -> String {
    let words = operation.words();
    // What was to be set is not what is wrong.
    let known: String = words.split(' ').take(2).collect::<Vec<_>>().join(" ");
    format!("the control driver '{mgt}' has no way to do '{known}'")
}
