//! Creating a job: one row, and one a batch.

use std::collections::HashSet;

use uuid::Uuid;
use xcat3_core::NodeName;

use super::{Job, JobId, NewJob, batch_state};
use crate::database::{Tx, json};
use crate::jobs::status::prune;
use crate::{Store, StoreError, now_ms};

/// Nodes of the first batch of a job; each following one is twice as large until the batch size is
/// reached.
const FIRST_BATCH: usize = 64;

impl Store {
    /// Creates a job with its batches. Where its key is that of an earlier job which asks for the
    /// same, that one is the answer.
    ///
    /// # Errors
    /// The key is that of a job which asks for something else ([`StoreError::Conflict`]), or the
    /// database failed; there is no new job.
    pub async fn create_job(&self, job: &NewJob<'_>) -> Result<Job, StoreError> {
        let mut seen = HashSet::with_capacity(job.names.len());
        let names: Vec<&str> = job
            .names
            .iter()
            .map(NodeName::as_str)
            .filter(|name| seen.insert(*name))
            .collect();
        drop(seen);
        let mut tx = self.write().await?;
        prune(&mut tx).await?;
        let id = JobId(Uuid::new_v4());
        let Some(number) = insert_job(&mut tx, id, job, names.len()).await? else {
            return repeated(&mut tx, job, &names).await;
        };
        let batches = insert_batches(&mut tx, number, job, &names).await?;
        tx.commit().await?;
        Ok(Job {
            id,
            batches,
            repeated: false,
        })
    }
}

/// Gives the number of the new job; nothing where its key is taken.
async fn insert_job(
    tx: &mut Tx,
    id: JobId,
    job: &NewJob<'_>,
    nodes: usize,
) -> Result<Option<i64>, StoreError> {
    let number = tx.count_up("job").await?;
    let now = now_ms();
    let (state, finished) = match nodes {
        0 => ("done", Some(now)),
        _ => ("running", None),
    };
    let statement = "
        INSERT INTO jobs (number, id, operation, state, nodes, done, failed, left_alone,
                          last_sequence, wave, max_failures, open_wave, request_key, created_ms,
                          finished_ms)
        VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, $6, $7, 0, $8, $9, $10)
        ON CONFLICT (request_key) DO NOTHING";
    let values = [
        number.into(),
        id.to_string().into(),
        json(job.operation)?.into(),
        state.into(),
        count(nodes).into(),
        job.wave.map(count).into(),
        max_failures(job).into(),
        job.key.map(str::to_owned).into(),
        now.into(),
        finished.into(),
    ];
    let inserted = tx.run(statement, values).await?;
    Ok((inserted > 0).then_some(number))
}

/// Gives the numbers of the batches of the first wave.
async fn insert_batches(
    tx: &mut Tx,
    job: i64,
    new: &NewJob<'_>,
    names: &[&str],
) -> Result<Vec<i64>, StoreError> {
    let statement = "
        INSERT INTO batches (job, number, wave, state, names) VALUES ($1, $2, $3, $4, $5)";
    let mut first = Vec::new();
    let mut rest = names;
    for ((wave, size), number) in sizes(names.len(), new).into_iter().zip(0i64..) {
        let (names, after) = rest.split_at(size);
        rest = after;
        let names: Vec<[&str; 1]> = names.iter().map(|&name| [name]).collect();
        let values = [
            job.into(),
            number.into(),
            wave.into(),
            batch_state::WAITS.into(),
            json(&names)?.into(),
        ];
        tx.run(statement, values).await?;
        if wave == 0 {
            first.push(number);
        }
    }
    Ok(first)
}

/// The wave and the number of nodes of each batch. A batch is of one wave only.
fn sizes(nodes: usize, job: &NewJob<'_>) -> Vec<(i64, usize)> {
    let largest = job.batch_size.max(1);
    let whole_wave = job.wave.unwrap_or(nodes).max(1);
    let mut ramp = FIRST_BATCH.min(largest);
    let (mut left, mut left_of_wave, mut wave) = (nodes, whole_wave, 0);
    let mut sizes = Vec::new();
    while left > 0 {
        if left_of_wave == 0 {
            (left_of_wave, wave) = (whole_wave, wave + 1);
        }
        let size = ramp.min(left_of_wave).min(left);
        sizes.push((wave, size));
        left -= size;
        left_of_wave -= size;
        ramp = ramp.saturating_mul(2).min(largest);
    }
    sizes
}

