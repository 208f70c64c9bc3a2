//! Outcomes of a job's nodes: recorded once each, read in the order in which they came.

use std::collections::HashSet;

use xcat3_core::{NodeName, Outcome};

use super::JobId;
use crate::database::{Row, Tx, chunks, chunks_of};
use crate::{Store, StoreError, now_ms};

/// Every word that an operation may answer with.
const WORDS: [&str; 8] = [
    "ok", "on", "off", "net", "disk", "cdrom", "updated", "deleted",
];

/// What a node is told whose batch ended without a word about it.
const UNANSWERED: &str = "The operation ended without an answer for this node";

impl Store {
    /// Records what came of nodes of a job. What was recorded of a node first stays; nodes that the
    /// job doesn't have are passed over, as is everything where there is no such job.
    ///
    /// # Errors
    /// The database failed; nothing was recorded.
    pub async fn record_outcomes(
        &self,
        job: JobId,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        record(&mut tx, job, outcomes).await?;
        tx.commit().await
    }

    /// The same, and gives back those of the nodes that are reserved under `fence`: who hears of an
    /// outcome finds the node free for the next operation.
    ///
    /// # Errors
    /// The database failed; nothing was recorded or given back.
    pub async fn settle(
        &self,
        job: JobId,
        fence: Option<i64>,
        outcomes: &[(NodeName, Outcome)],
    ) -> Result<(), StoreError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        record(&mut tx, job, outcomes).await?;
        if let Some(fence) = fence {
            let statement = "
                DELETE FROM reservations
                WHERE fence = $2 AND node IN (SELECT value ->> 0 FROM json_each($1))";
            for chunk in chunks_of(outcomes.iter().map(|(name, _)| name))? {
                tx.run(statement, [chunk.into(), fence.into()]).await?;
            }
        }
        tx.commit().await
    }

    /// Notes that all work of a batch was done. Nodes of it without an outcome get one that says so.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finish_batch(&self, job: JobId, number: i64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let unanswered = "
            SELECT node FROM job_nodes
            WHERE job = $1 AND batch = $2 AND sequence IS NULL ORDER BY place";
        let rows = tx
            .rows(unanswered, [job.to_string().into(), number.into()])
            .await?;
        let mut rest = Vec::with_capacity(rows.len());
        for row in rows {
            rest.push((
                row.parse(0, "a node of a job")?,
                Outcome::failed(UNANSWERED),
            ));
        }
        record(&mut tx, job, &rest).await?;
        let statement = "UPDATE batches SET finished = 1 WHERE job = $1 AND number = $2";
        tx.run(statement, [job.to_string().into(), number.into()])
            .await?;
        tx.commit().await
    }

    /// The outcomes that came after the sequence number `after` (0: all of them), the number to ask
    /// with next time, and whether these were the last.
    ///
    /// # Errors
    /// There is no such job (any more).
    pub async fn outcomes(
        &self,
        job: JobId,
        after: i64,
    ) -> Result<(Vec<(NodeName, Outcome)>, i64, bool), StoreError> {
        let mut tx = self.read().await?;
        let status = "SELECT finished_ms FROM jobs WHERE id = $1";
        let Some(row) = tx.row(status, [job.to_string().into()]).await? else {
            return Err(StoreError::NotFound(format!("job {job} does not exist")));
        };
        let done = row.maybe_int(0)?.is_some();
        let statement = "
            SELECT node, done, answer, sequence FROM job_nodes
            WHERE job = $1 AND sequence > $2 ORDER BY sequence";
        let rows = tx
            .rows(statement, [job.to_string().into(), after.into()])
            .await?;
        let next = rows.last().map_or(Ok(after), |row| row.int(3))?;
        let outcomes = rows.iter().map(outcome_of).collect::<Result<_, _>>()?;
        Ok((outcomes, next, done))
    }
}

async fn record(
    tx: &mut Tx,
    job: JobId,
    outcomes: &[(NodeName, Outcome)],
) -> Result<(), StoreError> {
    let Some(sequence) = next_sequence(tx, job, outcomes.len()).await? else {
        return Ok(());
    };
    let mut seen = HashSet::with_capacity(outcomes.len());
    let mut rows = Vec::with_capacity(outcomes.len());
    for ((name, outcome), sequence) in outcomes.iter().zip(sequence..) {
        if seen.insert(name) {
            let done = i64::from(outcome.is_done());
            rows.push((name.as_str(), sequence, done, outcome.as_str()));
        }
    }
    // Never inserts, since only nodes of the job get that far; unlike an UPDATE it looks each row up
    // by its key, whatever the planner thinks.
    let statement = "
        INSERT INTO job_nodes (job, node, place, sequence, done, answer)
        SELECT $2, value ->> 0, 0, CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT),
               value ->> 3
        FROM json_each($1)
        WHERE EXISTS (SELECT 1 FROM job_nodes AS known
                      WHERE known.job = $2 AND known.node = value ->> 0)
        ON CONFLICT (job, node) DO UPDATE
        SET sequence = excluded.sequence, done = excluded.done, answer = excluded.answer
        WHERE job_nodes.sequence IS NULL";
    let mut recorded = 0;
    for chunk in chunks(&rows)? {
        recorded += tx
            .run(statement, [chunk.into(), job.to_string().into()])
            .await?;
    }
    let statement = "
        UPDATE jobs
        SET unanswered = unanswered - $2,
            finished_ms = CASE WHEN unanswered = $2 THEN $3 ELSE finished_ms END
        WHERE id = $1 AND $2 > 0";
    let recorded = i64::try_from(recorded).unwrap_or(i64::MAX);
    tx.run(
        statement,
        [job.to_string().into(), recorded.into(), now_ms().into()],
    )
    .await?;
    Ok(())
}

/// The first of as many new sequence numbers; nothing where there is no such job.
async fn next_sequence(tx: &mut Tx, job: JobId, count: usize) -> Result<Option<i64>, StoreError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let statement = "
        UPDATE jobs SET last_sequence = last_sequence + $2 WHERE id = $1 RETURNING last_sequence";
    let row = tx
        .row(statement, [job.to_string().into(), count.into()])
        .await?;
    row.map(|row| Ok(row.int(0)? - count + 1)).transpose()
}

fn outcome_of(row: &Row) -> Result<(NodeName, Outcome), StoreError> {
    let answer = row.text(2)?;
    let outcome = if row.int(1)? == 0 {
        Outcome::Failed(answer.to_owned())
    } else {
        let word = WORDS.into_iter().find(|word| *word == answer);
        Outcome::Done(word.ok_or_else(|| StoreError::corrupt("an outcome", answer))?)
    };
    Ok((row.parse(0, "a node of a job")?, outcome))
}
