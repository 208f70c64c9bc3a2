//! Recording what came of each node: many outcomes a write, soon after they happened.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use xcat3_core::{NodeName, Outcome};
use xcat3_service::Bus;
use xcat3_service::bus::Topic;
use xcat3_store::{JobId, Store, StoreError};

use crate::persist::Patience;

/// How old an outcome gets at most before it is written, so that it is written with others.
const GATHER: Duration = Duration::from_millis(20);
/// How many outcomes are written at once without waiting for more.
const ENOUGH: usize = 1_000;

/// Records outcomes of a job and tells those who wait for them.
pub(crate) struct Recorder<'a> {
    pub(crate) store: &'a Store,
    pub(crate) bus: &'a dyn Bus,
    pub(crate) patience: &'a Patience,
    pub(crate) job: JobId,
    /// The reservation that holds the nodes, if one does.
    pub(crate) fence: Option<i64>,
    /// How many of the nodes of that reservation have not been written and are not being written.
    pub(crate) left: AtomicUsize,
    /// Of how many of them nothing was written, because somebody else holds them.
    pub(crate) lost: AtomicUsize,
}

impl Recorder<'_> {
    /// Writes `outcomes` of nodes that are held. The nodes are free for other operations from then
    /// on, so that whoever hears of an outcome can act on the node at once. Nothing is written of
    /// those that are not held any more.
    pub(crate) async fn record(&self, outcomes: &[(NodeName, Outcome)]) -> Result<(), StoreError> {
        self.left.fetch_sub(outcomes.len(), Ordering::AcqRel);
        self.write(self.fence, outcomes).await
    }

    /// Writes `outcomes` of nodes that are not held.
    pub(crate) async fn record_free(
        &self,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<(), StoreError> {
        self.write(None, outcomes).await
    }

    async fn write(
        &self,
        fence: Option<i64>,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let write = || self.store.settle(self.job, fence, outcomes);
        let lost = self.patience.persist("outcomes", write).await?;
        self.lost.fetch_add(lost, Ordering::AcqRel);
        if let Err(error) = self.bus.nudge(Topic::Job(self.job)).await {
            tracing::debug!(%error, "outcomes will be told late");
        }
        Ok(())
    }

    /// Writes outcomes of nodes that are held as they come, until all senders are gone: the first
    /// ones at once, the others by and by, so that none waits long and few are written alone.
    pub(crate) async fn stream(
        &self,
        mut outcomes: mpsc::Receiver<(NodeName, Outcome)>,
    ) -> Result<(), StoreError> {
        let mut gathered = Vec::new();
        let mut next_write = Instant::now();
        while outcomes.recv_many(&mut gathered, ENOUGH).await > 0 {
            while gathered.len() < ENOUGH {
                let room = ENOUGH - gathered.len();
                let more = outcomes.recv_many(&mut gathered, room);
                match tokio::time::timeout_at(next_write, more).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            self.record(&gathered).await?;
            gathered.clear();
            next_write = Instant::now() + GATHER;
        }
        Ok(())
    }
}
