//! The context of a boot: the node, its boot nic and everything else that boot answers are computed
//! from. DHCP, TFTP and HTTP build it in one way; what it leads to is decided by the boot driver and
//! the installer (`xcat3-drivers`).

use std::net::Ipv4Addr;
use std::sync::Arc;

use xcat3_core::{MacAddr, Network, Nic, Node, OsImage};
use xcat3_drivers::boot::{self, BootFacts, Firmware, Loader, Loaders};
use xcat3_drivers::install::InstallSettings;

use crate::facts::{Facts, address_of};

/// The settings of all boot answers.
#[derive(Debug)]
pub struct BootSettings {
    /// The port of the boot HTTP server.
    pub http_port: u16,
    /// The loaders by firmware.
    pub loaders: Loaders,
    /// The settings of installs.
    pub install: InstallSettings,
}

/// A node that boots from its boot nic, and what its boot answers are computed from.
#[derive(Clone)]
pub struct BootContext {
    node: Arc<Node>,
    nic: Nic,
    network: Arc<Network>,
    image: Option<Arc<OsImage>>,
    server: Ipv4Addr,
    settings: Arc<BootSettings>,
}

impl BootContext {
    /// The boot of `node` from its nic with `mac`, answered by this host's address `server`. `None`
    /// where that nic is not the boot nic, or has no address in a network.
    #[must_use]
    pub fn new(
        facts: &Facts,
        settings: &Arc<BootSettings>,
        node: &Arc<Node>,
        mac: MacAddr,
        server: Ipv4Addr,
    ) -> Option<Self> {
        let nic = node.boot_nic().filter(|boot_nic| boot_nic.mac == mac)?;
        let network = facts.network_around(address_of(nic)?)?;
        Some(Self {
            node: node.clone(),
            nic: nic.clone(),
            network: network.clone(),
            image: facts.image_of(node).cloned(),
            server,
            settings: settings.clone(),
        })
    }

    /// The boot of the node with the nic `mac`.
    #[must_use]
    pub fn by_mac(
        facts: &Facts,
        settings: &Arc<BootSettings>,
        mac: MacAddr,
        server: Ipv4Addr,
    ) -> Option<Self> {
        Self::new(facts, settings, facts.node_by_mac(mac)?, mac, server)
    }

    /// The boot of the node whose boot nic has the address `ip`.
    #[must_use]
    pub fn by_ip(
        facts: &Facts,
        settings: &Arc<BootSettings>,
        ip: Ipv4Addr,
        server: Ipv4Addr,
    ) -> Option<Self> {
        facts.nodes_by_ip(ip).iter().find_map(|node| {
            let mut nics = node.nics.iter();
            let nic = nics.find(|nic| address_of(nic) == Some(ip))?;
            Self::new(facts, settings, node, nic.mac, server)
        })
    }

    /// The boot of the node whose deployment has `token`.
    #[must_use]
    pub fn by_token(
        facts: &Facts,
        settings: &Arc<BootSettings>,
        token: &str,
        server: Ipv4Addr,
    ) -> Option<Self> {
        let node = facts.node_by_token(token)?;
        Self::new(facts, settings, node, node.boot_nic()?.mac, server)
    }

    /// The node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Whether `peer` is the address of the node's boot nic.
    #[must_use]
    pub fn is_at(&self, peer: Ipv4Addr) -> bool {
        address_of(&self.nic) == Some(peer)
    }

    /// The context as boot drivers and installers read it.
    #[must_use]
    pub fn driver_facts(&self) -> BootFacts<'_> {
        BootFacts {
            node: &self.node,
            nic: &self.nic,
            network: &self.network,
            image: self.image.as_deref(),
            server: self.server,
            http_port: self.settings.http_port,
            install: &self.settings.install,
        }
    }

    /// The loader for a firmware.
    #[must_use]
    pub fn loader(&self, firmware: Firmware) -> Loader {
        boot::loader(firmware, &self.driver_facts(), &self.settings.loaders)
    }
}
