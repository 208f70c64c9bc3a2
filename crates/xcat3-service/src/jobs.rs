//! Jobs as the services see them: submit an operation on nodes, hear each node's outcome as it
//! happens. What carries them out is the conductor, by way of store and bus.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use xcat3_core::{NodeName, Operation, Outcome};
use xcat3_store::{JobId, JobStatus, NewJob, Store, StoreError};

use crate::bus::{Bus, BusError, Nudges, Topic, Work};

/// Nodes a batch: large enough that a statement a batch costs nothing, small enough that conductors
/// share a big job evenly.
pub const BATCH_SIZE: usize = 1000;

/// Outcomes that are told at once at most: what a job of any size takes of memory.
const PAGE: usize = 1000;

/// How many bytes of reports one answer has that is not streamed.
const MOST_COLLECTED: usize = 256 << 20;

/// How often the store is asked though nobody nudged, because a nudge can get lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The way to have operations carried out. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    store: Store,
    bus: Arc<dyn Bus>,
    batch_size: usize,
}

/// What is asked for: an operation on nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// What is to be done to each node.
    pub operation: Operation,
    /// The nodes. A name that is given twice counts once.
    pub names: Vec<NodeName>,
    /// How many nodes are worked on at once; all where absent.
    pub wave: Option<usize>,
    /// How many nodes may fail before what has not begun is left alone; any number where absent.
    pub max_failures: Option<u64>,
    /// What tells this request from others: sent again, it is the same job.
    pub key: Option<String>,
}

impl JobRequest {
    /// A request without waves, limit or key.
    #[must_use]
    pub fn new(operation: Operation, names: Vec<NodeName>) -> Self {
        Self {
            operation,
            names,
            wave: None,
            max_failures: None,
            key: None,
        }
    }
}

/// A job that somebody follows. Dropping it leaves the job running.
pub struct Running {
    id: JobId,
    repeated: bool,
    /// As they were asked for; none where the job is only followed.
    names: Vec<NodeName>,
    store: Store,
    nudges: Option<Nudges>,
    after: i64,
    ended: bool,
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

    /// The bus that the batches go over.
    #[must_use]
    pub fn bus(&self) -> &Arc<dyn Bus> {
        &self.bus
    }

    /// Has an operation carried out on nodes.
    ///
    /// Once this returns the job is in the store and will be carried out, whatever happens to this
    /// process. A request whose key is that of an earlier one gives that one's job, from its first
    /// outcome on.
    ///
    /// # Errors
    /// The store did not take the job; or the key belongs to a request for something else
    /// ([`StoreError::Conflict`]).
    pub async fn submit(&self, request: JobRequest) -> Result<Running, StoreError> {
        let names = without_repeats(request.names);
        let job = NewJob {
            wave: request.wave,
            max_failures: request.max_failures,
            key: request.key.as_deref(),
            ..NewJob::new(&request.operation, &names, self.batch_size)
        };
        let job = self.store.create_job(&job).await?;
        // Listening comes first: an outcome between publishing and listening would go unnoticed
        // until the next look.
        let mut running = self.running(job.id, 0).await;
        (running.repeated, running.names) = (job.repeated, names);
        let lane = request.operation.lane();
        let work = |batch| Work {
            job: job.id,
            batch,
            lane,
        };
        let work: Vec<Work> = job.batches.into_iter().map(work).collect();
        if let Err(error) = self.bus.publish(&work).await {
            // The conductors find it in the store.
            tracing::warn!(job = %job.id, %error, "the batches of a job will start late");
        }
        Ok(running)
    }

    /// Follows a job from the outcome with the number `after` on (0: from the first); nothing where
    /// there is no such job (any more).
    ///
    /// # Errors
    /// The store can't be read.
    pub async fn follow(&self, id: JobId, after: i64) -> Result<Option<Running>, StoreError> {
        Ok(match self.store.job(id).await? {
            None => None,
            Some(_) => Some(self.running(id, after).await),
        })
    }

    /// Cancels what has not begun of a job, see [`Store::cancel_job`].
    ///
    /// # Errors
    /// The store can't be written.
    pub async fn cancel(&self, id: JobId) -> Result<Option<JobStatus>, StoreError> {
        let status = self.store.cancel_job(id).await?;
        if status.is_some()
            && let Err(error) = self.bus.nudge(Topic::Job(id)).await
        {
            tracing::debug!(%error, "outcomes will be told late");
        }
        Ok(status)
    }

    async fn running(&self, id: JobId, after: i64) -> Running {
        Running {
            id,
            repeated: false,
            names: Vec::new(),
            store: self.store.clone(),
            nudges: heard(self.bus.listen(Topic::Job(id)).await),
            after,
            ended: false,
        }
    }
}

