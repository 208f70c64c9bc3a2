//! The tree of paths that TFTP and HTTP serve: loaders, boot scripts, kernels, the files of OS images,
//! and the documents of one deployment.
//!
//! | path | content |
//! | --- | --- |
//! | `loaders/FILE`, or just `FILE` | a loader |
//! | `boot/MAC.ipxe`, `boot.ipxe?mac=MAC` | the iPXE script of a node |
//! | `pxelinux.cfg/01-MAC`, `pxelinux.cfg/HEXIP`, `pxelinux.cfg/default` | the pxelinux configuration of a node |
//! | `images/IMAGE/PATH` | a file inside an ISO |
//! | `kept/IMAGE/kernel`, `kept/IMAGE/initrd` | boot files stored beside the ISO |
//! | `node/TOKEN/…` | see [`crate::private`] |
//!
//! What carries a token is served only to the address of its node.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use xcat3_core::boot::Phase;
use xcat3_core::osimage::BootFile;
use xcat3_core::{MacAddr, OsImage, State};
use xcat3_drivers::boot::{BootError, BootFacts, pxe};

use crate::boot::{BootContext, BootSettings};
use crate::boot_events::{BootEvents, Event};
use crate::content::Content;
use crate::images::{Found, ImageError, Images, whole_file};
use crate::private::Private;
use crate::snapshot::Snapshot;

/// A request for a file, by TFTP or HTTP.
#[derive(Clone, Copy, Debug)]
pub struct FileRequest<'a> {
    /// `TFTP`, or the HTTP method.
    pub method: &'a str,
    /// The path, normalised by [`crate::path`].
    pub path: &'a str,
    /// The query, not decoded.
    pub query: Option<&'a str>,
    /// The address of the client.
    pub peer: Ipv4Addr,
    /// The local address that received the request.
    pub server: Ipv4Addr,
}

/// Why a request gets no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The path does not exist.
    #[error("no such file")]
    NotFound,
    /// The content is not for this client.
    #[error("this is not for {0}")]
    Forbidden(Ipv4Addr),
    /// The content is not available; a later request may succeed.
    #[error("{0}")]
    Failed(String),
}

impl From<ImageError> for Refusal {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::NotFound => Self::NotFound,
            broken @ ImageError::Broken { .. } => Self::Failed(broken.to_string()),
        }
    }
}

/// The sources of the tree. Clones share them.
#[derive(Clone)]
pub struct Tree {
    /// What requests are answered from.
    pub snapshot: Snapshot,
    /// The OS images.
    pub images: Images,
    /// The directories of loaders, in the order of their search.
    pub loader_dirs: Arc<[PathBuf]>,
    /// The settings of boot answers.
    pub boot: Arc<BootSettings>,
    /// Records boot events.
    pub events: BootEvents,
    /// The documents of deployments.
    pub private: Private,
}

impl Tree {
    /// Returns the content of a path.
    ///
    /// # Errors
    /// The path does not exist, is not for this client, or its content is not available now.
    pub async fn look_up(&self, request: &FileRequest<'_>) -> Result<Found, Refusal> {
        let path = request.path;
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match first {
            "images" => self.image_file(request, rest).await,
            "kept" => self.boot_file(request, rest).await,
            "boot" => {
                let mac = rest.strip_suffix(".ipxe").and_then(|mac| mac.parse().ok());
                self.ipxe_script(request, mac)
            }
            "boot.ipxe" => {
                let mac = request.query.and_then(|query| parameter(query, "mac"));
                self.ipxe_script(request, mac.and_then(|mac| mac.parse().ok()))
            }
            "pxelinux.cfg" => self.pxelinux_config(request, rest),
            "node" => self.private.look_up(self, request, rest).await,
            "loaders" => self.loader(request, rest).await,
            _ => self.loader(request, path).await,
        }
    }

    async fn image_file(&self, request: &FileRequest<'_>, rest: &str) -> Result<Found, Refusal> {
        let (name, path) = rest.split_once('/').ok_or(Refusal::NotFound)?;
        let image = self.image(name)?;
        let found = self.images.file(&image, path).await?;
        let is_boot_file = image.content.as_ref().is_some_and(|content| {
            let is_path =
                |file: &Option<BootFile>| matches!(file, Some(BootFile::Iso(boot)) if boot == path);
            is_path(&content.kernel) || is_path(&content.initrd)
        });
        let phase = if is_boot_file {
            Phase::Kernel
        } else {
            Phase::Packages
        };
        self.record(request, Event::Reaches(phase));
        Ok(found)
    }

