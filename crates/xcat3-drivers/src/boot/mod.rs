//! Boot drivers: what a node's firmware is told to load, computed for each request.
//!
//! Everything here is pure: facts in, text out. Nothing is written to disk, so nothing can be stale.
//! The DHCP, TFTP and HTTP servers of the network service ask; `docs/boot.md` tells the story.

pub mod firmware;
pub mod pxe;

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use xcat3_core::osimage::BootFile;
use xcat3_core::{Network, Nic, Node, OsImage, State};

pub use firmware::Firmware;

use crate::install::InstallSettings;

/// File names of the network boot programs for each kind of firmware, as the TFTP server knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loaders {
    /// For PC BIOS: `undionly.kpxe` (iPXE), or `pxelinux.0` / `lpxelinux.0`.
    pub bios: String,
    /// For UEFI on x86_64: `snponly.efi` or `ipxe.efi`.
    pub uefi_x64: String,
    /// For UEFI on aarch64.
    pub uefi_arm64: String,
}

impl Default for Loaders {
    fn default() -> Self {
        Self {
            bios: "undionly.kpxe".to_owned(),
            uefi_x64: "snponly.efi".to_owned(),
            uefi_arm64: "snponly-arm64.efi".to_owned(),
        }
    }
}

/// What is known of a node when it asks how to boot.
#[derive(Clone, Copy, Debug)]
pub struct BootFacts<'a> {
    /// The node.
    pub node: &'a Node,
    /// The nic that asks.
    pub nic: &'a Nic,
    /// The network around its address.
    pub network: &'a Network,
    /// The node's OS image, where it has one.
    pub image: Option<&'a OsImage>,
    /// Our address on that network.
    pub server: Ipv4Addr,
    /// Our HTTP port there.
    pub http_port: u16,
    /// What is the same for all installs.
    pub install: &'a InstallSettings,
}

/// The network boot program that a firmware is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loader {
    /// None: the firmware goes on to its next boot device.
    None,
    /// This file by TFTP.
    Tftp(String),
    /// This URL.
    Http(String),
}

/// A node can't be given boot files, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootError {
    /// It is deploying, but the image is gone.
    #[error("OS image '{0}' does not exist any more")]
    NoImage(String),
    /// The image has no kernel or initial RAM disk to boot from the network.
    #[error("OS image '{0}' has no network installer (kernel and initrd)")]
    NoInstaller(String),
    /// It is deploying without a token, which no deploy leaves behind.
    #[error("node '{0}' is deploying without a token: deploy it again")]
    NoToken(String),
    /// No install driver knows the distribution.
    #[error("no install driver for distribution '{0}'")]
    NoInstallDriver(String),
}

impl<'a> BootFacts<'a> {
    /// The URL of `path` (without a leading slash) on our HTTP server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}:{}/{path}", self.server, self.http_port)
    }

    /// The URL of `path` below the node's private tree, which its token opens.
    ///
    /// # Errors
    /// The node has no token.
    pub fn private_url(&self, path: &str) -> Result<String, BootError> {
        let no_token = || BootError::NoToken(self.node.name.to_string());
        let token = self.node.deployment.token.as_deref().ok_or_else(no_token)?;
        Ok(self.url(&format!("node/{token}/{path}")))
    }

    /// Whether the node is to be installed at this boot.
    #[must_use]
    pub fn installs(&self) -> bool {
        self.node.deployment.state == State::Deploying
    }

    /// The node's OS image.
    ///
    /// # Errors
    /// It has none, or it does not exist any more.
    pub fn image(&self) -> Result<&'a OsImage, BootError> {
        let name = || self.node.deployment.osimage.clone().unwrap_or_default();
        self.image.ok_or_else(|| BootError::NoImage(name()))
    }

    /// Paths of kernel and initial RAM disk on our servers, without a leading slash.
    ///
    /// # Errors
    /// The image does not exist or has no network installer.
    pub fn kernel_paths(&self) -> Result<(String, String), BootError> {
        let image = self.image()?;
        let no_installer = || BootError::NoInstaller(image.name.clone());
        let content = image.content.as_ref().ok_or_else(no_installer)?;
        let path = |file: &Option<BootFile>, kept: &str| match file {
            Some(BootFile::Iso(path)) => Ok(format!("images/{}/{path}", image.name)),
            Some(BootFile::Kept(_)) => Ok(format!("kept/{}/{kept}", image.name)),
            None => Err(no_installer()),
        };
        Ok((
            path(&content.kernel, "kernel")?,
            path(&content.initrd, "initrd")?,
        ))
    }
}

/// The network boot program for a firmware that asks for `facts.nic`. A node without a boot driver,
/// or of which only the address is to be served, is given none.
#[must_use]
pub fn loader(firmware: Firmware, facts: &BootFacts<'_>, loaders: &Loaders) -> Loader {
    match facts.node.declared.netboot.as_deref() {
        Some("pxe") if facts.node.deployment.state != State::Dhcp => {
            pxe::loader(firmware, facts, loaders)
        }
        _ => Loader::None,
    }
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! A node that is being deployed, for the tests of boot and install drivers.

    use serde_json::Map;
    use uuid::Uuid;
    use xcat3_core::osimage::ImageContent;

    use super::*;

    pub struct Fixture {
        pub node: Node,
        pub network: Network,
        pub image: OsImage,
        pub install: InstallSettings,
    }

    impl Fixture {
        pub fn deploying() -> Self {
            let mut node = Node::new("node1".parse().unwrap());
            node.declared.netboot = Some("pxe".into());
            node.declared.arch = Some("x86_64".into());
            node.deployment.state = State::Deploying;
            node.deployment.osimage = Some("debian13.0-x86_64".into());
            node.deployment.token = Some("0123456789abcdef0123456789abcdef".into());
            node.nics = vec![Nic {
                uuid: Uuid::nil(),
                mac: "52:54:00:36:ac:b1".parse().unwrap(),
                name: Some("eth0".into()),
                ip: Some("11.5.102.60".parse().unwrap()),
                netmask: None,
                primary: true,
                extra: Map::new(),
                node: None,
            }];
            let mut network = Network::new("c920", "11.0.0.0/8".parse().unwrap());
            network.domain = Some("lab.test".into());
            let mut image = OsImage::new("debian13.0-x86_64", "debian", "13.0", "x86_64");
            image.content = Some(ImageContent {
                iso: "debian13.0-x86_64.iso".into(),
                iso_size: 1,
                iso_sha256: String::new(),
                codename: Some("trixie".into()),
                kernel: Some(BootFile::Iso("install.amd/netboot/linux".into())),
                initrd: Some(BootFile::Kept("debian13.0-x86_64.initrd".into())),
            });
            Self {
                node,
                network,
                image,
                install: InstallSettings::default(),
            }
        }

        pub fn facts(&self) -> BootFacts<'_> {
            BootFacts {
                node: &self.node,
                nic: &self.node.nics[0],
                network: &self.network,
                image: Some(&self.image),
                server: "11.0.0.101".parse().unwrap(),
                http_port: 3011,
                install: &self.install,
            }
        }
    }
}
