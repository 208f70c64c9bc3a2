//! Reservations: which operation holds a node now.
//!
//! A reservation ends by itself at its expiry, so that a conductor that dies holds nothing for ever.
//! Each carries a fencing number that is never given out again: a conductor that was thought dead
//! and wakes up can't write over what its successor did.

use std::time::Duration;

use xcat3_core::{Node, NodeName};

use crate::database::{Tx, beside, chunks_of};
use crate::nodes::read;
use crate::{Store, StoreError, milliseconds, now_ms};

/// What [`Store::reserve`] could and could not reserve. Names that don't exist are in neither.
#[derive(Clone, Debug, PartialEq)]
pub struct Reserved {
    /// The number that these reservations are known by.
    pub fence: i64,
    /// The nodes reserved, in the order asked for.
    pub nodes: Vec<Node>,
    /// The nodes that another operation holds, in the order asked for.
    pub locked: Vec<NodeName>,
    /// Those of `nodes` whose deploy under way was begun under an earlier reservation for the same
    /// purpose.
    pub begun: Vec<NodeName>,
}

impl Store {
    /// Reserves those of the nodes that nobody holds for `owner` (a host name, a `/` and which of the
    /// host's workers it is), and notes the host as their conductor.
    ///
    /// `purpose` names the work that they are reserved for. Nodes that are reserved for the same
    /// purpose are taken over under a new number: whoever reserves them again goes on with the work
    /// of one that is dead, or is taken for dead and can write nothing from then on.
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
        // In one order for all, so that nobody holds what another waits for.
        let mut sorted: Vec<&NodeName> = names.iter().collect();
        sorted.sort_unstable();
        let chunks = chunks_of(sorted)?;
        beside!(self, tx, {
            let fence = tx.next_fence().await?;
            take(&mut tx, fence, &chunks, owner, purpose, for_).await?;
            taken(&mut tx, fence, names).await?
        })
    }

    /// Puts off the expiry of reservations that are still held, and tells which those are, by name.
    /// One whose time is over stays lost, though nobody took its node.
    ///
    /// # Errors
    /// The database failed.
    pub async fn extend(&self, fence: i64, for_: Duration) -> Result<Vec<NodeName>, StoreError> {
        let now = now_ms();
        let expires = now.saturating_add(milliseconds(for_));
        let statement = "
            UPDATE reservations SET expires_ms = $2
            WHERE fence = $1 AND expires_ms > $3 RETURNING node";
        let rows = beside!(self, tx, {
            tx.rows(statement, [fence.into(), expires.into(), now.into()])
                .await?
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

/// Reserves those of the nodes that are free, a chunk of them at a time, by name.
async fn take(
    tx: &mut Tx,
    fence: i64,
    chunks: &[String],
    owner: &str,
    purpose: &str,
    for_: Duration,
) -> Result<(), StoreError> {
    let now = now_ms();
    let expires = now.saturating_add(milliseconds(for_));
    let take = "
        INSERT INTO reservations (node, fence, owner, purpose, expires_ms)
        SELECT name, $2, $3, $4, $5 FROM nodes
        WHERE name IN (SELECT value ->> 0 FROM json_each($1))
        ORDER BY name
        ON CONFLICT (node) DO UPDATE
        SET fence = excluded.fence, owner = excluded.owner, purpose = excluded.purpose,
            expires_ms = excluded.expires_ms
        WHERE reservations.expires_ms <= $6 OR reservations.purpose = excluded.purpose";
    for chunk in chunks {
        let values = [
            chunk.as_str().into(),
            fence.into(),
            owner.into(),
            purpose.into(),
            expires.into(),
            now.into(),
        ];
        tx.run(take, values).await?;
    }
    let sign = "
        UPDATE nodes SET conductor = $2
        WHERE name IN (SELECT node FROM reservations WHERE fence = $1)
          AND conductor IS DISTINCT FROM $2";
    tx.run(sign, [fence.into(), host_of(owner).into()])
        .await
        .map(|_| ())
}

/// What was reserved under a number and what was not.
async fn taken(tx: &mut Tx, fence: i64, names: &[NodeName]) -> Result<Reserved, StoreError> {
    let held = "SELECT node FROM reservations WHERE fence = $1";
    let held = tx.rows(held, [fence.into()]).await?;
    let held: std::collections::HashSet<&str> = held
        .iter()
        .map(|row| row.text(0))
        .collect::<Result<_, _>>()?;
    let all = read::nodes(tx, names).await?;
    let (nodes, locked): (Vec<Node>, Vec<Node>) = all
        .into_iter()
        .partition(|node| held.contains(node.name.as_str()));
    Ok(Reserved {
        fence,
        nodes,
        locked: locked.into_iter().map(|node| node.name).collect(),
        begun: begun(tx, fence).await?,
    })
}

async fn begun(tx: &mut Tx, fence: i64) -> Result<Vec<NodeName>, StoreError> {
    let statement = "
        SELECT nodes.name FROM reservations
        JOIN progress ON progress.node = reservations.node
         AND progress.purpose = reservations.purpose
        JOIN nodes ON nodes.name = reservations.node AND nodes.state = 'deploying'
        WHERE reservations.fence = $1 ORDER BY nodes.name";
    let rows = tx.rows(statement, [fence.into()]).await?;
    rows.iter()
        .map(|row| row.parse(0, "a reserved node"))
        .collect()
}

/// The host of an owner of reservations.
fn host_of(owner: &str) -> &str {
    owner.split('/').next().unwrap_or(owner)
}
