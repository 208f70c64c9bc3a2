//! How far jobs have come; cancelling them; forgetting those that are old.

use std::fmt;
use std::str::FromStr;

use xcat3_core::Operation;

use super::JobId;
use super::batches::end_early;
use crate::database::{Row, Tx};
use crate::{Store, StoreError, now_ms};

/// How many finished jobs are kept.
const KEPT_JOBS: i64 = 1_000;
/// Of how many nodes, counted over all finished jobs, outcomes are kept.
const KEPT_OUTCOMES: i64 = 2_000_000;
/// For how long finished jobs are kept at most.
const KEPT_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// For how long they are kept at least: somebody may be reading them.
const READABLE_MS: i64 = 10 * 60 * 1_000;

/// What a node is told that was not begun when its job was cancelled.
const CANCELLED: &str = "left alone: the job was cancelled";

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Not all of its nodes have their outcome.
    Running,
    /// All of them were worked on.
    Done,
    /// It was cancelled; what had begun by then is worked on to its end.
    Cancelled,
    /// Too many of its nodes failed; what had begun by then is worked on to its end.
    Stopped,
}

impl JobState {
    /// The word for it in the store and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is no state of a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a state of a job")]
pub struct UnknownJobState(String);

impl FromStr for JobState {
    type Err = UnknownJobState;

    fn from_str(word: &str) -> Result<Self, UnknownJobState> {
        match word {
            "running" => Ok(Self::Running),
            "done" => Ok(Self::Done),
            "cancelled" => Ok(Self::Cancelled),
            "stopped" => Ok(Self::Stopped),
            other => Err(UnknownJobState(other.chars().take(64).collect())),
        }
    }
}

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// Which job.
    pub id: JobId,
    /// What is done to each of its nodes.
    pub operation: Operation,
    /// Where it stands.
    pub state: JobState,
    /// How many nodes it has.
    pub nodes: u64,
    /// On how many of them the operation was done.
    pub done: u64,
    /// On how many it failed.
    pub failed: u64,
    /// How many were never begun, and will not be.
    pub left_alone: u64,
    /// How many nodes are worked on at once, where that was asked for.
    pub wave: Option<u64>,
    /// How many nodes may fail before the rest is left alone, where that was asked for.
    pub max_failures: Option<u64>,
    /// When it was created, in milliseconds since 1970 (UTC).
    pub created_ms: i64,
    /// When its last node got its outcome, in milliseconds since 1970 (UTC).
    pub finished_ms: Option<i64>,
}

/// The columns that [`status_of`] reads.
macro_rules! select_jobs {
    ($condition:literal) => {
        concat!(
            "SELECT id, operation, state, nodes, done, failed, left_alone, wave, max_failures,
                    created_ms, finished_ms
             FROM jobs WHERE ",
            $condition
        )
    };
}

impl Store {
    /// How far a job has come; nothing where there is no such job (any more).
    ///
    /// # Errors
    /// The database failed.
    pub async fn job(&self, id: JobId) -> Result<Option<JobStatus>, StoreError> {
        status(&mut self.read().await?, id).await
    }

    /// At most `limit` jobs, the newest first: those before the job `before`, or the newest ones. None
    /// where there is no such job (any more).
    ///
    /// # Errors
    /// The database failed.
    pub async fn jobs(
        &self,
        limit: usize,
        before: Option<JobId>,
    ) -> Result<Vec<JobStatus>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut tx = self.read().await?;
        let rows = match before {
            None => {
                let newest = select_jobs!("true ORDER BY number DESC LIMIT $1");
                tx.rows(newest, [limit.into()]).await?
            }
            Some(before) => {
                let older = select_jobs!(
                    "number < (SELECT number FROM jobs WHERE id = $2)
                     ORDER BY number DESC LIMIT $1"
                );
                tx.rows(older, [limit.into(), before.to_string().into()])
                    .await?
            }
        };
        rows.iter().map(status_of).collect()
    }

    /// Cancels a job: of its batches those that were not begun are left alone, and their nodes are
    /// told so; what has begun goes on to its end. A job that ended stays as it is. Nothing where
    /// there is no such job (any more).
    ///
    /// # Errors
    /// The database failed; nothing of the job was cancelled.
    pub async fn cancel_job(&self, id: JobId) -> Result<Option<JobStatus>, StoreError> {
        let mut tx = self.write().await?;
        let take = "
            UPDATE jobs SET state = 'cancelled' WHERE id = $1 AND state = 'running'
            RETURNING number";
        if let Some(row) = tx.row(take, [id.to_string().into()]).await? {
            end_early(&mut tx, row.int(0)?, CANCELLED).await?;
        }
        let status = status(&mut tx, id).await?;
        tx.commit().await?;
        Ok(status)
    }
}

async fn status(tx: &mut Tx, id: JobId) -> Result<Option<JobStatus>, StoreError> {
    let statement = select_jobs!("id = $1");
    let row = tx.row(statement, [id.to_string().into()]).await?;
    row.as_ref().map(status_of).transpose()
}

fn status_of(row: &Row) -> Result<JobStatus, StoreError> {
    let unsigned = |column| Ok::<_, StoreError>(row.maybe_int(column)?.map(i64::unsigned_abs));
    Ok(JobStatus {
        id: row.parse(0, "a job's id")?,
        operation: row.json(1, "the operation of a job")?,
        state: row.parse(2, "the state of a job")?,
        nodes: row.int(3)?.unsigned_abs(),
        done: row.int(4)?.unsigned_abs(),
        failed: row.int(5)?.unsigned_abs(),
        left_alone: row.int(6)?.unsigned_abs(),
        wave: unsigned(7)?,
        max_failures: unsigned(8)?,
        created_ms: row.int(9)?,
        finished_ms: row.maybe_int(10)?,
    })
}

/// Removes finished jobs that are old or too many.
pub(super) async fn prune(tx: &mut Tx) -> Result<(), StoreError> {
    let statement = "
        DELETE FROM jobs WHERE number IN (
            SELECT number FROM (
                SELECT number, finished_ms,
                       COUNT(*) OVER newer AS jobs, SUM(nodes) OVER newer AS outcomes
                FROM jobs WHERE finished_ms IS NOT NULL
                WINDOW newer AS (ORDER BY finished_ms DESC, number)
            ) AS finished
            WHERE finished_ms < $2
               OR (finished_ms < $1 AND (jobs > $3 OR outcomes > $4)))";
    let now = now_ms();
    let (readable, kept) = (now - READABLE_MS, now - KEPT_MS);
    let values = [
        readable.into(),
        kept.into(),
        KEPT_JOBS.into(),
        KEPT_OUTCOMES.into(),
    ];
    tx.run(statement, values).await.map(|_| ())
}
