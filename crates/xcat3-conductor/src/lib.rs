//! The conductor: takes batches of work from the bus and carries them out on nodes, by driving their
//! hardware or by changing their provisioning state, which no other service writes.
//!
//! One batch goes this way ([`batch`]): reserve its nodes, decide or drive, record each outcome as it
//! happens, let the nodes go, acknowledge. [`reconcile`] picks up what fell down on that way.

mod batch;
mod clock;
mod decide;
mod drive;
mod outcomes;
mod overdue;
mod persist;
mod provisioning;
mod reconcile;
mod settings;
mod worker;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use xcat3_core::ServiceKind;
use xcat3_drivers::control::{ControlDriver, Controls};
use xcat3_service::{Bus, heartbeat};
use xcat3_store::Store;

pub use settings::{Settings, control_config};

/// Where a conductor finds the control driver that a node's `mgt` names.
pub trait FindControl: Send + Sync {
    /// The driver, if this build has it.
    fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver>;
}

impl FindControl for Controls {
    fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
        Self::driver(self, mgt)
    }
}

/// A conductor of this host. Clones are the same conductor.
#[derive(Clone)]
pub struct Conductor {
    settings: Arc<Settings>,
    store: Store,
    bus: Arc<dyn Bus>,
    controls: Arc<dyn FindControl>,
    reserving: Arc<Semaphore>,
}

/// How many batches reserve their nodes at once. Few, because the store writes in turn: the first
/// outcomes of a big job are not to queue behind the reservations of all its batches.
const RESERVING: usize = 2;

impl Conductor {
    /// A conductor that takes work from `bus` and drives nodes by `controls`.
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Store,
        bus: Arc<dyn Bus>,
        controls: Arc<dyn FindControl>,
    ) -> Self {
        Self {
            settings: Arc::new(settings),
            store,
            bus,
            controls,
            reserving: Arc::new(Semaphore::new(RESERVING)),
        }
    }

    /// Works until `shutdown`, then finishes what is under way within the configured time.
    /// Returns when every task has ended.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            heartbeat::beat(
                &self.store,
                ServiceKind::Conductor,
                &self.settings.slot,
                &shutdown
            ),
            self.work(&shutdown),
            self.reconcile(&shutdown),
        );
    }
}
