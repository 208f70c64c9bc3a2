//! The change feed: what nodes, networks, OS images and passwords became since a reader last looked.
//!
//! Each transaction that changes one of them takes the next revision and marks the rows that it
//! writes with it; what it removes leaves a tombstone. Progress, leases, heartbeats, jobs and
//! reservations take no revision: nobody has to serve anything else because of them.

use tokio::sync::watch;
use xcat3_core::{Network, Node, NodeName, OsImage, Passwd};

use crate::database::{Tx, chunks_of};
use crate::{Store, StoreError, images, networks, nodes, now_ms, passwds};

/// For how long it is remembered what was removed.
const REMEMBERED_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// Counts the changes that services must know of. It only grows.
pub type Revision = i64;

/// What became of nodes, networks, OS images and passwords since a revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The revision up to which this tells; what to ask from next time.
    pub revision: Revision,
    /// Whether this (with the parts that follow it) is all that there is, to replace what the reader had. It is when it asked for
    /// the changes since 0, when the store is another one than it has seen, and when it is so far
    /// behind that what was removed since has been forgotten.
    pub complete: bool,
    /// Nodes that are new or changed, as they are now. Their reservation, conductor and progress are
    /// those of the moment: the feed doesn't tell of changes of these.
    pub nodes: Vec<Node>,
    /// Nodes that are gone.
    pub removed_nodes: Vec<NodeName>,
    /// Networks that are new or changed.
    pub networks: Vec<Network>,
    /// Names of networks that are gone.
    pub removed_networks: Vec<String>,
    /// OS images that are new or changed.
    pub osimages: Vec<OsImage>,
    /// Names of OS images that are gone.
    pub removed_osimages: Vec<String>,
    /// Passwords that are new or changed.
    pub passwds: Vec<Passwd>,
    /// Keys of passwords that are gone.
    pub removed_passwds: Vec<String>,
}

/// What the feed tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Node,
    Network,
    Osimage,
    Passwd,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Network => "network",
            Self::Osimage => "osimage",
            Self::Passwd => "passwd",
        }
    }
}

impl Store {
    /// The revision of the last change. Cheap: other processes change the store too, and asking for
    /// it every second or so is how to learn of that.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revision(&self) -> Result<Revision, StoreError> {
        self.read().await?.latest_revision().await
    }

    /// Tells when something in this process changed the store. Changes by other processes are only
    /// seen by asking for the [`Store::revision`].
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<Revision> {
        self.latest.subscribe()
    }

    /// All changes after the revision `since`; since 0 that is everything there is. Nodes come by name.
    /// For many nodes [`Store::each_change_since`] needs less memory.
    ///
    /// # Errors
    /// The database failed.
    pub async fn changes_since(&self, since: Revision) -> Result<Changes, StoreError> {
        let mut all: Option<Changes> = None;
        let mut gather = |part: Changes| match &mut all {
            None => all = Some(part),
            Some(all) => all.nodes.extend(part.nodes),
        };
        self.each_change_since(since, &mut gather).await?;
        let mut all = all.unwrap_or_default();
        all.nodes.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// Hands all changes after the revision `since` to `take`, in parts of at most a thousand nodes,
    /// and gives the revision up to which they tell. The first part, which comes in any case, has
    /// everything but the rest of the nodes. All are of one state of the database; nobody should wait
    /// for `take`.
    ///
    /// # Errors
    /// The database failed; parts may have been handed over.
    pub async fn each_change_since(
        &self,
        since: Revision,
        take: &mut (dyn FnMut(Changes) + Send),
    ) -> Result<Revision, StoreError> {
        let mut tx = self.read().await?;
        let revision = tx.latest_revision().await?;
        let complete = since <= 0 || since > revision || since < tx.forgotten().await?;
        let mut part = Changes {
            revision,
            complete,
            ..Changes::default()
        };
        if since == revision {
            take(part);
            return Ok(revision);
        }
        let after = if complete { -1 } else { since };
        part.networks = networks::networks_since(&mut tx, after).await?;
        part.osimages = images::osimages_since(&mut tx, after).await?;
        part.passwds = passwds::passwds_since(&mut tx, after).await?;
        if !complete {
            part.add_removals(&mut tx, since).await?;
        }
        let mut pages = nodes::read::Pages::since(after);
        part.nodes = pages.next(&mut tx).await?;
        loop {
            take(part);
            let nodes = pages.next(&mut tx).await?;
            if nodes.is_empty() {
                return Ok(revision);
            }
            part = Changes {
                revision,
                nodes,
                ..Changes::default()
            };
        }
    }
}