fn heard(nudges: Result<Nudges, BusError>) -> Option<Nudges> {
    nudges
        .inspect_err(|error| tracing::warn!(%error, "outcomes of a job will be told late"))
        .ok()
}

fn without_repeats(mut names: Vec<NodeName>) -> Vec<NodeName> {
    let mut seen = HashSet::with_capacity(names.len());
    let first: Vec<bool> = names.iter().map(|name| seen.insert(name)).collect();
    if seen.len() < names.len() {
        let mut first = first.into_iter();
        names.retain(|_| first.next().unwrap_or(true));
    }
    names
}

/// The outcome, or that there is no room for its report.
fn fit(outcome: Outcome, room: &mut usize, job: JobId) -> Outcome {
    let Outcome::Report(report) = &outcome else {
        return outcome;
    };
    match room.checked_sub(report.json().len()) {
        Some(left) => {
            *room = left;
            outcome
        }
        None => Outcome::failed(format!(
            "its report is left out, since one answer has room for {} MiB of them: ask for lines \
             (Accept: application/x-ndjson) or for fewer nodes; job {} has it",
            MOST_COLLECTED >> 20,
            job
        )),
    }
}

impl Running {
    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Whether it was there before, made by a request with the same key.
    #[must_use]
    pub fn repeated(&self) -> bool {
        self.repeated
    }

    /// Waits for the next outcomes, each with its number in the job; `None` when all were told. At
    /// most a thousand are given at once. Cancel safe.
    ///
    /// # Errors
    /// The store can't be read; asking again later goes on where this stopped.
    pub async fn next(&mut self) -> Result<Option<Vec<(i64, NodeName, Outcome)>>, StoreError> {
        loop {
            if self.ended {
                return Ok(None);
            }
            let page = self.store.outcomes(self.id, self.after, PAGE).await?;
            self.ended = page.ended;
            if let Some(&(last, ..)) = page.outcomes.last() {
                self.after = last;
                return Ok(Some(page.outcomes));
            }
            if !page.ended {
                self.nudged().await;
            }
        }
    }

    /// Waits for all outcomes, at most `deadline`: one for each node, in the order in which they
    /// were asked for, or in the order in which they came where the job is only followed. A node
    /// that was asked for and has no outcome by then is told so; the job goes on.
    ///
    /// # Errors
    /// The store can't be read, and was not back by the deadline.
    pub async fn collect(
        mut self,
        deadline: Duration,
    ) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
        let end = Instant::now() + deadline;
        let mut told = Vec::with_capacity(self.names.len());
        let mut room = MOST_COLLECTED;
        while let Ok(next) = tokio::time::timeout_at(end, self.next()).await {
            match next {
                Ok(Some(outcomes)) => {
                    let outcomes = outcomes.into_iter();
                    told.extend(
                        outcomes.map(|(_, name, told)| (name, fit(told, &mut room, self.id))),
                    );
                }
                Ok(None) => break,
                // The job goes on, and the store may be back before the deadline.
                Err(StoreError::Unavailable(why)) => {
                    tracing::warn!(job = %self.id, why, "waiting for the database");
                    let again = tokio::time::sleep(LOOK_AGAIN);
                    if tokio::time::timeout_at(end, again).await.is_err() {
                        return Err(StoreError::Unavailable(why));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if self.names.is_empty() {
            return Ok(told);
        }
        let mut told: HashMap<NodeName, Outcome> = told.into_iter().collect();
        let late = || {
            let (seconds, id) = (deadline.as_secs(), self.id);
            Outcome::failed(format!("no answer within {seconds} s; job {id} goes on"))
        };
        let answer = |name| {
            let outcome = told.remove(&name).unwrap_or_else(late);
            (name, outcome)
        };
        Ok(self.names.into_iter().map(answer).collect())
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

#[cfg(test)]
mod tests {
    use xcat3_core::Report;

    use super::*;

    const ID: &str = "0192f3a0-5c7e-7b1a-9d5e-2f6b8c4d1e90";

    #[test]
    fn an_answer_has_room_for_so_many_bytes_of_reports() {
        let report = |length| Outcome::Report(Report::of(&"x".repeat(length)).unwrap());
        let (mut room, job): (_, JobId) = (100, ID.parse().unwrap());
        assert_eq!(fit(report(60), &mut room, job), report(60));
        let left_out = fit(report(60), &mut room, job).to_string();
        assert!(left_out.contains("application/x-ndjson"), "{left_out}");
        assert!(left_out.contains(&job.to_string()), "{left_out}");
        assert_eq!(fit(Outcome::OK, &mut room, job), Outcome::OK);
        assert_eq!(fit(report(30), &mut room, job), report(30));
    }
}
