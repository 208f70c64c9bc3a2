//! Reservations: which operation holds a node now.
//!
//! A reservation ends by itself at its expiry, so that a conductor that dies holds nothing for ever.
//! Each carries a fencing number that is never given out again: a conductor that was thought dead
//! and wakes up can't write over what its successor did.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use xcat3_core::{Node, NodeName};

use crate::database::{Tx, beside, chunks_of};
use crate::nodes::read;
use crate::{JobId, Store, StoreError, milliseconds, now_ms};

/// What [`Store::reserve`] could and could not reserve. Names that don't exist are nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Reserved {
    /// The number that these reservations are known by.
    pub fence: i64,
    /// The nodes reserved, in the order asked for.
    pub nodes: Vec<Node>,
    /// The nodes that another operation holds, in the order asked for.
    pub locked: Vec<NodeName>,
    /// The nodes that another owner holds for the same purpose, in the order asked for: it is at
    /// work on them, or died and its time is not over.
    pub awaited: Vec<NodeName>,
    /// Those of `nodes` whose deploy under way was begun under an earlier reservation for the same
    /// purpose.
    pub begun: Vec<NodeName>,
}

impl Store {
    /// Reserves those of the nodes that nobody holds for `owner` (a host name, a `/` and which of the
    /// host's workers it is), and notes the host as their conductor.
    ///
    /// `purpose` names the work that they are reserved for. What the same owner holds for the same
    /// purpose it reserves anew, under a new number: it goes on with its own work of before.
    ///
    /// # Errors
    /// The database failed; nothing was reserved.
    pub async fn reserve(
        &self,
        names: &[NodeName],
        owner: &str,
        purpose: &str,
        for_: Duration,
    ) -> Result<Reserved, StoreError> {
        let wanted = Wanted {
            names,
            owner,
            purpose,
            job: None,
        };
        self.take(wanted, for_).await
    }

    /// The same for a batch of a job: nodes that got their outcome since `names` were read, from who
    /// held them until now, are passed over.
    ///
    /// # Errors
    /// The database failed; nothing was reserved.
    pub async fn reserve_batch(
        &self,
        job: JobId,
        names: &[NodeName],
        owner: &str,
        purpose: &str,
        for_: Duration,
    ) -> Result<Reserved, StoreError> {
        let wanted = Wanted {
            names,
            owner,
            purpose,
            job: Some(job),
        };
        self.take(wanted, for_).await
    }

    async fn take(&self, wanted: Wanted<'_>, for_: Duration) -> Result<Reserved, StoreError> {
        // In one order for all, so that nobody holds what another waits for.
        let mut sorted: Vec<&NodeName> = wanted.names.iter().collect();
        sorted.sort_unstable();
        let chunks = chunks_of(sorted)?;
        let (mut reserved, held) = beside!(self, tx, {
            let fence = tx.next_fence().await?;
            let mut held = insert(&mut tx, fence, &wanted, &chunks, for_).await?;
            if let Some(job) = wanted.job {
                pass_over_answered(&mut tx, fence, job, &mut held).await?;
            }
            sign(&mut tx, fence, wanted.owner).await?;
            let (held, rest): (Vec<NodeName>, Vec<NodeName>) = wanted
                .names
                .iter()
                .cloned()
                .partition(|name| held.contains(name.as_str()));
            let (locked, awaited) = others(&mut tx, rest, wanted.purpose).await?;
            let begun = begun(&mut tx, fence).await?;
            let reserved = Reserved {
                fence,
                nodes: Vec::new(),
                locked,
                awaited,
                begun,
            };
            (reserved, held)
        })?;
        // From here on nobody else changes them, so that others need not wait for the reading.
        reserved.nodes = read::nodes(&mut self.read().await?, &held).await?;
        Ok(reserved)
    }

    /// Puts off the expiry of reservations, and tells which are held, by name. One whose time is over
    /// is held again, unless somebody took its node meanwhile: nobody else did anything to a node
    /// that is still reserved under this number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn extend(&self, fence: i64, for_: Duration) -> Result<Vec<NodeName>, StoreError> {
        let expires = now_ms().saturating_add(milliseconds(for_));
        let statement = "
            UPDATE reservations SET expires_ms = $2
            WHERE fence = $1 RETURNING node";
        let rows = beside!(self, tx, {
            tx.rows(statement, [fence.into(), expires.into()]).await?
        })?;
        let mut names: Vec<NodeName> = rows
            .iter()
            .map(|row| row.parse(0, "a reserved node"))
            .collect::<Result<_, _>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// The nodes that are still reserved under this number, by name. A number is given out once: a
    /// node that is held now was held all the time since it was reserved.
    ///
    /// # Errors
    /// The database failed.
    pub async fn held(&self, fence: i64) -> Result<Vec<NodeName>, StoreError> {
        let statement = "
            SELECT node FROM reservations WHERE fence = $1 AND expires_ms > $2 ORDER BY node";
        let mut tx = self.read().await?;
        let rows = tx.rows(statement, [fence.into(), now_ms().into()]).await?;
        rows.iter()
            .map(|row| row.parse(0, "a reserved node"))
            .collect()
    }

