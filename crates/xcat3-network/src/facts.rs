//! Everything that is declared: nodes, networks, OS images and passwords, indexed by the keys of
//! requests.
//!
//! A pure structure. [`crate::snapshot`] applies the changes of the store to it; a change of one node
//! costs the same among 10 nodes and among 65,536.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use xcat3_core::osimage::ImageContent;
use xcat3_core::{MacAddr, Network, Nic, Node, NodeName, OsImage, Passwd};
use xcat3_store::Changes;

/// The declared facts, with their indices.
#[derive(Debug, Default)]
pub struct Facts {
    nodes: HashMap<NodeName, Arc<Node>>,
    by_mac: HashMap<MacAddr, Arc<Node>>,
    by_ip: HashMap<Ipv4Addr, Vec<Arc<Node>>>,
    by_token: HashMap<String, Arc<Node>>,
    networks: BTreeMap<String, Arc<Network>>,
    images: HashMap<String, Arc<OsImage>>,
    passwds: HashMap<String, Arc<Passwd>>,
}

/// What a batch of changes affected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Networks changed.
    pub networks: bool,
    /// OS images changed.
    pub images: bool,
    /// The contents of deleted OS images.
    pub deleted: Vec<ImageContent>,
}

impl Touched {
    /// Adds what another batch affected.
    pub fn merge(&mut self, other: Self) {
        self.networks |= other.networks;
        self.images |= other.images;
        self.deleted.extend(other.deleted);
    }
}

impl Facts {
    /// Applies a batch of changes.
    pub fn apply(&mut self, changes: Changes) -> Touched {
        if changes.complete {
            *self = Self::default();
        }
        let mut touched = Touched {
            networks: changes.complete
                || !(changes.networks.is_empty() && changes.removed_networks.is_empty()),
            images: changes.complete
                || !(changes.osimages.is_empty() && changes.removed_osimages.is_empty()),
            deleted: Vec::new(),
        };
        // Removals first: a nic may have moved from one node to another.
        let removed = changes.removed_nodes.iter();
        for name in removed.chain(changes.nodes.iter().map(|node| &node.name)) {
            self.remove_node(name);
        }
        for node in changes.nodes {
            self.insert_node(Arc::new(node));
        }
        for name in &changes.removed_networks {
            self.networks.remove(name);
        }
        for network in changes.networks {
            self.networks
                .insert(network.name.clone(), Arc::new(network));
        }
        for name in &changes.removed_osimages {
            let removed = self.images.remove(name);
            touched
                .deleted
                .extend(removed.and_then(|image| image.content.clone()));
        }
        for image in changes.osimages {
            self.images.insert(image.name.clone(), Arc::new(image));
        }
        for key in &changes.removed_passwds {
            self.passwds.remove(key);
        }
        for passwd in changes.passwds {
            self.passwds.insert(passwd.key.clone(), Arc::new(passwd));
        }
        touched
    }

    fn remove_node(&mut self, name: &NodeName) {
        let Some(node) = self.nodes.remove(name) else {
            return;
        };
        for nic in &node.nics {
            // Another node may own the MAC already.
            if self
                .by_mac
                .get(&nic.mac)
                .is_some_and(|owner| owner.name == *name)
            {
                self.by_mac.remove(&nic.mac);
            }
            if let Some(ip) = address_of(nic)
                && let Some(owners) = self.by_ip.get_mut(&ip)
            {
                owners.retain(|owner| owner.name != *name);
                if owners.is_empty() {
                    self.by_ip.remove(&ip);
                }
            }
        }
        if let Some(token) = &node.deployment.token {
            self.by_token.remove(token);
        }
    }

    fn insert_node(&mut self, node: Arc<Node>) {
        for nic in &node.nics {
            self.by_mac.insert(nic.mac, node.clone());
            if let Some(ip) = address_of(nic) {
                self.by_ip.entry(ip).or_default().push(node.clone());
            }
        }
        if let Some(token) = &node.deployment.token {
            self.by_token.insert(token.clone(), node.clone());
        }
        self.nodes.insert(node.name.clone(), node);
    }

    /// A node by its name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    /// The node that owns a nic.
    #[must_use]
    pub fn node_by_mac(&self, mac: MacAddr) -> Option<&Arc<Node>> {
        self.by_mac.get(&mac)
    }

    /// The nodes with a fixed address; more than one is a mistake in the declarations.
    #[must_use]
    pub fn nodes_by_ip(&self, ip: Ipv4Addr) -> &[Arc<Node>] {
        self.by_ip.get(&ip).map_or(&[], Vec::as_slice)
    }

    /// The node whose deployment has a token.
    #[must_use]
    pub fn node_by_token(&self, token: &str) -> Option<&Arc<Node>> {
        self.by_token.get(token)
    }

    /// All networks, by name.
    pub fn networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.networks.values()
    }

    /// The network that contains an address. Networks do not overlap.
    #[must_use]
    pub fn network_around(&self, ip: Ipv4Addr) -> Option<&Arc<Network>> {
        self.networks().find(|network| network.subnet.contains(&ip))
    }

    /// An OS image by its name.
    #[must_use]
    pub fn image(&self, name: &str) -> Option<&Arc<OsImage>> {
        self.images.get(name)
    }

    /// The OS image of a node.
    #[must_use]
    pub fn image_of(&self, node: &Node) -> Option<&Arc<OsImage>> {
        self.image(node.deployment.osimage.as_deref()?)
    }

    /// A password entry by its key.
    #[must_use]
    pub fn passwd(&self, key: &str) -> Option<&Arc<Passwd>> {
        self.passwds.get(key)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }
}

