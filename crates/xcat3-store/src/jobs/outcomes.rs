//! Outcomes of a job's nodes: recorded once each, read in the order in which they came.

use std::collections::HashSet;

use xcat3_core::{NodeName, Operation, Outcome, Report};

use super::batches::give_back;
use super::{JobId, purpose_of};
use crate::database::{Row, Tx, beside, chunks, chunks_of};
use crate::{Store, StoreError, now_ms};

/// Every word that an operation may answer with.
const WORDS: [&str; 12] = [
    "ok", "on", "off", "net", "disk", "cdrom", "setup", "http", "none", "updated", "deleted",
    "silent",
];

/// The kinds of outcome, as they stand in the database.
const FAILED: i64 = 0;
const DONE: i64 = 1;
const LEFT_ALONE: i64 = 2;
const REPORT: i64 = 3;

/// About how many bytes of reports a page has: what goes beyond is the next page's.
pub const PAGE_BYTES: i64 = 8 << 20;

/// A page of a job's outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes {
    /// In the order in which they came, each with its number. The numbers grow; some are left out.
    pub outcomes: Vec<(i64, NodeName, Outcome)>,
    /// Whether these are the last: no more will come.
    pub ended: bool,
    /// Whether there are more now, whatever may come.
    pub more: bool,
}

impl Store {
    /// Records what came of nodes of a job; nothing where there is no such job. What was recorded of
    /// a node first stays.
    ///
    /// With a fence it is recorded only of nodes that are still reserved under it, and they are given
    /// back at once: who hears of an outcome finds the node free for the next operation. Whoever lost
    /// a reservation, to another or because its time was over, writes nothing. Without one nothing is
    /// recorded of nodes that somebody holds for this very job ([`super::Batch::purpose`]): what
    /// comes of them is for that one to say.
    ///
    /// Tells of how many nodes nothing was written because they are not held under the fence.
    ///
    /// # Errors
    /// The database failed; nothing was recorded or given back.
    pub async fn settle(
        &self,
        job: JobId,
        fence: Option<i64>,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<usize, StoreError> {
        if outcomes.is_empty() {
            return Ok(0);
        }
        beside!(self, tx, {
            let take = "UPDATE jobs SET open_wave = open_wave WHERE id = $1 RETURNING number";
            let Some(row) = tx.row(take, [job.to_string().into()]).await? else {
                return Ok(0);
            };
            let number = row.int(0)?;
            let names: Vec<&NodeName> = outcomes.iter().map(|(name, _)| name).collect();
            let (held, wanted) = match fence {
                Some(fence) => (give_back(&mut tx, fence, &names).await?, true),
                None => (held_for(&mut tx, job, &names).await?, false),
            };
            let told = outcomes
                .iter()
                .filter(|(name, _)| held.contains(name.as_str()) == wanted);
            record(&mut tx, number, told).await?;
            match fence {
                Some(_) => names.len().saturating_sub(held.len()),
                None => 0,
            }
        })
    }

    /// At most `limit` outcomes after the number `after` (0: from the first on), fewer where their reports
    /// have more than [`PAGE_BYTES`].
    ///
    /// # Errors
    /// There is no such job (any more).
    pub async fn outcomes(
        &self,
        job: JobId,
        after: i64,
        limit: usize,
    ) -> Result<Outcomes, StoreError> {
        let mut tx = self.read().await?;
        let status = "SELECT number, finished_ms, operation FROM jobs WHERE id = $1";
        let Some(row) = tx.row(status, [job.to_string().into()]).await? else {
            return Err(StoreError::NotFound(format!("job {job} does not exist")));
        };
        let finished = row.maybe_int(1)?.is_some();
        let number = row.int(0)?;
        let operation: Operation = serde_json::from_str(row.text(2)?)
            .map_err(|error| StoreError::corrupt("the operation of a job", error))?;
        let fitting = match operation.brings_reports() {
            true => fitting(&mut tx, number, after, limit).await?,
            false => limit,
        };
        let statement = "
            SELECT sequence, node, kind, answer FROM job_nodes
            WHERE job = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
        let most = i64::try_from(fitting).unwrap_or(i64::MAX);
        let rows = tx
            .rows(statement, [number.into(), after.into(), most.into()])
            .await?;
        let more = rows.len() >= fitting;
        let outcomes = rows.iter().map(outcome_of).collect::<Result<_, _>>()?;
        Ok(Outcomes {
            outcomes,
            ended: finished && !more,
            more,
        })
    }
}

/// How many of the next outcomes of the job of this number, at most `limit`, make a page: one at least,
/// and `limit` where there are not so many yet.
async fn fitting(tx: &mut Tx, job: i64, after: i64, limit: usize) -> Result<usize, StoreError> {
    let statement = "
        SELECT OCTET_LENGTH(answer) FROM job_nodes
        WHERE job = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [job.into(), after.into(), most.into()];
    let mut bytes = 0;
    for (place, row) in tx.rows(statement, values).await?.iter().enumerate() {
        if bytes >= PAGE_BYTES {
            return Ok(place);
        }
        bytes += row.int(0)?;
    }
    Ok(limit)
}

/// How many outcomes of each kind were recorded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recorded {
    pub(super) done: i64,
    pub(super) failed: i64,
    pub(super) left_alone: i64,
}

