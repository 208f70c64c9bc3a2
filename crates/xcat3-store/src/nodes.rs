//! Nodes as operators declare them: enrolled, read, changed and removed, many at a time.
//!
//! Where a node stands in its provisioning is written elsewhere ([`crate::provisioning`]).

mod claims;
mod create;
mod names;
pub(crate) mod read;
mod update;

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

use uuid::Uuid;
use xcat3_core::{Node, NodeName, Outcome, State, natural};

use crate::database::{Row, Tx, chunks, chunks_of};
use crate::feed::Kind;
use crate::{LOCKED, NOT_FOUND, Revision, Store, StoreError, now_ms};

/// The order in which names of nodes are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeSort {
    /// What decides first; nodes that are equal in it come in their natural order.
    pub key: SortKey,
    /// Whether the last comes first.
    pub descending: bool,
}

/// An attribute that nodes can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// The name, in natural order: `node2` before `node10`.
    #[default]
    Name,
    /// The control driver.
    Mgt,
    /// The boot driver.
    Netboot,
    /// The architecture.
    Arch,
    /// The operator's classification, `type` on the wire.
    Kind,
    /// The provisioning state.
    State,
    /// The OS image.
    Osimage,
    /// The conductor that last acted on it.
    Conductor,
}

/// The word is nothing that nodes can be sorted by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nodes can't be sorted by '{0}': use one of name, mgt, netboot, arch, type, state, osimage, \
     conductor"
)]
pub struct UnknownSortKey(String);

impl FromStr for SortKey {
    type Err = UnknownSortKey;

    fn from_str(word: &str) -> Result<Self, UnknownSortKey> {
        Ok(match word {
            "name" => Self::Name,
            "mgt" => Self::Mgt,
            "netboot" => Self::Netboot,
            "arch" => Self::Arch,
            "type" => Self::Kind,
            "state" => Self::State,
            "osimage" => Self::Osimage,
            "conductor" => Self::Conductor,
            other => return Err(UnknownSortKey(other.chars().take(64).collect())),
        })
    }
}

impl SortKey {
    /// Names with what decides before them; nothing where that is the name itself.
    fn statement(self) -> Option<&'static str> {
        Some(match self {
            Self::Name => return None,
            Self::Mgt => "SELECT name, mgt FROM nodes",
            Self::Netboot => "SELECT name, netboot FROM nodes",
            Self::Arch => "SELECT name, arch FROM nodes",
            Self::Kind => "SELECT name, kind FROM nodes",
            Self::State => "SELECT name, state FROM nodes",
            Self::Osimage => "SELECT name, osimage FROM nodes",
            Self::Conductor => "SELECT name, conductor FROM nodes",
        })
    }
}

impl Store {
    /// Enrols nodes with their nics and answers for each, in the order given: `ok`, or why not. What
    /// is enrolled is what an operator declares; state, reservation and so on begin empty. Nodes that
    /// are given by value are dropped on the way, a thousand at a time.
    ///
    /// # Errors
    /// The database failed; no node was enrolled.
    pub async fn create_nodes<Nodes>(
        &self,
        nodes: Nodes,
    ) -> Result<Vec<(NodeName, Outcome)>, StoreError>
    where
        Nodes: IntoIterator<Item: Borrow<Node> + Send + Sync, IntoIter: Send>,
    {
        let nodes = nodes.into_iter();
        let mut tx = self.write().await?;
        let outcomes = create::create(&mut tx, nodes).await?;
        tx.commit().await?;
        Ok(outcomes)
    }

    /// The names of all nodes, in any order; [`Store::all_names`] costs less.
    ///
    /// # Errors
    /// The database failed.
    pub async fn node_names(&self, sort: NodeSort) -> Result<Vec<NodeName>, StoreError> {
        let mut names = match sort.key.statement() {
            None => self.all_names().await?.to_vec(),
            Some(statement) => {
                let mut keyed = Vec::new();
                let take = |row: &Row| {
                    keyed.push((row.owned(1)?, row.parse(0, "a node's name")?));
                    Ok(())
                };
                self.read().await?.each(statement, [], take).await?;
                names::sorted(keyed)
            }
        };
        if sort.descending {
            names.reverse();
        }
        Ok(names)
    }

