//! Changing what operators declared of nodes.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;
use xcat3_core::{MacAddr, Node, NodeName, Outcome, bmc_host};

use super::claims::Claims;
use super::{NicIds, insert_nics, read, touch};
use crate::database::{CHUNK, Tx, chunks, chunks_of, json};
use crate::{LOCKED, NOT_FOUND, Revision, StoreError, rejections};

type Change<'a> = &'a mut (dyn FnMut(&mut Node) -> Result<(), String> + Send);

/// A node as it was and as it is to be.
struct Wish {
    old: Node,
    new: Node,
}

/// See [`crate::Store::update_nodes`]. Only so many nodes as one statement carries are held at a time.
pub(super) async fn update(
    tx: &mut Tx,
    names: &[NodeName],
    change: Change<'_>,
) -> Result<Vec<(NodeName, Outcome)>, StoreError> {
    let mut outcomes: HashMap<&NodeName, Outcome> = HashMap::with_capacity(names.len());
    let mut claims = Claims::default();
    for part in names.chunks(CHUNK) {
        let (mut wishes, hosts) = wishes(tx, part, change, &mut outcomes).await?;
        rejections::forget(tx, &hosts).await?;
        let macs: Vec<MacAddr> = wishes.iter().flat_map(new_macs).collect();
        claims.look_up(tx, macs.into_iter()).await?;
        wishes.retain(|wish| match claim(&mut claims, wish) {
            Ok(()) => true,
            Err(why) => {
                if let Some(outcome) = outcomes.get_mut(&wish.new.name) {
                    *outcome = Outcome::Failed(why);
                }
                false
            }
        });
        if !wishes.is_empty() {
            let revision = tx.new_revision().await?;
            write_nodes(tx, &wishes, revision).await?;
            write_nics(tx, &wishes, revision).await?;
        }
    }
    let outcome = |name: &NodeName| outcomes.get(name).map(|told| (name.clone(), told.clone()));
    Ok(names.iter().filter_map(outcome).collect())
}

/// What is to become of those of the nodes that were not looked at before, and the hosts of their BMCs
/// that are to be tried again; of all of them the outcome so far.
async fn wishes<'a>(
    tx: &mut Tx,
    names: &'a [NodeName],
    change: &mut (dyn FnMut(&mut Node) -> Result<(), String> + Send),
    outcomes: &mut HashMap<&'a NodeName, Outcome>,
) -> Result<(Vec<Wish>, BTreeSet<String>), StoreError> {
    let mut stored: HashMap<_, _> = read::nodes(tx, names)
        .await?
        .into_iter()
        .map(|node| (node.name.clone(), node))
        .collect();
    let (mut wishes, mut hosts) = (Vec::new(), BTreeSet::new());
    for name in names {
        if outcomes.contains_key(name) {
            continue;
        }
        let outcome = match stored.remove(name).map(|old| changed(old, change)) {
            None => Outcome::failed(NOT_FOUND),
            Some(Err(why)) => Outcome::Failed(why),
            Some(Ok(wish)) => {
                hosts.extend(wish.host());
                wishes.extend(Some(wish).filter(Wish::differs));
                Outcome::Done("updated")
            }
        };
        outcomes.insert(name, outcome);
    }
    Ok((wishes, hosts))
}

/// What `change` makes of a node.
fn changed(
    old: Node,
    change: &mut (dyn FnMut(&mut Node) -> Result<(), String> + Send),
) -> Result<Wish, String> {
    if old.observed.reservation.is_some() {
        return Err(LOCKED.to_owned());
    }
    let mut new = old.clone();
    change(&mut new)?;
    if new.name != old.name {
        return Err("the name of a node can't be changed".to_owned());
    }
    let had: HashSet<Uuid> = old.nics.iter().map(|nic| nic.uuid).collect();
    let mut seen = HashSet::new();
    for nic in &mut new.nics {
        if !had.contains(&nic.uuid) || !seen.insert(nic.uuid) {
            nic.uuid = Uuid::new_v4();
        }
        nic.node = Some(old.name.clone());
    }
    Ok(Wish { old, new })
}

impl Wish {
    fn differs(&self) -> bool {
        self.declared_differs() || self.nics_differ()
    }

    /// The host of the BMC, where something is said of how to reach it: something new, or with nothing
    /// that is new, that what is known is right.
    fn host(&self) -> Option<String> {
        let is_said =
            self.old.declared.control_info != self.new.declared.control_info || !self.differs();
        bmc_host(&self.new).filter(|_| is_said)
    }

    fn declared_differs(&self) -> bool {
        let declared = |node: &Node| {
            let words = [
                &node.declared.mgt,
                &node.declared.netboot,
                &node.declared.arch,
                &node.declared.kind,
            ]
            .map(Clone::clone);
            (
                words,
                node.declared.control_info.clone(),
                node.declared.console_info.clone(),
            )
        };
        declared(&self.old) != declared(&self.new)
    }

    fn nics_differ(&self) -> bool {
        self.old.nics != self.new.nics
    }
}

fn new_macs(wish: &Wish) -> Vec<MacAddr> {
    let is_new = |mac: &MacAddr| !wish.old.nics.iter().any(|nic| nic.mac == *mac);
    wish.new
        .nics
        .iter()
        .map(|nic| nic.mac)
        .filter(is_new)
        .collect()
}

fn claim(claims: &mut Claims, wish: &Wish) -> Result<(), String> {
    if !wish.nics_differ() {
        return Ok(());
    }
    claims.release(&wish.old);
    claims
        .take(&wish.new)
        .inspect_err(|_| claims.restore(&wish.old))
}

async fn write_nodes(tx: &mut Tx, wishes: &[Wish], revision: Revision) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(wishes.len());
    for Wish { new: node, .. } in wishes.iter().filter(|wish| wish.declared_differs()) {
        let infos = (
            json(&node.declared.control_info)?,
            json(&node.declared.console_info)?,
        );
        let (mgt, netboot) = (
            node.declared.mgt.as_deref(),
            node.declared.netboot.as_deref(),
        );
        let (arch, kind) = (node.declared.arch.as_deref(), node.declared.kind.as_deref());
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
        UPDATE nodes
        SET mgt = given.mgt, netboot = given.netboot, arch = given.arch, kind = given.kind,
            control_info = given.control_info, console_info = given.console_info, revision = $2
        FROM (SELECT value ->> 0 AS name, value ->> 1 AS mgt, value ->> 2 AS netboot,
                     value ->> 3 AS arch, value ->> 4 AS kind, value ->> 5 AS control_info,
                     value ->> 6 AS console_info
              FROM json_each($1)) AS given
        WHERE nodes.name = given.name";
    for chunk in chunks(&rows)? {
        tx.run(statement, [chunk.into(), revision.into()]).await?;
    }
    Ok(())
}

/// Writes all nics of the nodes of which one changed anew, so that it doesn't matter in which order
/// addresses pass from one to another.
async fn write_nics(tx: &mut Tx, wishes: &[Wish], revision: Revision) -> Result<(), StoreError> {
    let nodes: Vec<&Node> = wishes
        .iter()
        .filter(|wish| wish.nics_differ())
        .map(|wish| &wish.new)
        .collect();
    let names: Vec<&NodeName> = nodes.iter().map(|node| &node.name).collect();
    let delete = "DELETE FROM nics WHERE node IN (SELECT value ->> 0 FROM json_each($1))";
    for chunk in chunks_of(names.iter().copied())? {
        tx.run(delete, [chunk.into()]).await?;
    }
    insert_nics(tx, nodes.into_iter(), NicIds::Kept).await?;
    touch(tx, &names, revision).await
}
