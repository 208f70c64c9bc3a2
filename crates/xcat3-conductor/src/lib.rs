//! The conductor: takes batches of work from the bus and carries them out on nodes, by driving their
//! hardware or by changing their provisioning state, which no other service writes.
//!
//! One batch goes this way ([`batch`]): reserve its nodes, decide or drive, record each outcome as it
//! happens, let the nodes go, acknowledge. [`reconcile`] picks up what fell down on that way.

mod batch;
mod clock;
mod decide;
mod discover;
mod drive;
mod outcomes;
mod overdue;
mod persist;
mod provisioning;
mod reconcile;
mod settings;
mod tenure;
mod worker;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use xcat3_core::{Lane, ServiceKind};
use xcat3_drivers::control::{ControlDriver, Controls};
use xcat3_service::{Bus, Slot, heartbeat};
use xcat3_store::Store;

use persist::Patience;
use worker::UnderWay;

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
    slot: Slot,
    store: Store,
    bus: Arc<dyn Bus>,
    controls: Arc<dyn FindControl>,
    patience: Arc<Patience>,
    under_way: Arc<UnderWay>,
    /// Turns to begin a batch and take its nodes, of hardware and of provisioning.
    taking: Arc<[Semaphore; 2]>,
}

/// How many batches of a lane begin at once. Few, because the store writes in turn: the
/// first outcomes of a big job are not to queue behind the beginnings of all its batches, and what
/// was done to nodes is to be recorded before more are taken.
const TAKING: usize = 2;

impl Conductor {
    /// The conductor `slot`, which takes work from `bus` and drives nodes by `controls`.
    #[must_use]
    pub fn new(
        settings: Settings,
        slot: Slot,
        store: Store,
        bus: Arc<dyn Bus>,
        controls: Arc<dyn FindControl>,
    ) -> Self {
        Self {
            settings: Arc::new(settings),
            slot,
            store,
            bus,
            controls,
            patience: Arc::default(),
            under_way: Arc::default(),
            taking: Arc::new([Semaphore::new(TAKING), Semaphore::new(TAKING)]),
        }
    }

    fn taking(&self, lane: Lane) -> &Semaphore {
        let [hardware, provisioning] = &*self.taking;
        match lane {
            Lane::Hardware => hardware,
            Lane::Provisioning => provisioning,
        }
    }

    /// Works until `shutdown`, then finishes what is under way within the configured time.
    /// Returns when every task has ended.
    pub async fn run(&self, shutdown: CancellationToken) {
        tokio::join!(
            heartbeat::beat(&self.store, ServiceKind::Conductor, &self.slot, &shutdown),
            self.work_after_release(&shutdown),
            self.reconcile(&shutdown),
        );
    }

    /// What an earlier run of this conductor held it can't hold any more. It is given back first.
    async fn work_after_release(&self, shutdown: &CancellationToken) {
        let owner = self.slot.owner();
        let release = || self.store.release_owner(&owner);
        let releasing = self.patience.persist("reservations", release);
        match shutdown.run_until_cancelled(releasing).await {
            None => return,
            Some(Ok(0)) => {}
            Some(Ok(nodes)) => tracing::info!(nodes, "given back what an earlier run had reserved"),
            Some(Err(error)) => {
                tracing::warn!(%error, "what an earlier run had reserved is free later");
            }
        }
        self.work(shutdown).await;
    }
}