/// Records outcomes of the job of this number, whose row is the caller's.
pub(super) async fn record<'a>(
    tx: &mut Tx,
    job: i64,
    outcomes: impl IntoIterator<Item = &'a (NodeName, Outcome)>,
) -> Result<Recorded, StoreError> {
    let mut seen = HashSet::new();
    let outcomes: Vec<&(NodeName, Outcome)> = outcomes
        .into_iter()
        .filter(|(name, _)| seen.insert(name))
        .collect();
    if outcomes.is_empty() {
        return Ok(Recorded::default());
    }
    let first = next_sequence(tx, job, outcomes.len()).await?;
    let recorded = Recorded {
        done: insert(tx, job, DONE, first, &outcomes).await?
            + insert(tx, job, REPORT, first, &outcomes).await?,
        failed: insert(tx, job, FAILED, first, &outcomes).await?,
        left_alone: insert(tx, job, LEFT_ALONE, first, &outcomes).await?,
    };
    count(tx, job, recorded).await?;
    Ok(recorded)
}

/// Those of the nodes that somebody holds for a job.
async fn held_for(
    tx: &mut Tx,
    job: JobId,
    names: &[&NodeName],
) -> Result<HashSet<String>, StoreError> {
    let statement = "
        SELECT node FROM reservations
        WHERE node IN (SELECT value ->> 0 FROM json_each($1))
          AND expires_ms > $2 AND substr(purpose, 1, length($3)) = $3";
    let purpose = purpose_of(job);
    let mut held = HashSet::new();
    for chunk in chunks_of(names.iter().copied())? {
        let values = [chunk.into(), now_ms().into(), purpose.as_str().into()];
        for row in tx.rows(statement, values).await? {
            held.insert(row.text(0)?.to_owned());
        }
    }
    Ok(held)
}

/// The first of as many new sequence numbers.
async fn next_sequence(tx: &mut Tx, job: i64, count: usize) -> Result<i64, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let statement = "
        UPDATE jobs SET last_sequence = last_sequence + $2 WHERE number = $1
        RETURNING last_sequence";
    let row = tx.row(statement, [job.into(), count.into()]).await?;
    let row = row.ok_or_else(|| StoreError::corrupt("jobs", "a job is gone"))?;
    Ok(row.int(0)? - count + 1)
}

/// Inserts the outcomes of one kind and tells how many of them were the first of their nodes.
async fn insert(
    tx: &mut Tx,
    job: i64,
    kind: i64,
    first: i64,
    outcomes: &[&(NodeName, Outcome)],
) -> Result<i64, StoreError> {
    let rows: Vec<(&str, i64, &str)> = outcomes
        .iter()
        .zip(first..)
        .filter(|((_, outcome), _)| kind_of(outcome) == kind)
        .map(|((name, outcome), sequence)| (name.as_str(), sequence, outcome.as_str()))
        .collect();
    let statement = "
        INSERT INTO job_nodes (job, sequence, node, kind, answer)
        SELECT $2, CAST(value ->> 1 AS BIGINT), value ->> 0, $3, value ->> 2
        FROM json_each($1) WHERE true
        ON CONFLICT (job, node) DO NOTHING";
    let mut inserted = 0;
    for chunk in chunks(&rows)? {
        inserted += tx
            .run(statement, [chunk.into(), job.into(), kind.into()])
            .await?;
    }
    Ok(i64::try_from(inserted).unwrap_or(i64::MAX))
}

/// Counts what was recorded; a job of which every node has its outcome has finished.
async fn count(tx: &mut Tx, job: i64, recorded: Recorded) -> Result<(), StoreError> {
    let statement = "
        UPDATE jobs SET done = done + $2, failed = failed + $3, left_alone = left_alone + $4
        WHERE number = $1";
    let values = [
        job.into(),
        recorded.done.into(),
        recorded.failed.into(),
        recorded.left_alone.into(),
    ];
    tx.run(statement, values).await?;
    let statement = "
        UPDATE jobs
        SET finished_ms = $2, state = CASE WHEN state = 'running' THEN 'done' ELSE state END
        WHERE number = $1 AND finished_ms IS NULL AND done + failed + left_alone >= nodes";
    let values = [job.into(), now_ms().into()];
    tx.run(statement, values).await.map(|_| ())
}

fn kind_of(outcome: &Outcome) -> i64 {
    match outcome {
        Outcome::Done(_) => DONE,
        Outcome::Report(_) => REPORT,
        Outcome::Failed(_) => FAILED,
        Outcome::LeftAlone(_) => LEFT_ALONE,
    }
}

fn outcome_of(row: &Row) -> Result<(i64, NodeName, Outcome), StoreError> {
    let answer = row.text(3)?;
    let outcome = match row.int(2)? {
        DONE => {
            let word = WORDS.into_iter().find(|word| *word == answer);
            Outcome::Done(word.ok_or_else(|| StoreError::corrupt("an outcome", answer))?)
        }
        REPORT => {
            let report = Report::parse(answer.to_owned());
            Outcome::Report(report.map_err(|error| StoreError::corrupt("a report", error))?)
        }
        LEFT_ALONE => Outcome::LeftAlone(answer.to_owned()),
        _ => Outcome::Failed(answer.to_owned()),
    };
    Ok((row.int(0)?, row.parse(1, "a node of a job")?, outcome))
}
