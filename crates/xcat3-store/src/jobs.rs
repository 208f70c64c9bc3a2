//! Jobs: an operation on many nodes, its batches, and what came of it node by node.
//!
//! A job is written as a row with its counts and a row a batch, which holds the names of its nodes; a
//! node gets a row when it has its outcome, and not before. Batches may be delivered more than once
//! and to several conductors; what counts is the first outcome that is recorded for a node of a job.
//! Outcomes are numbered within their job as they come, so that a reader can go on where it stopped.
//!
//! Every transaction that writes to a job takes the job's row first, so that two of them never wait
//! for each other.

mod batches;
mod create;
mod outcomes;
mod status;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xcat3_core::{NodeName, Operation};

pub use outcomes::Outcomes;
pub use status::{JobState, JobStatus, UnknownJobState};

/// Which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub Uuid);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// A job to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// What is to be done to each of its nodes.
    pub operation: &'a Operation,
    /// Its nodes. A name given twice counts once; whether they exist is not looked at.
    pub names: &'a [NodeName],
    /// How many nodes a batch has at most. The first batches are smaller, so that the first outcomes
    /// come soon.
    pub batch_size: usize,
    /// How many nodes are worked on at once: the next so many begin when all of these have ended.
    /// All at once where absent.
    pub wave: Option<usize>,
    /// How many nodes may fail; one more and what has not begun is left alone. Any number where
    /// absent.
    pub max_failures: Option<u64>,
    /// The request that it is made for: a second job with the same key is the first one.
    pub key: Option<&'a str>,
}

impl<'a> NewJob<'a> {
    /// A job without waves, limit or key.
    #[must_use]
    pub fn new(operation: &'a Operation, names: &'a [NodeName], batch_size: usize) -> Self {
        Self {
            operation,
            names,
            batch_size,
            wave: None,
            max_failures: None,
            key: None,
        }
    }
}

/// A job that was created: what is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which it is.
    pub id: JobId,
    /// The numbers of its batches that may begin now and have not: those of the first wave.
    pub batches: Vec<i64>,
    /// Whether it was there before, made by a request with the same key.
    pub repeated: bool,
}

/// A part of a job: the work that one conductor takes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The job that it is of.
    pub job: JobId,
    /// Its number within the job, from 0.
    pub number: i64,
    /// What is to be done to each of its nodes.
    pub operation: Operation,
    /// Its nodes, in the order of the request, without those that have their outcome already.
    pub names: Vec<NodeName>,
}

impl Batch {
    /// What its nodes are reserved for. It is the same for every attempt at the batch, which is how a
    /// later one takes over the nodes of an earlier one.
    #[must_use]
    pub fn purpose(&self) -> String {
        format!("{}batch {}", purpose_of(self.job), self.number)
    }
}

/// How the purposes of all batches of a job begin.
fn purpose_of(job: JobId) -> String {
    format!("job {job} ")
}

/// How far a batch has come, as it stands in the database.
mod batch_state {
    pub(super) const WAITS: i64 = 0;
    pub(super) const BEGUN: i64 = 1;
    pub(super) const FINISHED: i64 = 2;
}
