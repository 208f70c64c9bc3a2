//! The one tree of paths that nodes fetch from, by TFTP as by HTTP: loaders, boot scripts, kernels, the
//! files of OS images, and what belongs to one node and its token.
//!
//! | path | what |
//! | --- | --- |
//! | `loaders/FILE`, or just `FILE` | a network boot program |
//! | `boot/MAC.ipxe`, `boot.ipxe?mac=MAC` | a node's iPXE script |
//! | `pxelinux.cfg/01-MAC`, `pxelinux.cfg/HEXIP`, `pxelinux.cfg/default` | a node's pxelinux configuration |
//! | `images/IMAGE/PATH` | a file inside an ISO |
//! | `kept/IMAGE/kernel`, `kept/IMAGE/initrd` | boot files kept beside it |
//! | `node/TOKEN/…` | see [`crate::private`] |
//!
//! What carries a token is given only to the address of the node that it is for.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xcat3_core::boot::Phase;
use xcat3_core::{MacAddr, Network, Nic, Node, OsImage, State};
use xcat3_drivers::boot::{BootError, BootFacts, pxe};
use xcat3_drivers::install::InstallSettings;

use crate::content::Content;
use crate::facts::{Facts, address_of, nic_of};
use crate::images::{Found, Images, Missing, whole_file};
use crate::private::Private;
use crate::progress::{Sightings, Step};
use crate::snapshot::Snapshot;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// `TFTP`, or the HTTP method.
    pub by: &'a str,
    /// The path in its normal form, without a leading slash; see [`crate::path`].
    pub path: &'a str,
    /// What stands after the question mark.
    pub query: Option<&'a str>,
    /// Who asks.
    pub peer: Ipv4Addr,
    /// Our address that was asked.
    pub server: Ipv4Addr,
}

/// Why nothing is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing at this path.
    #[error("no such file")]
    NotFound,
    /// It is not for this peer.
    #[error("this is not for {0}")]
    Forbidden(Ipv4Addr),
    /// It could not be had; asking again may help.
    #[error("{0}")]
    Failed(String),
}

impl From<Missing> for Refusal {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::NotFound => Self::NotFound,
            broken @ Missing::Broken { .. } => Self::Failed(broken.to_string()),
        }
    }
}

/// What paths are looked up in. Cheap to clone.
#[derive(Clone)]
pub struct Tree {
    /// What requests are answered from.
    pub snapshot: Snapshot,
    /// OS images.
    pub images: Images,
    /// Where boot programs are looked for, in this order.
    pub loader_dirs: Arc<[PathBuf]>,
    /// What is the same for all installs.
    pub install: Arc<InstallSettings>,
    /// Where nodes that were seen are noted.
    pub sightings: Sightings,
    /// The port of our boot HTTP server.
    pub http_port: u16,
    /// What belongs to one node.
    pub private: Private,
}

/// A node's side of a boot, out of the facts.
pub(crate) struct Boot {
    pub node: Arc<Node>,
    pub nic: Nic,
    pub network: Arc<Network>,
    pub image: Option<Arc<OsImage>>,
}

impl Boot {
    /// The boot of the node with this nic, where it is its boot nic and inside a network.
    pub fn of(facts: &Facts, node: &Arc<Node>, mac: MacAddr) -> Option<Self> {
        let nic = nic_of(node, mac)?.clone();
        let network = facts.network_around(address_of(&nic)?)?.clone();
        let is_boot_nic = node.boot_nic().is_some_and(|boot| boot.mac == mac);
        is_boot_nic.then(|| Self {
            node: node.clone(),
            nic,
            network,
            image: facts.image_of(node).cloned(),
        })
    }

    pub fn facts<'a>(&'a self, tree: &'a Tree, server: Ipv4Addr) -> BootFacts<'a> {
        BootFacts {
            node: &self.node,
            nic: &self.nic,
            network: &self.network,
            image: self.image.as_deref(),
            server,
            http_port: tree.http_port,
            install: &tree.install,
        }
    }

    /// Whether `peer` is the node itself.
    pub fn is_peer(&self, peer: Ipv4Addr) -> bool {
        address_of(&self.nic) == Some(peer)
    }
}

impl Tree {
    /// What is at a path.
    ///
    /// # Errors
    /// There is nothing, it is not for this peer, or it can't be had now.
    pub async fn look_up(&self, asked: &Asked<'_>) -> Result<Found, Refusal> {
        let (first, rest) = asked.path.split_once('/').unwrap_or((asked.path, ""));
        match first {
            "images" => self.image_file(asked, rest).await,
            "kept" => self.kept_file(asked, rest).await,
            "boot" => {
                let mac = rest.strip_suffix(".ipxe").and_then(|mac| mac.parse().ok());
                self.ipxe_script(asked, mac)
            }
            "boot.ipxe" => {
                let mac = asked.query.and_then(|query| parameter(query, "mac"));
                self.ipxe_script(asked, mac.and_then(|mac| mac.parse().ok()))
            }
            "pxelinux.cfg" => self.pxelinux_config(asked, rest),
            "node" => self.private.look_up(self, asked, rest).await,
            "loaders" => self.loader(asked, rest).await,
            _ => self.loader(asked, asked.path).await,
        }
    }

