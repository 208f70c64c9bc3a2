//! Nodes as they stand in the store, with nics, reservation and progress.

use std::collections::HashMap;

use xcat3_core::boot::Progress;
use xcat3_core::{Node, NodeName};

use crate::database::{CHUNK, Row, Tx, chunks_of};
use crate::nics::nic_of;
use crate::{Revision, StoreError, now_ms};

/// The columns that [`node_of`] reads; `$2` is the time, to tell which reservations still hold.
macro_rules! select_nodes {
    ($condition:literal) => {
        concat!(
            "SELECT nodes.name, nodes.mgt, nodes.netboot, nodes.arch, nodes.kind,
                    nodes.control_info, nodes.console_info, nodes.state, nodes.failure,
                    nodes.osimage, nodes.conductor, nodes.deploy_token, reservations.owner,
                    progress.phase, progress.detail, progress.since_ms, progress.seen_ms
             FROM nodes
             LEFT JOIN reservations
                    ON reservations.node = nodes.name AND reservations.expires_ms > $2
             LEFT JOIN progress ON progress.node = nodes.name
             WHERE ",
            $condition
        )
    };
}

/// The columns that [`nic_of`] reads.
macro_rules! select_nics {
    ($condition:literal) => {
        concat!(
            "SELECT nics.uuid, nics.mac, nics.name, nics.ip, nics.netmask, nics.is_primary,
                    nics.extra, nics.node
             FROM nics WHERE ",
            $condition
        )
    };
}
pub(crate) use select_nics;

/// The nodes of these names that exist, in the order asked for, each once.
pub(crate) async fn nodes(tx: &mut Tx, names: &[NodeName]) -> Result<Vec<Node>, StoreError> {
    let mut found = HashMap::with_capacity(names.len());
    for chunk in chunks_of(names)? {
        for row in tx
            .rows(NODES_LISTED, [chunk.clone().into(), now_ms().into()])
            .await?
        {
            let node = node_of(&row)?;
            found.insert(node.name.clone(), node);
        }
        let nics = tx.rows(NICS_LISTED, [chunk.into()]).await?;
        attach(&mut found, &nics)?;
    }
    Ok(names.iter().filter_map(|name| found.remove(name)).collect())
}

const NODES_LISTED: &str = select_nodes!("nodes.name IN (SELECT value ->> 0 FROM json_each($1))");
const NICS_LISTED: &str =
    select_nics!("nics.node IN (SELECT value ->> 0 FROM json_each($1)) ORDER BY nics.position");

/// The nodes that changed after a revision, page by page in the order of their changes.
pub(crate) struct Pages {
    after: (Revision, String),
}

impl Pages {
    /// After -1 that is all of them.
    pub(crate) fn since(revision: Revision) -> Self {
        // No name is empty, so this stands before all of the next revision.
        Self {
            after: (revision.saturating_add(1), String::new()),
        }
    }

    /// The next page; empty after the last one.
    pub(crate) async fn next(&mut self, tx: &mut Tx) -> Result<Vec<Node>, StoreError> {
        let statement = "
            SELECT revision, name FROM nodes WHERE (revision, name) > ($1, $2)
            ORDER BY revision, name LIMIT $3";
        let (revision, name) = &self.after;
        let size = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let values = [(*revision).into(), name.as_str().into(), size.into()];
        let rows = tx.rows(statement, values).await?;
        let Some(last) = rows.last() else {
            return Ok(Vec::new());
        };
        self.after = (last.int(0)?, last.text(1)?.to_owned());
        let names = rows.iter().map(|row| row.parse(1, "a node's name"));
        let names: Vec<NodeName> = names.collect::<Result<_, _>>()?;
        nodes(tx, &names).await
    }
}

fn attach(nodes: &mut HashMap<NodeName, Node>, nics: &[Row]) -> Result<(), StoreError> {
    for row in nics {
        let nic = nic_of(row)?;
        if let Some(node) = nic.node.as_ref().and_then(|name| nodes.get_mut(name)) {
            if node.nics.is_empty() {
                // Most nodes have one, and very many nodes are kept in memory.
                node.nics.reserve_exact(1);
            }
            node.nics.push(nic);
        }
    }
    Ok(())
}

fn node_of(row: &Row) -> Result<Node, StoreError> {
    let mut node = Node::new(row.parse(0, "a node's name")?);
    node.declared.mgt = row.owned(1)?;
    node.declared.netboot = row.owned(2)?;
    node.declared.arch = row.owned(3)?;
    node.declared.kind = row.owned(4)?;
    node.declared.control_info = row.json(5, "a node's control_info")?;
    node.declared.console_info = row.json(6, "a node's console_info")?;
    node.deployment.state = row.maybe_parse(7, "a node's state")?.unwrap_or_default();
    node.deployment.failure = row.owned(8)?;
    node.deployment.osimage = row.owned(9)?;
    node.observed.conductor = row.owned(10)?;
    node.deployment.token = row.owned(11)?;
    node.observed.reservation = row.owned(12)?;
    if let Some(phase) = row.maybe_parse(13, "a node's phase")? {
        let detail = row.text(14)?.to_owned();
        let (since_ms, seen_ms) = (row.int(15)?, row.int(16)?);
        node.deployment.progress = Some(Progress {
            phase,
            detail,
            since_ms,
            seen_ms,
        });
    }
    Ok(node)
}
