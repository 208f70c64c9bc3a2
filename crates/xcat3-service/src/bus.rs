//! How services hand one another work and wake one another up.
//!
//! The store is the truth; the bus carries only names of batches and nudges. What is lost or comes
//! twice costs time, never correctness: a conductor asks the store what is left of a batch, and who
//! was nudged looks into the store.
//!
//! [`InProcess`] is the adapter for services that share a process, [`Nats`] the one for services on
//! several hosts. Both pass the same battery of tests.

mod in_process;
mod nats;
mod nudge;
mod queue;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use xcat3_core::Lane;
use xcat3_store::JobId;

pub use in_process::InProcess;
pub use nats::{Nats, NatsSettings};
pub use nudge::Nudges;
pub use settings::BusSettings;

/// A batch of a job: the unit of work. Everything else about it is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Work {
    /// The job.
    pub job: JobId,
    /// The number of the batch in its job.
    pub batch: i64,
    /// The queue that it waits in, by its operation.
    pub lane: Lane,
}

/// What one can be nudged about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Outcomes of this job were recorded.
    Job(JobId),
    /// The store has a new revision, or a service reported something else than before.
    Changes,
}

/// The bus did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// It can't be reached now; later it may.
    #[error("the message bus cannot be reached: {0}")]
    Unavailable(String),
    /// So many batches had no room in it. They are in the store and are published again later.
    #[error("the message bus is full: {0} batches wait in the store")]
    Full(usize),
    /// What is configured can't be meant.
    #[error("{0}")]
    Misconfigured(String),
}

/// The bus that the configuration names: over NATS where it has a URL, else inside this process. A
/// broker need not be there yet.
///
/// # Errors
/// [`BusError::Misconfigured`].
pub async fn connect(bus: &BusSettings) -> Result<Arc<dyn Bus>, BusError> {
    Ok(match bus.url {
        Some(_) => Arc::new(Nats::connect(NatsSettings::of(bus)).await?),
        None => Arc::new(InProcess::default()),
    })
}

/// Work queue and nudges.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Queues `work` for any one worker. What is queued or being worked on already stays as it is,
    /// so that publishing again is harmless.
    async fn publish(&self, work: &[Work]) -> Result<(), BusError>;

    /// Waits for the next piece of work in `lane` and takes it. Cancel safe: work is never lost between the
    /// queue and a caller that stopped waiting.
    async fn next_work(&self, lane: Lane) -> Result<Delivery, BusError>;

    /// Wakes up all who listen to `topic`, now. Who listens later is not woken.
    async fn nudge(&self, topic: Topic) -> Result<(), BusError>;

    /// Starts listening to `topic`.
    async fn listen(&self, topic: Topic) -> Result<Nudges, BusError>;

    /// Whether it can be used now.
    async fn check(&self) -> Result<(), BusError> {
        Ok(())
    }

    /// Takes no more work, gives back what no worker took, and hands over what was said. For the end
    /// of a process; it takes a few seconds at most.
    async fn close(&self) {}
}

/// Work that was taken from the queue and is the holder's until it is acknowledged or given back.
///
/// Dropping it gives it back at once. Whoever works longer than [`Delivery::patience`] says so now
/// and then by [`Delivery::in_progress`], else the bus takes the worker for dead and gives the work
/// to another.
pub struct Delivery {
    work: Work,
    attempt: u32,
    patience: Duration,
    receipt: Box<dyn Receipt>,
}

/// The adapter's side of a [`Delivery`]. Dropped without acknowledgement it gives the work back.
#[async_trait]
trait Receipt: Send + Sync {
    async fn in_progress(&self) -> Result<(), BusError>;
    async fn acknowledge(&self) -> Result<(), BusError>;
    /// Whether the bus surely takes the holder for alive.
    fn is_fresh(&self) -> bool {
        true
    }
}

impl Delivery {
    /// What is to be done.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// 1 for work that nobody tried before.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How long the bus waits for a sign of life.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// A sign of life.
    ///
    /// # Errors
    /// The bus can't be reached.
    pub async fn in_progress(&self) -> Result<(), BusError> {
        self.receipt.in_progress().await
    }

    /// The work is done: nobody gets it again.
    ///
    /// # Errors
    /// The bus can't be reached; the work may be delivered again.
    pub async fn acknowledge(self) -> Result<(), BusError> {
        self.receipt.acknowledge().await
    }
}