    /// The nodes of these names that exist, in the order asked for, each once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn nodes(&self, names: &[NodeName]) -> Result<Vec<Node>, StoreError> {
        read::nodes(&mut self.read().await?, names).await
    }

    /// All nodes, in natural order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn all_nodes(&self) -> Result<Vec<Node>, StoreError> {
        let mut tx = self.read().await?;
        let (mut nodes, mut pages) = (Vec::new(), read::Pages::since(-1));
        loop {
            let page = pages.next(&mut tx).await?;
            if page.is_empty() {
                break;
            }
            nodes.extend(page);
        }
        nodes.sort_by(|left, right| natural::compare(left.name.as_str(), right.name.as_str()));
        Ok(nodes)
    }

    /// Changes what operators declared of nodes, nics included, and answers for each name, in the
    /// order given: `updated`, or why not, which may be what `change` said. Only what operators may
    /// declare is written, whatever else `change` touches.
    ///
    /// # Errors
    /// The database failed; no node was changed.
    pub async fn update_nodes(
        &self,
        names: &[NodeName],
        change: &mut (dyn FnMut(&mut Node) -> Result<(), String> + Send),
    ) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
        let mut tx = self.write().await?;
        let outcomes = update::update(&mut tx, names, change).await?;
        tx.commit().await?;
        Ok(outcomes)
    }

    /// Removes nodes with their nics and answers for each name, in the order given: `deleted`, or
    /// why not. A node that is being deployed stays, and so does one that an operation holds.
    ///
    /// # Errors
    /// The database failed; no node was removed.
    pub async fn delete_nodes(
        &self,
        names: &[NodeName],
    ) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
        let mut tx = self.write().await?;
        let standing = standing_of(&mut tx, names).await?;
        let mut outcomes = Vec::with_capacity(names.len());
        let mut removed = BTreeSet::new();
        for name in names {
            let outcome = match standing.get(name) {
                None => Outcome::failed(NOT_FOUND),
                Some(Standing { reserved: true, .. }) => Outcome::failed(LOCKED),
                Some(Standing {
                    state: State::Deploying,
                    ..
                }) => {
                    Outcome::failed("it is being deployed: take that back first (deploy --delete)")
                }
                Some(_) => {
                    removed.insert(name);
                    Outcome::Done("deleted")
                }
            };
            outcomes.push((name.clone(), outcome));
        }
        for chunk in chunks_of(removed.iter().copied())? {
            let delete = "DELETE FROM nodes WHERE name IN (SELECT value ->> 0 FROM json_each($1))";
            tx.run(delete, [chunk.into()]).await?;
        }
        if !removed.is_empty() {
            tx.bury(Kind::Node, removed.iter().map(|name| name.as_str()))
                .await?;
            names::changed(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(outcomes)
    }
}

pub(crate) use names::Names;

/// What decides whether a node may be touched.
struct Standing {
    state: State,
    reserved: bool,
}

async fn standing_of(
    tx: &mut Tx,
    names: &[NodeName],
) -> Result<HashMap<NodeName, Standing>, StoreError> {
    let statement = "
        SELECT nodes.name, nodes.state, reservations.fence
        FROM nodes
        LEFT JOIN reservations ON reservations.node = nodes.name AND reservations.expires_ms > $2
        WHERE nodes.name IN (SELECT value ->> 0 FROM json_each($1))";
    let mut found = HashMap::with_capacity(names.len());
    let now = now_ms();
    for chunk in chunks_of(names)? {
        for row in tx.rows(statement, [chunk.into(), now.into()]).await? {
            let state = row.maybe_parse(1, "a node's state")?.unwrap_or_default();
            let reserved = row.maybe_int(2)?.is_some();
            found.insert(row.parse(0, "a node's name")?, Standing { state, reserved });
        }
    }
    Ok(found)
}

/// Which uuids nics are written with.
#[derive(Clone, Copy)]
enum NicIds {
    /// Those that they have.
    Kept,
    /// New ones, made here.
    New,
}

/// Writes the nics of nodes whose rows exist and have none.
async fn insert_nics<'a>(
    tx: &mut Tx,
    nodes: impl Iterator<Item = &'a Node>,
    ids: NicIds,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for node in nodes {
        for (place, nic) in node.nics.iter().enumerate() {
            let text = |address: Option<std::net::IpAddr>| address.map(|ip| ip.to_string());
            let primary = i64::from(nic.primary);
            let (ip, netmask) = (text(nic.ip), text(nic.netmask));
            let extra = crate::database::json(&nic.extra)?;
            let (name, node) = (nic.name.as_deref(), node.name.as_str());
            let uuid = match ids {
                NicIds::Kept => nic.uuid,
                NicIds::New => Uuid::new_v4(),
            };
            rows.push((
                uuid, nic.mac, name, ip, netmask, primary, extra, node, place,
            ));
        }
    }
    let statement = "
        INSERT INTO nics (uuid, mac, name, ip, netmask, is_primary, extra, node, position)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
               CAST(value ->> 5 AS BIGINT), value ->> 6, value ->> 7, CAST(value ->> 8 AS BIGINT)
        FROM json_each($1)";
    for chunk in chunks(&rows)? {
        tx.run(statement, [chunk.into()]).await?;
    }
    Ok(())
}

/// Marks nodes as changed, for facts of theirs that stand in other tables.
pub(crate) async fn touch(
    tx: &mut Tx,
    names: &[&NodeName],
    revision: Revision,
) -> Result<(), StoreError> {
    let statement = "
        UPDATE nodes SET revision = $2
        WHERE name IN (SELECT value ->> 0 FROM json_each($1))";
    for chunk in chunks_of(names.iter().copied())? {
        tx.run(statement, [chunk.into(), revision.into()]).await?;
    }
    Ok(())
}