    async fn image_file(&self, asked: &Asked<'_>, rest: &str) -> Result<Found, Refusal> {
        let (name, path) = rest.split_once('/').ok_or(Refusal::NotFound)?;
        let image = self
            .snapshot
            .read()
            .image(name)
            .cloned()
            .ok_or(Refusal::NotFound)?;
        let found = self.images.file(&image, path).await?;
        let is_boot_file = image.content.as_ref().is_some_and(|content| {
            let iso = |file: &Option<_>| {
                matches!(file, Some(xcat3_core::osimage::BootFile::Iso(boot)) if boot == path)
            };
            iso(&content.kernel) || iso(&content.initrd)
        });
        let phase = if is_boot_file {
            Phase::Kernel
        } else {
            Phase::Packages
        };
        self.note(asked, Step::Reaches(phase));
        Ok(found)
    }

    async fn kept_file(&self, asked: &Asked<'_>, rest: &str) -> Result<Found, Refusal> {
        let (name, which) = rest.split_once('/').ok_or(Refusal::NotFound)?;
        let image = self
            .snapshot
            .read()
            .image(name)
            .cloned()
            .ok_or(Refusal::NotFound)?;
        let content = image.content.as_ref().ok_or(Refusal::NotFound)?;
        let file = match which {
            "kernel" => content.kernel.as_ref(),
            "initrd" => content.initrd.as_ref(),
            _ => return Err(Refusal::NotFound),
        };
        let found = self.images.kept(&image, file).await?;
        self.note(asked, Step::Reaches(Phase::Kernel));
        Ok(found)
    }

    async fn loader(&self, asked: &Asked<'_>, file: &str) -> Result<Found, Refusal> {
        if file.is_empty() {
            return Err(Refusal::NotFound);
        }
        for directory in self.loader_dirs.iter() {
            // The path has no `..` any more; what links in the directory lead to is its owner's wish.
            if let Ok(found) = whole_file(&directory.join(Path::new(file))).await {
                self.note(asked, Step::Reaches(Phase::Loader));
                return Ok(found);
            }
        }
        Err(Refusal::NotFound)
    }

    fn ipxe_script(&self, asked: &Asked<'_>, mac: Option<MacAddr>) -> Result<Found, Refusal> {
        let mac = mac.ok_or(Refusal::NotFound)?;
        let boot = {
            let facts = self.snapshot.read();
            let node = facts.node_by_mac(mac);
            node.and_then(|node| Boot::of(&facts, node, mac))
                .ok_or(Refusal::NotFound)?
        };
        let render = |facts: &BootFacts<'_>| {
            Ok(pxe::ipxe_script(facts).unwrap_or_else(|error| {
                tracing::warn!(node = %boot.node.name, %error, "the node can't be installed");
                pxe::ipxe_error_script(&error.to_string())
            }))
        };
        self.script(asked, &boot, render)
    }

    /// `pxelinux.cfg/…`, which pxelinux asks for from the most to the least special name: its UUID,
    /// its MAC, its address in hexadecimal and ever shorter prefixes of it, `default`.
    fn pxelinux_config(&self, asked: &Asked<'_>, name: &str) -> Result<Found, Refusal> {
        let boot = {
            let facts = self.snapshot.read();
            let of_address = |ip: Ipv4Addr| {
                let nodes = facts.nodes_by_ip(ip).iter();
                let nic = |node: &Arc<Node>| {
                    node.nics
                        .iter()
                        .find(|nic| address_of(nic) == Some(ip))
                        .map(|nic| nic.mac)
                };
                nodes
                    .filter_map(|node| Boot::of(&facts, node, nic(node)?))
                    .next()
            };
            if let Some(mac) = name.strip_prefix("01-") {
                let mac = mac.parse().map_err(|_| Refusal::NotFound)?;
                facts
                    .node_by_mac(mac)
                    .and_then(|node| Boot::of(&facts, node, mac))
            } else if name == "default" {
                of_address(asked.peer)
            } else if name.len() == 8 {
                let bits = u32::from_str_radix(name, 16).map_err(|_| Refusal::NotFound)?;
                of_address(Ipv4Addr::from(bits))
            } else {
                None
            }
        };
        let boot = boot.ok_or(Refusal::NotFound)?;
        self.script(asked, &boot, pxe::pxelinux_config)
    }

    /// What tells a node how to boot. While it is deploying that carries its token, so only the node
    /// itself is told.
    fn script(
        &self,
        asked: &Asked<'_>,
        boot: &Boot,
        render: impl FnOnce(&BootFacts<'_>) -> Result<String, BootError>,
    ) -> Result<Found, Refusal> {
        if boot.node.deployment.state == State::Deploying && !boot.is_peer(asked.peer) {
            return Err(Refusal::Forbidden(asked.peer));
        }
        let text = render(&boot.facts(self, asked.server));
        let text = text.map_err(|error| Refusal::Failed(error.to_string()))?;
        self.note(asked, Step::Reaches(Phase::BootScript));
        Ok(Found {
            content: Content::from(text),
            modified: None,
        })
    }

    /// Notes what the node at the peer's address fetched.
    pub(crate) fn note(&self, asked: &Asked<'_>, step: Step) {
        let node = self
            .snapshot
            .read()
            .nodes_by_ip(asked.peer)
            .first()
            .cloned();
        if let Some(node) = node {
            let detail = format!("{} /{}", asked.by, asked.path);
            self.sightings
                .note(&self.snapshot, &node.name, step, &detail);
        }
    }
}

/// The value of a parameter of a query, as it stands there but for `%3A` and `%3a`, which some
/// loaders write for a colon.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    crate::path::percent_decode(&value.replace('+', " ")).ok()
}

/// The IPv4 address of a peer, also where it came in by a socket for both.
#[must_use]
pub fn ipv4_of(address: SocketAddr) -> Ipv4Addr {
    match address.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => ip,
        std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}
