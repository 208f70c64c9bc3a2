//! Enrolling nodes.

use std::borrow::Borrow;
use std::collections::HashSet;

use xcat3_core::{Node, NodeName, Outcome};

use super::claims::Claims;
use super::{NicIds, insert_nics, names};
use crate::StoreError;
use crate::database::{CHUNK, Tx, chunks_of, json};
use crate::feed::Kind;

/// See [`crate::Store::create_nodes`]. Only so many nodes as one statement carries are held at a time.
pub(super) async fn create<N: Borrow<Node>>(
    tx: &mut Tx,
    mut nodes: impl Iterator<Item = N>,
) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
    let mut claims = Claims::default();
    let mut outcomes = Vec::with_capacity(nodes.size_hint().0);
    let mut changed = false;
    loop {
        let part: Vec<N> = nodes.by_ref().take(CHUNK).collect();
        if part.is_empty() {
            break;
        }
        let part: Vec<&Node> = part.iter().map(Borrow::borrow).collect();
        let accepted = decide(tx, &part, &mut claims, &mut outcomes).await?;
        if !accepted.is_empty() {
            insert(tx, &accepted).await?;
            changed = true;
        }
    }
    if changed {
        names::changed(tx).await?;
    }
    Ok(outcomes)
}

/// Those of the nodes that can be enrolled; of all of them what comes of it.
async fn decide<'a>(
    tx: &mut Tx,
    nodes: &[&'a Node],
    claims: &mut Claims,
    outcomes: &mut Vec<(NodeName, Outcome)>,
) -> Result<Vec<&'a Node>, StoreError> {
    let mut names = existing(tx, nodes).await?;
    let macs = nodes.iter().flat_map(|node| &node.nics).map(|nic| nic.mac);
    claims.look_up(tx, macs).await?;
    let mut accepted = Vec::with_capacity(nodes.len());
    for &node in nodes {
        let outcome = if names.contains(node.name.as_str()) {
            Outcome::failed("Error: duplicate name")
        } else if let Err(why) = claims.take(node) {
            Outcome::Failed(why)
        } else {
            names.insert(node.name.as_str().to_owned());
            accepted.push(node);
            Outcome::OK
        };
        outcomes.push((node.name.clone(), outcome));
    }
    Ok(accepted)
}

/// Which of the names are taken.
async fn existing(tx: &mut Tx, nodes: &[&Node]) -> Result<HashSet<String>, StoreError> {
    let statement = "SELECT name FROM nodes WHERE name IN (SELECT value ->> 0 FROM json_each($1))";
    let mut names = HashSet::with_capacity(nodes.len());
    for chunk in chunks_of(nodes.iter().map(|node| &node.name))? {
        for row in tx.rows(statement, [chunk.into()]).await? {
            names.insert(row.text(0)?.to_owned());
        }
    }
    Ok(names)
}

async fn insert(tx: &mut Tx, nodes: &[&Node]) -> Result<(), StoreError> {
    let revision = tx.new_revision().await?;
    let mut rows = Vec::with_capacity(nodes.len());
    for node in nodes {
        let infos = (
            json(&node.declared.control_info)?,
            json(&node.declared.console_info)?,
        );
        let (mgt, netboot) = (
            node.declared.mgt.as_deref(),
            node.declared.netboot.as_deref(),
        );
        let (arch, kind) = (node.declared.arch.as_deref(), node.declared.kind.as_deref());
        let name = node.name.as_str();
        rows.push((name, mgt, netboot, arch, kind, infos.0, infos.1));
    }
    let statement = "
        INSERT INTO nodes (name, mgt, netboot, arch, kind, control_info, console_info, revision)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6, $2
        FROM json_each($1)";
    tx.run(statement, [json(&rows)?.into(), revision.into()])
        .await?;
    insert_nics(tx, nodes.iter().copied(), NicIds::New).await?;
    tx.exhume(Kind::Node, nodes.iter().map(|node| node.name.as_str()))
        .await
}
