//! Jobs: an operation on many nodes, its batches, and what came of it node by node.
//!
//! Batches may be delivered more than once and to several conductors; what counts is the first
//! outcome that is recorded for a node of a job. Outcomes are numbered within their job as they
//! come, so that a reader can go on where it stopped.

mod outcomes;

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xcat3_core::{NodeName, Operation};

use crate::database::{Tx, chunks, chunks_of, json};
use crate::{NOT_FOUND, Store, StoreError, now_ms};

/// How many finished jobs are kept.
const KEPT_JOBS: i64 = 1_000;
/// Of how many nodes, counted over all finished jobs, outcomes are kept.
const KEPT_OUTCOMES: i64 = 2_000_000;
/// For how long finished jobs are kept at most.
const KEPT_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// For how long they are kept at least: somebody may be reading them.
const READABLE_MS: i64 = 10 * 60 * 1_000;

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

/// A job that was just created: what is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Which it is.
    pub id: JobId,
    /// Its work. Empty where none of its nodes exists.
    pub batches: Vec<Batch>,
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

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobStatus {
    /// Which job.
    pub id: JobId,
    /// What is done to each of its nodes.
    pub operation: Operation,
    /// How many nodes it has.
    pub nodes: u64,
    /// How many of them have their outcome.
    pub answered: u64,
    /// When it was created, in milliseconds since 1970 (UTC).
    pub created_ms: i64,
    /// When its last node got its outcome, in milliseconds since 1970 (UTC).
    pub finished_ms: Option<i64>,
}

impl Store {
    /// Creates a job with its batches of `batch_size` nodes. A name given twice counts once; one that
    /// does not exist has its outcome at once.
    ///
    /// # Errors
    /// The database failed; there is no job.
    pub async fn create_job(
        &self,
        operation: &Operation,
        names: &[NodeName],
        batch_size: usize,
    ) -> Result<Job, StoreError> {
        let id = JobId(Uuid::new_v4());
        let mut seen = HashSet::with_capacity(names.len());
        let names: Vec<&NodeName> = names.iter().filter(|name| seen.insert(*name)).collect();
        let mut tx = self.write().await?;
        prune(&mut tx).await?;
        let known = known(&mut tx, &names).await?;
        let (known, unknown): (Vec<&NodeName>, Vec<&NodeName>) =
            names.into_iter().partition(|&name| known.contains(name));
        let batches: Vec<Batch> = known
            .chunks(batch_size.max(1))
            .zip(0..)
            .map(|(names, number)| {
                let names = names.iter().copied().cloned().collect();
                Batch {
                    job: id,
                    number,
                    operation: operation.clone(),
                    names,
                }
            })
            .collect();
        insert_job(&mut tx, id, operation, known.len(), unknown.len()).await?;
        insert_batches(&mut tx, &batches).await?;
        insert_unknown(&mut tx, id, &unknown).await?;
        tx.commit().await?;
        Ok(Job { id, batches })
    }

    /// A batch with those of its nodes that have no outcome yet, or nothing where there is no such
    /// batch or it is finished.
    ///
    /// # Errors
    /// The database failed.
    pub async fn batch(&self, job: JobId, number: i64) -> Result<Option<Batch>, StoreError> {
        let mut tx = self.read().await?;
        let statement = "
            SELECT jobs.operation FROM batches JOIN jobs ON jobs.id = batches.job
            WHERE batches.job = $1 AND batches.number = $2 AND batches.finished = 0";
        let key = || [job.to_string().into(), number.into()];
        let Some(row) = tx.row(statement, key()).await? else {
            return Ok(None);
        };
        let operation = row.json(0, "the operation of a job")?;
        let statement = "
            SELECT node FROM job_nodes
            WHERE job = $1 AND batch = $2 AND sequence IS NULL ORDER BY place";
        let rows = tx.rows(statement, key()).await?;
        let names = rows.iter().map(|row| row.parse(0, "a node of a job"));
        let names = names.collect::<Result<_, _>>()?;
        Ok(Some(Batch {
            job,
            number,
            operation,
            names,
        }))
    }