/// The fixed IPv4 address of a nic.
#[must_use]
pub fn address_of(nic: &Nic) -> Option<Ipv4Addr> {
    match nic.ip {
        Some(IpAddr::V4(ip)) => Some(ip),
        _ => None,
    }
}

/// The nic of `node` with this MAC.
#[must_use]
pub fn nic_of(node: &Node, mac: MacAddr) -> Option<&Nic> {
    node.nics.iter().find(|nic| nic.mac == mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn node(number: u32, mac: u32, ip: Option<u32>, token: Option<u32>) -> Node {
        let mut node = Node::new(format!("n{number}").parse().unwrap());
        let octets = mac.to_be_bytes();
        node.deployment.token = token.map(|token| token.to_string());
        node.nics.push(Nic {
            uuid: Uuid::nil(),
            mac: MacAddr([2, 0, octets[0], octets[1], octets[2], octets[3]]),
            name: None,
            ip: ip.map(|ip| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + ip))),
            netmask: None,
            primary: true,
            extra: serde_json::Map::new(),
            node: None,
        });
        node
    }

    fn nodes(nodes: Vec<Node>) -> Changes {
        Changes {
            nodes,
            ..Changes::default()
        }
    }

    /// A change of very many nodes arrives in parts, in any order.
    #[test]
    fn address_moves_to_node_that_arrives_first() {
        let mut facts = Facts::default();
        facts.apply(nodes(vec![node(1, 1, Some(1), None)]));
        facts.apply(nodes(vec![node(2, 1, Some(1), None)]));
        facts.apply(nodes(vec![node(1, 7, Some(7), None)]));
        let owner = facts.node_by_mac(MacAddr([2, 0, 0, 0, 0, 1]));
        assert_eq!(owner.map(|node| node.name.as_str()), Some("n2"));
        let owners = facts.nodes_by_ip(Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(owners.len(), 1);
        assert_eq!(owners[0].name.as_str(), "n2");
    }

    proptest! {
        #[test]
        fn incremental_indices_equal_rebuilt_ones(
            steps in prop::collection::vec(
                (0u32..6, 0u32..6, prop::option::of(0u32..4), prop::option::of(0u32..6), any::<bool>()),
                0..40,
            )
        ) {
            let mut facts = Facts::default();
            for (number, mac, ip, token, removes) in steps {
                let changed = node(number, mac, ip, token);
                // The store has each MAC and each token once.
                let owner = facts.node_by_mac(changed.nics[0].mac).map(|owner| owner.name.clone());
                let bearer = token.and_then(|token| facts.node_by_token(&token.to_string()));
                let bearer = bearer.map(|bearer| bearer.name.clone());
                if removes {
                    let removed_nodes = vec![changed.name];
                    facts.apply(Changes { removed_nodes, ..Changes::default() });
                } else if owner.is_none_or(|owner| owner == changed.name)
                    && bearer.is_none_or(|bearer| bearer == changed.name)
                {
                    facts.apply(nodes(vec![changed]));
                }
            }
            let all: Vec<Node> = facts.nodes.values().map(|node| Node::clone(node)).collect();
            let mut anew = Facts::default();
            anew.apply(nodes(all));
            prop_assert_eq!(&facts.by_mac, &anew.by_mac);
            prop_assert_eq!(&facts.by_token, &anew.by_token);
            let sorted = |facts: &Facts| -> BTreeMap<Ipv4Addr, Vec<String>> {
                let names = |nodes: &Vec<Arc<Node>>| {
                    let mut names: Vec<_> = nodes.iter().map(|node| node.name.to_string()).collect();
                    names.sort();
                    names
                };
                facts.by_ip.iter().map(|(ip, nodes)| (*ip, names(nodes))).collect()
            };
            prop_assert_eq!(sorted(&facts), sorted(&anew));
        }
    }

    #[test]
    fn nic_moves_to_other_node_in_one_batch() {
        let mut facts = Facts::default();
        facts.apply(nodes(vec![
            node(1, 1, Some(1), None),
            node(2, 2, None, None),
        ]));
        let mut without = node(1, 9, None, None);
        without.nics.clear();
        facts.apply(nodes(vec![node(2, 1, Some(1), None), without]));
        let mac = node(0, 1, None, None).nics[0].mac;
        assert_eq!(facts.node_by_mac(mac).unwrap().name.as_str(), "n2");
        assert_eq!(facts.nodes_by_ip(Ipv4Addr::new(10, 0, 0, 1)).len(), 1);
    }

    #[test]
    fn complete_batch_replaces_everything() {
        let mut facts = Facts::default();
        facts.apply(nodes(vec![node(1, 1, Some(1), Some(1))]));
        let complete = true;
        let touched = facts.apply(Changes {
            complete,
            ..Changes::default()
        });
        assert_eq!(
            (facts.node_count(), facts.by_ip.len(), facts.by_token.len()),
            (0, 0, 0)
        );
        assert!(touched.networks && touched.images);
    }

    #[test]
    fn change_of_one_node_rebuilds_no_other() {
        let mut facts = Facts::default();
        let all = (0..1_000).map(|number| node(number, number, Some(number), None));
        facts.apply(nodes(all.collect()));
        let before = facts.nodes.clone();
        facts.apply(nodes(vec![node(7, 7, Some(100_000), Some(7))]));
        let changed = facts
            .nodes
            .iter()
            .filter(|(name, node)| !Arc::ptr_eq(node, &before[*name]));
        let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
        assert_eq!(changed, ["n7"]);
        assert!(facts.nodes_by_ip(Ipv4Addr::new(10, 0, 0, 7)).is_empty());
        assert!(facts.node_by_token("7").is_some());
    }
}
