//! Batches and waves: what may begin, what has begun, what has ended, and what is left alone.

use std::collections::HashSet;

use xcat3_core::{Lane, NodeName, Operation, Outcome};

use super::create::waiting;
use super::outcomes::record;
use super::{Batch, JobId, batch_state};
use crate::database::{Tx, beside, chunks_of};
use crate::{Store, StoreError, now_ms};

/// What a node is told whose batch ended without a word about it.
const UNANSWERED: &str = "The operation ended without an answer for this node";

/// A job as those find it who write to it: its row is theirs until their transaction ends.
struct Taken {
    number: i64,
    operation: Operation,
    state: String,
    failed: i64,
    max_failures: Option<i64>,
    open_wave: i64,
}

impl Store {
    /// Begins a batch, or begins it again: gives those of its nodes that have no outcome yet. Nothing
    /// where there is no such batch, where it is finished or left alone, and where its wave is not
    /// open yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin_batch(&self, job: JobId, number: i64) -> Result<Option<Batch>, StoreError> {
        beside!(self, tx, {
            let Some(taken) = take(&mut tx, job).await? else {
                return Ok(None);
            };
            let statement = "
                UPDATE batches SET state = $4
                WHERE job = $1 AND number = $2 AND state < 2 AND wave <= $3";
            let values = [
                taken.number.into(),
                number.into(),
                taken.open_wave.into(),
                batch_state::BEGUN.into(),
            ];
            if tx.run(statement, values).await? == 0 {
                return Ok(None);
            }
            let names = unanswered(&mut tx, taken.number, number).await?;
            Some(Batch {
                job,
                number,
                operation: taken.operation,
                names,
            })
        })
    }

    /// Notes that all work of a batch was done, and gives the numbers of the batches that may begin
    /// now because of it: those of the next wave. Where more nodes of the job have failed than may,
    /// all that has not begun is left alone instead.
    ///
    /// Nodes of the batch without an outcome get one that says so and are given back. With a fence
    /// only those do that are still reserved under it: where others are left, somebody else is at
    /// work on them, or has to begin anew, and the batch is not finished.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finish_batch(
        &self,
        job: JobId,
        number: i64,
        fence: Option<i64>,
    ) -> Result<Vec<i64>, StoreError> {
        beside!(self, tx, {
            let Some(taken) = take(&mut tx, job).await? else {
                return Ok(Vec::new());
            };
            let rest = unanswered(&mut tx, taken.number, number).await?;
            if let Some(fence) = fence {
                let names: Vec<&NodeName> = rest.iter().collect();
                if give_back(&mut tx, fence, &names).await?.len() < rest.len() {
                    return Ok(Vec::new());
                }
            }
            let told = |name| (name, Outcome::failed(UNANSWERED));
            let rest: Vec<_> = rest.into_iter().map(told).collect();
            let newly_failed = record(&mut tx, taken.number, &rest).await?.failed;
            let finished = "
                UPDATE batches SET state = $3 WHERE job = $1 AND number = $2 AND state < 2";
            let state = batch_state::FINISHED.into();
            let values = [taken.number.into(), number.into(), state];
            if tx.run(finished, values).await? == 0 {
                Vec::new()
            } else {
                go_on(&mut tx, &taken, newly_failed).await?
            }
        })
    }

    /// The batches of waves that are open and that were not finished, the oldest job's first, each
    /// with its queue: what is to be published again.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unfinished_batches(&self) -> Result<Vec<(JobId, i64, Lane)>, StoreError> {
        let statement = "
            SELECT jobs.id, batches.number, jobs.operation
            FROM batches JOIN jobs ON jobs.number = batches.job
            WHERE batches.state < 2 AND batches.wave <= jobs.open_wave
            ORDER BY batches.job, batches.wave, batches.number";
        let rows = self.read().await?.rows(statement, []).await?;
        rows.iter()
            .map(|row| {
                let operation: Operation = row.json(2, "the operation of a job")?;
                Ok((row.parse(0, "a job's id")?, row.int(1)?, operation.lane()))
            })
            .collect()
    }
}

