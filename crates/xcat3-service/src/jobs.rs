//! Jobs as the services see them: submit an operation on nodes, hear each node's outcome as it
//! happens. What carries them out is the conductor, by way of store and bus.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use xcat3_core::{NodeName, Operation, Outcome};
use xcat3_store::{JobId, Store, StoreError};

use crate::bus::{Bus, BusError, Nudges, Topic, Work};

/// Nodes a batch: large enough that a statement a batch costs nothing, small enough that conductors
/// share a big job evenly.
pub const BATCH_SIZE: usize = 1000;

/// How often the store is asked though nobody nudged, because a nudge can get lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The way to have operations carried out. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    store: Store,
    bus: Arc<dyn Bus>,
    batch_size: usize,
}

/// A job under way. Dropping it leaves the job running.
pub struct Running {
    id: JobId,
    names: Vec<NodeName>,
    store: Store,
    nudges: Option<Nudges>,
    after: i64,
    done: bool,
}

impl Jobs {
    /// Jobs in `store` whose batches go over `bus`.
    #[must_use]
    pub fn new(store: Store, bus: Arc<dyn Bus>) -> Self {
        Self {
            store,
            bus,
            batch_size: BATCH_SIZE,
        }
    }

    /// The same with batches of `size` nodes.
    #[must_use]
    pub fn with_batch_size(self, size: usize) -> Self {
        Self {
            batch_size: size.max(1),
            ..self
        }
    }

    /// Has `operation` carried out on the nodes `names`. A name that is given twice counts once.
    ///
    /// Once this returns the job is in the store and will be carried out, whatever happens to this
    /// process.
    ///
    /// # Errors
    /// The store did not take the job.
    pub async fn submit(
        &self,
        operation: Operation,
        names: Vec<NodeName>,
    ) -> Result<Running, StoreError> {
        let names = without_repeats(names);
        let job = self
            .store
            .create_job(&operation, &names, self.batch_size)
            .await?;
        // Listening comes first: an outcome between publishing and listening would go unnoticed
        // until the next look.
        let nudges = self.bus.listen(Topic::Job(job.id)).await;
        let work = |batch: &xcat3_store::Batch| Work {
            job: job.id,
            batch: batch.number,
        };
        let work: Vec<Work> = job.batches.iter().map(work).collect();
        if let Err(error) = self.bus.publish(&work).await {
            // The conductors find it in the store.
            tracing::warn!(job = %job.id, %error, "the batches of a job will start late");
        }
        Ok(Running {
            id: job.id,
            names,
            store: self.store.clone(),
            nudges: heard(nudges),
            after: 0,
            done: false,
        })
    }
}

fn heard(nudges: Result<Nudges, BusError>) -> Option<Nudges> {
    nudges
        .inspect_err(|error| tracing::warn!(%error, "outcomes of a job will be told late"))
        .ok()
}

fn without_repeats(names: Vec<NodeName>) -> Vec<NodeName> {
    let mut seen = HashSet::with_capacity(names.len());
    names
        .into_iter()
        .filter(|name| seen.insert(name.clone()))
        .collect()
}

impl Running {
    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Waits for the next outcomes; `None` when all were told. Cancel safe.
    ///
    /// # Errors
    /// The store can't be read; asking again later goes on where this stopped.
    pub async fn next(&mut self) -> Result<Option<Vec<(NodeName, Outcome)>>, StoreError> {
        loop {
            if self.done {
                return Ok(None);
            }
            let (outcomes, after, done) = self.store.outcomes(self.id, self.after).await?;
            self.after = after;
            self.done = done && outcomes.is_empty();
            if !outcomes.is_empty() {
                return Ok(Some(outcomes));
            }
            if !done {
                self.nudged().await;
            }
        }
    }

    /// Waits for all outcomes, at most `deadline`: one for each node, in the order in which they
    /// were asked for. A node without outcome by then is told so; the job goes on.
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn collect(
        mut self,
        deadline: Duration,
    ) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
        let end = Instant::now() + deadline;
        let mut told = HashMap::with_capacity(self.names.len());
        while let Ok(next) = tokio::time::timeout_at(end, self.next()).await {
            match next? {
                Some(outcomes) => told.extend(outcomes),
                None => break,
            }
        }
        let late = || {
            let (seconds, id) = (deadline.as_secs(), self.id);
            Outcome::failed(format!("no answer within {seconds} s; job {id} goes on"))
        };
        let answers = self.names.iter().map(|name| {
            let outcome = told.remove(name).unwrap_or_else(late);
            (name.clone(), outcome)
        });
        Ok(answers.collect())
    }

    async fn nudged(&mut self) {
        match &mut self.nudges {
            Some(nudges) => {
                // Either way the store is asked next.
                let _ = tokio::time::timeout(LOOK_AGAIN, nudges.next()).await;
            }
            None => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}
