//! Enrolling nodes.

use std::collections::HashSet;

use uuid::Uuid;
use xcat3_core::{Node, NodeName, Outcome};

use super::claims::Claims;
use super::{insert_nics, names};
use crate::StoreError;
use crate::database::{Tx, chunks, chunks_of, json};
use crate::feed::Kind;

/// See [`crate::Store::create_nodes`].
pub(super) async fn create(
    tx: &mut Tx,
    nodes: &[Node],
) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
    let mut names = existing(tx, nodes).await?;
    let macs = nodes.iter().flat_map(|node| &node.nics).map(|nic| nic.mac);
    let mut claims = Claims::stored(tx, macs).await?;
    let mut accepted = Vec::with_capacity(nodes.len());
    let mut outcomes = Vec::with_capacity(nodes.len());
    for node in nodes {
        let outcome = if names.contains(&node.name) {
            Outcome::failed("Error: duplicate name")
        } else if let Err(why) = claims.take(node) {
            Outcome::Failed(why)
        } else {
            names.insert(node.name.clone());
            accepted.push(with_uuids(node));
            Outcome::OK
        };
        outcomes.push((node.name.clone(), outcome));
    }
    if !accepted.is_empty() {
        insert(tx, &accepted).await?;
    }
    Ok(outcomes)
}

async fn existing(tx: &mut Tx, nodes: &[Node]) -> Result<HashSet<NodeName>, StoreError> {
    let statement = "SELECT name FROM nodes WHERE name IN (SELECT value ->> 0 FROM json_each($1))";
    let mut names = HashSet::with_capacity(nodes.len());
    for chunk in chunks_of(nodes.iter().map(|node| &node.name))? {
        for row in tx.rows(statement, [chunk.into()]).await? {
            names.insert(row.parse(0, "a node's name")?);
        }
    }
    Ok(names)
}

fn with_uuids(node: &Node) -> Node {
    let mut node = node.clone();
    for nic in &mut node.nics {
        nic.uuid = Uuid::new_v4();
    }
    node
}

async fn insert(tx: &mut Tx, nodes: &[Node]) -> Result<(), StoreError> {
    let revision = tx.new_revision().await?;
    let mut rows = Vec::with_capacity(nodes.len());
    for node in nodes {
        let infos = (json(&node.control_info)?, json(&node.console_info)?);
        let (mgt, netboot) = (node.mgt.as_deref(), node.netboot.as_deref());
        let (arch, kind) = (node.arch.as_deref(), node.kind.as_deref());
        rows.push((
            node.name.as_str(),
            mgt,
            netboot,
            arch,
            kind,
            infos.0,
            infos.1,
        ));
    }
    let statement = "
        INSERT INTO nodes (name, mgt, netboot, arch, kind, control_info, console_info, revision)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6, $2
        FROM json_each($1)";
    for chunk in chunks(&rows)? {
        tx.run(statement, [chunk.into(), revision.into()]).await?;
    }
    insert_nics(tx, nodes.iter()).await?;
    tx.exhume(Kind::Node, nodes.iter().map(|node| node.name.as_str()))
        .await?;
    names::changed(tx).await
}
