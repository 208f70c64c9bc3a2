//! Which node each MAC address belongs to while a request is looked at, so that a request that gives
//! one address to two nodes, or takes one that is taken, is told whose it is.

use std::collections::HashMap;

use xcat3_core::{MacAddr, Node, NodeName};

use crate::StoreError;
use crate::database::{Tx, chunks_of};

/// Owners of MAC addresses.
pub(super) struct Claims {
    owners: HashMap<MacAddr, Owner>,
}

struct Owner {
    node: Option<NodeName>,
    /// Whether it is so only since this request.
    new: bool,
}

impl Claims {
    /// The owners that addresses have in the store.
    pub(super) async fn stored(
        tx: &mut Tx,
        macs: impl Iterator<Item = MacAddr>,
    ) -> Result<Self, StoreError> {
        let texts: Vec<String> = macs.map(|mac| mac.to_string()).collect();
        let statement = "
            SELECT mac, node FROM nics WHERE mac IN (SELECT value ->> 0 FROM json_each($1))";
        let mut owners = HashMap::new();
        for chunk in chunks_of(&texts)? {
            for row in tx.rows(statement, [chunk.into()]).await? {
                let node = row.maybe_parse(1, "the node of a nic")?;
                owners.insert(
                    row.parse(0, "the MAC of a nic")?,
                    Owner { node, new: false },
                );
            }
        }
        Ok(Self { owners })
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
                Some(Owner {
                    node: Some(owner),
                    new: true,
                }) => {
                    return Err(format!(
                        "nic {mac} stands twice in the request: node {owner} has it"
                    ));
                }
                Some(Owner {
                    node: Some(owner), ..
                }) => {
                    return Err(format!("nic {mac} belongs to node {owner} already"));
                }
                Some(Owner { node: None, .. }) => {
                    return Err(format!("nic {mac} exists already and belongs to no node"));
                }
            }
        }
        for nic in &node.nics {
            let owner = Owner {
                node: Some(node.name.clone()),
                new: true,
            };
            self.owners.insert(nic.mac, owner);
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
            let owner = Owner {
                node: Some(node.name.clone()),
                new: false,
            };
            self.owners.insert(nic.mac, owner);
        }
    }
}
