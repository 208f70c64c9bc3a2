//! Recording what came of each node: many outcomes a write, soon after they happened.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use xcat3_core::{NodeName, Outcome};
use xcat3_service::Bus;
use xcat3_service::bus::Topic;
use xcat3_store::{JobId, Store, StoreError};

use crate::persist::persist;

/// How long an outcome waits for others to be written with it.
const GATHER: Duration = Duration::from_millis(20);
/// How many outcomes are written at once without waiting.
const ENOUGH: usize = 500;

/// Records outcomes of a job and tells those who wait for them.
pub(crate) struct Recorder<'a> {
    pub(crate) store: &'a Store,
    pub(crate) bus: &'a dyn Bus,
    pub(crate) job: JobId,
    /// The reservation that holds the nodes, if one does.
    pub(crate) fence: Option<i64>,
}

impl Recorder<'_> {
    /// Writes `outcomes`. Their nodes are free for other operations from then on, so that whoever
    /// hears of an outcome can act on the node at once.
    pub(crate) async fn record(&self, outcomes: &[(NodeName, Outcome)]) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let write = || self.store.settle(self.job, self.fence, outcomes);
        persist("outcomes", write).await?;
        if let Err(error) = self.bus.nudge(Topic::Job(self.job)).await {
            tracing::debug!(%error, "outcomes will be told late");
        }
        Ok(())
    }

    /// Writes outcomes as they come until all senders are gone.
    pub(crate) async fn stream(
        &self,
        mut outcomes: mpsc::Receiver<(NodeName, Outcome)>,
    ) -> Result<(), StoreError> {
        let mut gathered = Vec::with_capacity(ENOUGH);
        while let Some(first) = outcomes.recv().await {
            gathered.push(first);
            let end = Instant::now() + GATHER;
            while gathered.len() < ENOUGH
                && let Ok(Some(next)) = tokio::time::timeout_at(end, outcomes.recv()).await
            {
                gathered.push(next);
            }
            self.record(&gathered).await?;
            gathered.clear();
        }
        Ok(())
    }
}