/// Takes the row of a job: who comes later waits until this transaction has ended.
async fn take(tx: &mut Tx, job: JobId) -> Result<Option<Taken>, StoreError> {
    let statement = "
        UPDATE jobs SET open_wave = open_wave WHERE id = $1
        RETURNING number, operation, state, failed, max_failures, open_wave";
    let Some(row) = tx.row(statement, [job.to_string().into()]).await? else {
        return Ok(None);
    };
    Ok(Some(Taken {
        number: row.int(0)?,
        operation: row.json(1, "the operation of a job")?,
        state: row.text(2)?.to_owned(),
        failed: row.int(3)?,
        max_failures: row.maybe_int(4)?,
        open_wave: row.int(5)?,
    }))
}

/// After the end of a batch: stops the job, or opens the next wave and gives its batches.
async fn go_on(tx: &mut Tx, job: &Taken, newly_failed: i64) -> Result<Vec<i64>, StoreError> {
    let failed = job.failed + newly_failed;
    if job.state == "running" && job.max_failures.is_some_and(|limit| failed > limit) {
        let nodes = match failed {
            1 => "1 failure".to_owned(),
            more => format!("{more} failures"),
        };
        let sentence = format!("left alone: the job stopped after {nodes}");
        let stop = "UPDATE jobs SET state = 'stopped' WHERE number = $1";
        tx.run(stop, [job.number.into()]).await?;
        end_early(tx, job.number, &sentence).await?;
        return Ok(Vec::new());
    }
    let statement = "
        UPDATE jobs
        SET open_wave = (SELECT MIN(wave) FROM batches WHERE job = $1 AND state < 2)
        WHERE number = $1
          AND open_wave < (SELECT MIN(wave) FROM batches WHERE job = $1 AND state < 2)
        RETURNING open_wave";
    match tx.row(statement, [job.number.into()]).await? {
        None => Ok(Vec::new()),
        Some(row) => waiting(tx, job.number, row.int(0)?).await,
    }
}

/// Leaves alone all batches that were not begun, for the reason given.
pub(super) async fn end_early(tx: &mut Tx, job: i64, sentence: &str) -> Result<(), StoreError> {
    for number in waiting(tx, job, i64::MAX).await? {
        let left = unanswered(tx, job, number).await?;
        let told = |name| (name, Outcome::LeftAlone(sentence.to_owned()));
        let left: Vec<_> = left.into_iter().map(told).collect();
        record(tx, job, &left).await?;
    }
    let statement = "UPDATE batches SET state = $2 WHERE job = $1 AND state = 0";
    let finished = batch_state::FINISHED.into();
    tx.run(statement, [job.into(), finished]).await.map(|_| ())
}

/// The nodes of a batch that have no outcome, in the order of the request.
async fn unanswered(tx: &mut Tx, job: i64, batch: i64) -> Result<Vec<NodeName>, StoreError> {
    let statement = "SELECT names FROM batches WHERE job = $1 AND number = $2";
    let Some(row) = tx.row(statement, [job.into(), batch.into()]).await? else {
        return Ok(Vec::new());
    };
    let names: Vec<[NodeName; 1]> = row.json(0, "the names of a batch")?;
    let answered = "
        SELECT value ->> 0 FROM json_each($1)
        WHERE (SELECT sequence FROM job_nodes
               WHERE job = $2 AND node = value ->> 0) IS NOT NULL";
    let rows = tx.rows(answered, [row.text(0)?.into(), job.into()]).await?;
    let answered: HashSet<&str> = rows
        .iter()
        .map(|row| row.text(0))
        .collect::<Result<_, _>>()?;
    let left = names
        .into_iter()
        .map(|[name]| name)
        .filter(|name| !answered.contains(name.as_str()));
    Ok(left.collect())
}

/// Gives back those of the nodes that are still reserved under `fence`, and tells which those were.
pub(super) async fn give_back(
    tx: &mut Tx,
    fence: i64,
    names: &[&NodeName],
) -> Result<HashSet<String>, StoreError> {
    let statement = "
        DELETE FROM reservations
        WHERE fence = $2 AND expires_ms > $3
          AND node IN (SELECT value ->> 0 FROM json_each($1))
        RETURNING node";
    let mut held = HashSet::with_capacity(names.len());
    for chunk in chunks_of(names.iter().copied())? {
        let values = [chunk.into(), fence.into(), now_ms().into()];
        for row in tx.rows(statement, values).await? {
            held.insert(row.text(0)?.to_owned());
        }
    }
    Ok(held)
}
