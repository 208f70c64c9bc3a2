//! Virtual machines on hypervisors that are reached over ssh and driven with `virsh`.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use xcat3_core::{Node, NodeName, Outcome};

use super::{ControlDriver, ControlOperation, KvmConfig};

/// The driver `kvm`.
pub struct Kvm {
    config: KvmConfig,
}

impl Kvm {
    /// The driver as configured.
    #[must_use]
    pub fn new(config: KvmConfig) -> Self {
        Self { config }
    }
}

#[async_trait]
impl ControlDriver for Kvm {
    async fn run(
        &self,
        operation: ControlOperation,
        nodes: &[Node],
        outcomes: mpsc::Sender<(NodeName, Outcome)>,
        deadline: Duration,
    ) {
        tracing::debug!(?operation, ?deadline, config = ?self.config, "not connected");
        for node in nodes {
            let outcome = Outcome::failed("no hypervisor can be reached yet");
            if outcomes.send((node.name.clone(), outcome)).await.is_err() {
                return;
            }
        }
    }
}