impl Changes {
    async fn add_removals(&mut self, tx: &mut Tx, since: Revision) -> Result<(), StoreError> {
        let statement = "SELECT kind, name FROM tombstones WHERE revision > $1 ORDER BY kind, name";
        for row in tx.rows(statement, [since.into()]).await? {
            let name = row.text(1)?.to_owned();
            match row.text(0)? {
                "node" => self
                    .removed_nodes
                    .push(row.parse(1, "the name of a removed node")?),
                "network" => self.removed_networks.push(name),
                "osimage" => self.removed_osimages.push(name),
                "passwd" => self.removed_passwds.push(name),
                other => return Err(StoreError::corrupt("tombstones", other)),
            }
        }
        Ok(())
    }
}

impl Tx {
    /// Remembers that things are gone.
    pub(crate) async fn bury(
        &mut self,
        kind: Kind,
        names: impl IntoIterator<Item = &str>,
    ) -> Result<(), StoreError> {
        let names: Vec<&str> = names.into_iter().collect();
        if names.is_empty() {
            return Ok(());
        }
        let revision = self.new_revision().await?;
        let statement = "
            INSERT INTO tombstones (kind, name, revision, buried_ms)
            SELECT $2, value ->> 0, $3, $4 FROM json_each($1) WHERE true
            ON CONFLICT (kind, name) DO UPDATE
            SET revision = excluded.revision, buried_ms = excluded.buried_ms";
        let now = now_ms();
        for chunk in chunks_of(&names)? {
            let kind = kind.as_str().into();
            let values = [chunk.into(), kind, revision.into(), now.into()];
            self.run(statement, values).await?;
        }
        self.forget_tombstones(now - REMEMBERED_MS).await
    }

    /// Removes the tombstones of what was removed before a time, and notes up to which revision that
    /// is: a reader that has not come that far has to begin anew.
    async fn forget_tombstones(&mut self, before_ms: i64) -> Result<(), StoreError> {
        let oldest = "SELECT buried_ms FROM tombstones ORDER BY revision LIMIT 1";
        let oldest = self.row(oldest, []).await?;
        if oldest.map_or(Ok(i64::MAX), |row| row.int(0))? >= before_ms {
            return Ok(());
        }
        let note = "
            UPDATE counters
            SET value = (SELECT MAX(revision) FROM tombstones WHERE buried_ms < $1)
            WHERE name = 'forgotten'
              AND value < (SELECT MAX(revision) FROM tombstones WHERE buried_ms < $1)";
        self.run(note, [before_ms.into()]).await?;
        let forget = "DELETE FROM tombstones WHERE buried_ms < $1";
        self.run(forget, [before_ms.into()]).await.map(|_| ())
    }

    /// Up to which revision tombstones may be gone.
    async fn forgotten(&mut self) -> Result<Revision, StoreError> {
        let statement = "SELECT value FROM counters WHERE name = 'forgotten'";
        let row = self.row(statement, []).await?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Forgets that things of these names were ever gone, since there are new ones.
    pub(crate) async fn exhume(
        &mut self,
        kind: Kind,
        names: impl IntoIterator<Item = &str>,
    ) -> Result<(), StoreError> {
        let names: Vec<&str> = names.into_iter().collect();
        let statement = "
            DELETE FROM tombstones
            WHERE kind = $2 AND name IN (SELECT value ->> 0 FROM json_each($1))";
        for chunk in chunks_of(&names)? {
            self.run(statement, [chunk.into(), kind.as_str().into()])
                .await?;
        }
        Ok(())
    }
}
