//! Network interfaces of nodes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{MacAddr, NodeName};

/// A network interface of a node, known by its MAC address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nic {
    /// Made by the store when the nic is created.
    pub uuid: Uuid,
    /// Unique among all nics.
    pub mac: MacAddr,
    /// What the operating system calls it, for example `eth0`.
    pub name: Option<String>,
    /// The fixed address that DHCP gives it.
    pub ip: Option<IpAddr>,
    /// The mask of its network where it differs from that of the [`crate::Network`] around `ip`.
    pub netmask: Option<IpAddr>,
    /// Whether the node installs over this nic. A node without a primary nic uses its first.
    pub primary: bool,
    /// What the operator wants to remember of it.
    pub extra: Map<String, Value>,
    /// The node that it belongs to.
    pub node: Option<NodeName>,
}