    async fn boot_file(&self, request: &FileRequest<'_>, rest: &str) -> Result<Found, Refusal> {
        let (name, which) = rest.split_once('/').ok_or(Refusal::NotFound)?;
        let image = self.image(name)?;
        let content = image.content.as_ref().ok_or(Refusal::NotFound)?;
        let file = match which {
            "kernel" => content.kernel.as_ref(),
            "initrd" => content.initrd.as_ref(),
            _ => return Err(Refusal::NotFound),
        };
        let found = self.images.boot_file(&image, file).await?;
        self.record(request, Event::Reaches(Phase::Kernel));
        Ok(found)
    }

    fn image(&self, name: &str) -> Result<Arc<OsImage>, Refusal> {
        let facts = self.snapshot.read();
        facts.image(name).cloned().ok_or(Refusal::NotFound)
    }

    async fn loader(&self, request: &FileRequest<'_>, file: &str) -> Result<Found, Refusal> {
        if file.is_empty() {
            return Err(Refusal::NotFound);
        }
        for directory in self.loader_dirs.iter() {
            // A normalised path has no `..`; symbolic links in the directory are its owner's choice.
            if let Ok(found) = whole_file(&directory.join(Path::new(file))).await {
                self.record(request, Event::Reaches(Phase::Loader));
                return Ok(found);
            }
        }
        Err(Refusal::NotFound)
    }

    fn ipxe_script(
        &self,
        request: &FileRequest<'_>,
        mac: Option<MacAddr>,
    ) -> Result<Found, Refusal> {
        let mac = mac.ok_or(Refusal::NotFound)?;
        let facts = self.snapshot.read();
        let context = BootContext::by_mac(&facts, &self.boot, mac, request.server);
        drop(facts);
        let context = context.ok_or(Refusal::NotFound)?;
        self.script(request, &context, |facts| {
            Ok(pxe::ipxe_script(facts).unwrap_or_else(|error| {
                tracing::warn!(node = %facts.node.name, %error, "cannot install node");
                pxe::ipxe_error_script(&error.to_string())
            }))
        })
    }

    /// `pxelinux.cfg/…`. pxelinux requests names from the most to the least specific one: its UUID, its
    /// MAC, its address in hexadecimal and ever shorter prefixes of it, `default`.
    fn pxelinux_config(&self, request: &FileRequest<'_>, name: &str) -> Result<Found, Refusal> {
        let facts = self.snapshot.read();
        let (settings, server) = (&self.boot, request.server);
        let context = if let Some(mac) = name.strip_prefix("01-") {
            let mac = mac.parse().map_err(|_| Refusal::NotFound)?;
            BootContext::by_mac(&facts, settings, mac, server)
        } else if name == "default" {
            BootContext::by_ip(&facts, settings, request.peer, server)
        } else if name.len() == 8 {
            let bits = u32::from_str_radix(name, 16).map_err(|_| Refusal::NotFound)?;
            BootContext::by_ip(&facts, settings, Ipv4Addr::from(bits), server)
        } else {
            None
        };
        drop(facts);
        let context = context.ok_or(Refusal::NotFound)?;
        self.script(request, &context, pxe::pxelinux_config)
    }

    /// A boot script. While the node is deploying the script carries its token and is served only to
    /// the node itself.
    fn script(
        &self,
        request: &FileRequest<'_>,
        context: &BootContext,
        render: impl FnOnce(&BootFacts<'_>) -> Result<String, BootError>,
    ) -> Result<Found, Refusal> {
        if context.node().deployment.state == State::Deploying && !context.is_at(request.peer) {
            return Err(Refusal::Forbidden(request.peer));
        }
        let text = render(&context.driver_facts());
        let text = text.map_err(|error| Refusal::Failed(error.to_string()))?;
        self.record(request, Event::Reaches(Phase::BootScript));
        Ok(Found {
            content: Content::from(text),
            modified: None,
        })
    }

    /// Records a boot event of the node at the client's address.
    pub(crate) fn record(&self, request: &FileRequest<'_>, event: Event) {
        let facts = self.snapshot.read();
        let node = facts.nodes_by_ip(request.peer).first().cloned();
        drop(facts);
        if let Some(node) = node {
            let detail = format!("{} /{}", request.method, request.path);
            self.events
                .record(&self.snapshot, &node.name, event, &detail);
        }
    }
}

/// The decoded value of a parameter of a query.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    crate::path::percent_decode(&value.replace('+', " ")).ok()
}

/// The IPv4 address of a peer, also where its socket address is IPv4-mapped IPv6.
#[must_use]
pub fn ipv4_of(address: SocketAddr) -> Ipv4Addr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameter_is_decoded() {
        let query = "mac=52%3a54&at=a+b&flag&bad=%";
        assert_eq!(parameter(query, "mac").as_deref(), Some("52:54"));
        assert_eq!(parameter(query, "at").as_deref(), Some("a b"));
        for name in ["flag", "bad", "none"] {
            assert_eq!(parameter(query, name), None, "{name}");
        }
    }
}
