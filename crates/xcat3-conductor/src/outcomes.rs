//! Recording what came of each node: many outcomes a write, soon after they happened.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use xcat3_core::{NodeName, Outcome};
use xcat3_drivers::control::{NewRejection, Rejections};
use xcat3_service::Bus;
use xcat3_service::bus::Topic;
use xcat3_store::{JobId, Store, StoreError};

use crate::persist::Patience;
use crate::tenure::Tenure;

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
    pub(crate) tenure: Option<Tenure>,
    /// How many of the nodes of that reservation have not been written and are not being written.
    pub(crate) left: AtomicUsize,
    /// Of how many of them nothing was written, because somebody else holds them.
    pub(crate) lost: AtomicUsize,
}

impl Recorder<'_> {
    /// Writes `outcomes` of nodes that are held. The nodes are free for other operations from then
    /// on, so that whoever hears of an outcome can act on the node at once. Nothing is written of
    /// those that somebody else holds now.
    pub(crate) async fn record(&self, outcomes: &[(NodeName, Outcome)]) -> Result<(), StoreError> {
        self.left.fetch_sub(outcomes.len(), Ordering::AcqRel);
        let Some(tenure) = self.tenure else {
            return self.write(None, outcomes).await.map(|_| ());
        };
        let fence = Some(tenure.fence);
        let mut lost = self.write(fence, outcomes).await?;
        if lost > 0 {
            // Its time may have run out while the database was away, and nobody took them.
            let held = self.regain(tenure).await?;
            let again = outcomes.iter().filter(|(name, _)| held.contains(name));
            let again: Vec<_> = again.cloned().collect();
            lost = lost.saturating_sub(again.len()) + self.write(fence, &again).await?;
        }
        self.lost.fetch_add(lost, Ordering::AcqRel);
        Ok(())
    }

    /// Writes `outcomes` of nodes that are not held.
    pub(crate) async fn record_free(
        &self,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<(), StoreError> {
        self.write(None, outcomes).await.map(|_| ())
    }

    /// Puts the end of the reservation off, and tells which nodes it still holds.
    pub(crate) async fn regain(&self, tenure: Tenure) -> Result<HashSet<NodeName>, StoreError> {
        let extend = || self.store.extend(tenure.fence, tenure.length);
        let held = self.patience.persist("reservation", extend).await?;
        Ok(held.into_iter().collect())
    }

    /// Tells of how many nodes nothing was written, because they are not held.
    async fn write(
        &self,
        fence: Option<i64>,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<usize, StoreError> {
        if outcomes.is_empty() {
            return Ok(0);
        }
        let write = || self.store.settle(self.job, fence, outcomes);
        let lost = self.patience.persist("outcomes", write).await?;
        if let Err(error) = self.bus.nudge(Topic::Job(self.job)).await {
            tracing::debug!(%error, "outcomes will be told late");
        }
        Ok(lost)
    }

    /// Writes outcomes of nodes that are held as they come, until all senders are gone: the first
    /// ones at once, the others by and by, so that none waits long and few are written alone. Credentials
    /// that were rejected are written before the outcomes that tell of it: who hears of one may ask again
    /// at once, and another conductor must not try the same then.
    pub(crate) async fn stream(
        &self,
        mut outcomes: mpsc::Receiver<(NodeName, Outcome)>,
        rejections: &Rejections,
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
            self.note(rejections).await?;
            self.record(&gathered).await?;
            gathered.clear();
            next_write = Instant::now() + GATHER;
        }
        Ok(())
    }

    /// Writes down the credentials of which BMCs have said since the last time that they reject them.
    async fn note(&self, rejections: &Rejections) -> Result<(), StoreError> {
        let new = rejections.take();
        if new.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = new.iter().map(|new| &new.rejection).collect();
        let write = || self.store.record_bmc_rejections(&all);
        self.patience.persist("rejections", write).await?;
        new.iter().for_each(NewRejection::noted);
        Ok(())
    }
}