/// The job that has the key already, if it asks for the same.
async fn repeated(tx: &mut Tx, job: &NewJob<'_>, names: &[&str]) -> Result<Job, StoreError> {
    let key = job.key.unwrap_or_default();
    let statement = "
        SELECT number, id, operation, nodes, wave, max_failures, open_wave
        FROM jobs WHERE request_key = $1";
    let row = tx.row(statement, [key.into()]).await?;
    let row = row.ok_or_else(|| StoreError::corrupt("jobs", "a key is taken by no job"))?;
    let number = row.int(0)?;
    let same = row.text(2)? == json(job.operation)?
        && row.int(3)? == count(names.len())
        && row.maybe_int(4)? == job.wave.map(count)
        && row.maybe_int(5)? == max_failures(job)
        && has_names(tx, number, names).await?;
    if !same {
        return Err(StoreError::Conflict(format!(
            "the key '{key}' belongs to a request for something else (job {}): use a new key for a \
             new request",
            row.text(1)?
        )));
    }
    Ok(Job {
        id: row.parse(1, "a job's id")?,
        batches: waiting(tx, number, row.int(6)?).await?,
        repeated: true,
    })
}

/// Whether these are the names of a job, in the same order.
async fn has_names(tx: &mut Tx, job: i64, names: &[&str]) -> Result<bool, StoreError> {
    let statement = "SELECT names FROM batches WHERE job = $1 AND number = $2";
    let mut rest = names;
    for number in 0i64.. {
        let Some(row) = tx.row(statement, [job.into(), number.into()]).await? else {
            break;
        };
        let stored: Vec<[String; 1]> = row.json(0, "the names of a batch")?;
        let Some((here, after)) = rest.split_at_checked(stored.len()) else {
            return Ok(false);
        };
        if !here
            .iter()
            .zip(&stored)
            .all(|(name, [stored])| name == stored)
        {
            return Ok(false);
        }
        rest = after;
    }
    Ok(rest.is_empty())
}

/// The numbers of the batches of waves up to `wave` that were not begun.
pub(super) async fn waiting(tx: &mut Tx, job: i64, wave: i64) -> Result<Vec<i64>, StoreError> {
    // That the state is below 2 is said for the index of the unfinished.
    let statement = "
        SELECT number FROM batches
        WHERE job = $1 AND wave <= $2 AND state = 0 AND state < 2 ORDER BY number";
    let rows = tx.rows(statement, [job.into(), wave.into()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn max_failures(job: &NewJob<'_>) -> Option<i64> {
    job.max_failures
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xcat3_core::{ControlOperation, Operation};

    fn split(nodes: usize, batch_size: usize, wave: Option<usize>) -> Vec<(i64, usize)> {
        let operation = Operation::Control(ControlOperation::PowerStatus);
        let job = NewJob {
            wave,
            ..NewJob::new(&operation, &[], batch_size)
        };
        sizes(nodes, &job)
    }

    #[test]
    fn batches_grow_up_to_their_size() {
        assert_eq!(split(0, 1_000, None), []);
        assert_eq!(split(70, 1_000, None), [(0, 64), (0, 6)]);
        assert_eq!(split(5, 2, None), [(0, 2), (0, 2), (0, 1)]);
        let large = split(65_536, 1_000, None);
        assert_eq!(large[..5], [64, 128, 256, 512, 1_000].map(|size| (0, size)));
        assert_eq!(large.iter().map(|(_, size)| size).sum::<usize>(), 65_536);
        assert!(large.len() < 72, "{}", large.len());
    }

    #[test]
    fn a_batch_is_of_one_wave() {
        let split = split(1_000, 500, Some(300));
        let mut waves = [0; 4];
        for (wave, size) in split {
            waves[usize::try_from(wave).unwrap()] += size;
        }
        assert_eq!(waves, [300, 300, 300, 100]);
        assert_eq!(super::tests::split(3, 10, Some(0)).len(), 3);
    }
}