    /// All batches that were not finished, the oldest job's first: what is to be published again at
    /// a start.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unfinished_batches(&self) -> Result<Vec<(JobId, i64)>, StoreError> {
        let statement = "
            SELECT batches.job, batches.number
            FROM batches JOIN jobs ON jobs.id = batches.job
            WHERE batches.finished = 0
            ORDER BY jobs.created_ms, batches.job, batches.number";
        let rows = self.read().await?.rows(statement, []).await?;
        rows.iter()
            .map(|row| Ok((row.parse(0, "a job's id")?, row.int(1)?)))
            .collect()
    }

    /// How far a job has come; nothing where there is no such job (any more).
    ///
    /// # Errors
    /// The database failed.
    pub async fn job(&self, id: JobId) -> Result<Option<JobStatus>, StoreError> {
        let statement = "
            SELECT operation, nodes, nodes - unanswered, created_ms, finished_ms
            FROM jobs WHERE id = $1";
        let row = self
            .read()
            .await?
            .row(statement, [id.to_string().into()])
            .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        Ok(Some(JobStatus {
            id,
            operation: row.json(0, "the operation of a job")?,
            nodes: row.int(1)?.unsigned_abs(),
            answered: row.int(2)?.unsigned_abs(),
            created_ms: row.int(3)?,
            finished_ms: row.maybe_int(4)?,
        }))
    }
}

/// Removes finished jobs that are old or too many.
async fn prune(tx: &mut Tx) -> Result<(), StoreError> {
    let statement = "
        DELETE FROM jobs WHERE id IN (
            SELECT id FROM (
                SELECT id, finished_ms,
                       COUNT(*) OVER newer AS jobs, SUM(nodes) OVER newer AS outcomes
                FROM jobs WHERE finished_ms IS NOT NULL
                WINDOW newer AS (ORDER BY finished_ms DESC, id)
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

async fn known(tx: &mut Tx, names: &[&NodeName]) -> Result<HashSet<NodeName>, StoreError> {
    let statement = "SELECT name FROM nodes WHERE name IN (SELECT value ->> 0 FROM json_each($1))";
    let mut known = HashSet::with_capacity(names.len());
    for chunk in chunks_of(names.iter().copied())? {
        for row in tx.rows(statement, [chunk.into()]).await? {
            known.insert(row.parse(0, "a node's name")?);
        }
    }
    Ok(known)
}

async fn insert_job(
    tx: &mut Tx,
    id: JobId,
    operation: &Operation,
    known: usize,
    unknown: usize,
) -> Result<(), StoreError> {
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let now = now_ms();
    let finished = (known == 0).then_some(now);
    let statement = "
        INSERT INTO jobs (id, operation, nodes, unanswered, last_sequence, created_ms, finished_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        id.to_string().into(),
        json(operation)?.into(),
        count(known + unknown).into(),
        count(known).into(),
        count(unknown).into(),
        now.into(),
        finished.into(),
    ];
    tx.run(statement, values).await.map(|_| ())
}

async fn insert_batches(tx: &mut Tx, batches: &[Batch]) -> Result<(), StoreError> {
    let Some(job) = batches.first().map(|batch| batch.job.to_string()) else {
        return Ok(());
    };
    let statement = "
        INSERT INTO batches (job, number, finished)
        SELECT $2, CAST(value ->> 0 AS BIGINT), 0 FROM json_each($1)";
    for chunk in chunks(
        &batches
            .iter()
            .map(|batch| [batch.number])
            .collect::<Vec<_>>(),
    )? {
        tx.run(statement, [chunk.into(), job.as_str().into()])
            .await?;
    }
    let statement = "
        INSERT INTO job_nodes (job, node, batch, place)
        SELECT $2, value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT)
        FROM json_each($1)";
    let nodes = batches.iter().flat_map(|batch| {
        batch
            .names
            .iter()
            .zip(0i64..)
            .map(|(name, place)| (name.as_str(), batch.number, place))
    });
    for chunk in chunks(&nodes.collect::<Vec<_>>())? {
        tx.run(statement, [chunk.into(), job.as_str().into()])
            .await?;
    }
    Ok(())
}

async fn insert_unknown(tx: &mut Tx, id: JobId, names: &[&NodeName]) -> Result<(), StoreError> {
    let statement = "
        INSERT INTO job_nodes (job, node, place, sequence, done, answer)
        SELECT $2, value ->> 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 1 AS BIGINT), 0, $3
        FROM json_each($1)";
    let rows: Vec<(&str, i64)> = names.iter().map(|name| name.as_str()).zip(1..).collect();
    for chunk in chunks(&rows)? {
        tx.run(
            statement,
            [chunk.into(), id.to_string().into(), NOT_FOUND.into()],
        )
        .await?;
    }
    Ok(())
}