    /// Gives back what is still reserved under this number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release(&self, fence: i64) -> Result<(), StoreError> {
        let statement = "DELETE FROM reservations WHERE fence = $1";
        beside!(self, tx, {
            tx.run(statement, [fence.into()]).await?;
        })
    }

    /// Gives back all that an owner holds, and tells how many nodes that were: for a conductor's
    /// worker to say at its start that an earlier run of it is dead.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release_owner(&self, owner: &str) -> Result<u64, StoreError> {
        let statement = "DELETE FROM reservations WHERE owner = $1";
        beside!(self, tx, { tx.run(statement, [owner.into()]).await? })
    }
}

/// Which nodes are to be reserved for whom and what.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    names: &'a [NodeName],
    owner: &'a str,
    purpose: &'a str,
    job: Option<JobId>,
}

/// Reserves those of the nodes that are free, a chunk of them at a time, by name, and tells which they
/// were.
async fn insert(
    tx: &mut Tx,
    fence: i64,
    wanted: &Wanted<'_>,
    chunks: &[String],
    for_: Duration,
) -> Result<HashSet<String>, StoreError> {
    let now = now_ms();
    let expires = now.saturating_add(milliseconds(for_));
    let statement = "
        INSERT INTO reservations (node, fence, owner, purpose, expires_ms)
        SELECT name, $2, $3, $4, $5 FROM nodes
        WHERE name IN (SELECT value ->> 0 FROM json_each($1))
        ORDER BY name
        ON CONFLICT (node) DO UPDATE
        SET fence = excluded.fence, owner = excluded.owner, purpose = excluded.purpose,
            expires_ms = excluded.expires_ms
        WHERE reservations.expires_ms <= $6
           OR (reservations.purpose = excluded.purpose AND reservations.owner = excluded.owner)
        RETURNING node";
    let mut held = HashSet::with_capacity(wanted.names.len());
    for chunk in chunks {
        let values = [
            chunk.as_str().into(),
            fence.into(),
            wanted.owner.into(),
            wanted.purpose.into(),
            expires.into(),
            now.into(),
        ];
        for row in tx.rows(statement, values).await? {
            held.insert(row.text(0)?.to_owned());
        }
    }
    Ok(held)
}

/// Notes the host of `owner` as the conductor of what is reserved under a number.
async fn sign(tx: &mut Tx, fence: i64, owner: &str) -> Result<(), StoreError> {
    let statement = "
        UPDATE nodes SET conductor = $2
        WHERE name IN (SELECT node FROM reservations WHERE fence = $1)
          AND conductor IS DISTINCT FROM $2";
    tx.run(statement, [fence.into(), host_of(owner).into()])
        .await
        .map(|_| ())
}

/// Gives back those of the nodes reserved under `fence` that have their outcome in `job`. Whoever
/// recorded it gave the node back in the same transaction, so that none is missed here.
async fn pass_over_answered(
    tx: &mut Tx,
    fence: i64,
    job: JobId,
    held: &mut HashSet<String>,
) -> Result<(), StoreError> {
    let statement = "
        DELETE FROM reservations
        WHERE fence = $1
          AND (SELECT job_nodes.sequence FROM job_nodes
               WHERE job_nodes.job = (SELECT number FROM jobs WHERE id = $2)
                 AND job_nodes.node = reservations.node) IS NOT NULL
        RETURNING node";
    for row in tx
        .rows(statement, [fence.into(), job.to_string().into()])
        .await?
    {
        held.remove(row.text(0)?);
    }
    Ok(())
}

/// Who of `rest` is held for something else, and who for the same purpose.
async fn others(
    tx: &mut Tx,
    rest: Vec<NodeName>,
    purpose: &str,
) -> Result<(Vec<NodeName>, Vec<NodeName>), StoreError> {
    let statement = "
        SELECT node, purpose FROM reservations
        WHERE node IN (SELECT value ->> 0 FROM json_each($1))";
    let mut held = HashMap::new();
    for chunk in chunks_of(&rest)? {
        for row in tx.rows(statement, [chunk.into()]).await? {
            held.insert(row.text(0)?.to_owned(), row.text(1)? == purpose);
        }
    }
    let (mut locked, mut awaited) = (Vec::new(), Vec::new());
    for name in rest {
        match held.get(name.as_str()) {
            Some(true) => awaited.push(name),
            Some(false) => locked.push(name),
            None => {}
        }
    }
    Ok((locked, awaited))
}

async fn begun(tx: &mut Tx, fence: i64) -> Result<Vec<NodeName>, StoreError> {
    // Asked of each reserved node by its key; joined, the planner may begin with all that deploy.
    let statement = "
        SELECT node FROM reservations
        WHERE fence = $1
          AND (SELECT progress.purpose FROM progress
               WHERE progress.node = reservations.node) = purpose
          AND (SELECT nodes.state FROM nodes WHERE nodes.name = reservations.node) = 'deploying'
        ORDER BY node";
    let rows = tx.rows(statement, [fence.into()]).await?;
    rows.iter()
        .map(|row| row.parse(0, "a reserved node"))
        .collect()
}

/// The host of an owner of reservations.
fn host_of(owner: &str) -> &str {
    owner.split('/').next().unwrap_or(owner)
}
