//! Which node each MAC address belongs to while a request is looked at, so that a request that gives
//! one address to two nodes, or takes one that is taken, is told whose it is.

use std::collections::{HashMap, HashSet};

use xcat3_core::{MacAddr, Node, NodeName};

use crate::StoreError;
use crate::database::{Tx, chunks_of};

/// Owners of MAC addresses.
#[derive(Default)]
pub(super) struct Claims {
    /// Of the addresses that were looked up last, and of those taken or released since.
    owners: HashMap<MacAddr, Option<NodeName>>,
    /// Those that this request gave to a node.
    given: HashSet<MacAddr>,
}

impl Claims {
    /// Looks up which owners addresses have in the store now. What was known of others is forgotten,
    /// so what was taken has to stand in the store by now.
    pub(super) async fn look_up(
        &mut self,
        tx: &mut Tx,
        macs: impl Iterator<Item = MacAddr>,
    ) -> Result<(), StoreError> {
        let texts: Vec<String> = macs.map(|mac| mac.to_string()).collect();
        let statement = "
            SELECT mac, node FROM nics WHERE mac IN (SELECT value ->> 0 FROM json_each($1))";
        self.owners.clear();
        for chunk in chunks_of(&texts)? {
            for row in tx.rows(statement, [chunk.into()]).await? {
                let node = row.maybe_parse(1, "the node of a nic")?;
                self.owners.insert(row.parse(0, "the MAC of a nic")?, node);
            }
        }
        Ok(())
    }

    /// Takes all addresses of `node` for it, or none and says which is not free.
    pub(super) fn take(&mut self, node: &Node) -> Result<(), String> {
        for (place, nic) in node.nics.iter().enumerate() {
            let mac = nic.mac;
            if node.nics[..place].iter().any(|other| other.mac == mac) {
                return Err(format!("nic {mac} stands twice in the request"));
            }
            match self.owners.get(&mac) {
                None => {}
                Some(Some(owner)) if self.given.contains(&mac) => {
                    return Err(format!(
                        "nic {mac} stands twice in the request: node {owner} has it"
                    ));
                }
                Some(Some(owner)) => {
                    return Err(format!("nic {mac} belongs to node {owner} already"));
                }
                Some(None) => {
                    return Err(format!("nic {mac} exists already and belongs to no node"));
                }
            }
        }
        for nic in &node.nics {
            self.owners.insert(nic.mac, Some(node.name.clone()));
            self.given.insert(nic.mac);
        }
        Ok(())
    }

    /// Gives back all addresses that a node has had up to now.
    pub(super) fn release(&mut self, node: &Node) {
        for nic in &node.nics {
            self.owners.remove(&nic.mac);
        }
    }

    /// Undoes [`Claims::release`].
    pub(super) fn restore(&mut self, node: &Node) {
        for nic in &node.nics {
            self.owners.insert(nic.mac, Some(node.name.clone()));
        }
    }
}
