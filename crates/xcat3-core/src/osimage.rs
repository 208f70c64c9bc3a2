//! Operating systems that were imported from their installation media.

use serde::{Deserialize, Serialize};

/// An operating system that can be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsImage {
    /// Unique; `<distro><ver>-<arch>` unless the operator chose another.
    pub name: String,
    /// For example `debian`, `ubuntu`, `rhels`.
    pub distro: String,
    /// For example `13.0`, `7.3`.
    pub ver: String,
    /// Of the machines it runs on, in the words of [`crate::node::ARCHITECTURES`].
    pub arch: String,
    /// What is installed of it, in the operator's words.
    pub profile: Option<String>,
    /// How it is provisioned, for example `install`.
    pub provmethod: Option<String>,
    /// Kind of root file system, for images that are not installed.
    pub rootfstype: Option<String>,
    /// File name of the medium that it was imported from.
    pub orig_name: Option<String>,
    /// Where its files are. An image that was only declared through the API has none and can't be
    /// deployed.
    pub content: Option<ImageContent>,
}

/// Where the files of an imported OS image are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageContent {
    /// File name of the kept ISO below `images/` of the state directory.
    pub iso: String,
    /// Bytes of the ISO.
    pub iso_size: u64,
    /// SHA-256 of the ISO, lower-case hexadecimal.
    pub iso_sha256: String,
    /// The release's code name, for example `trixie`.
    pub codename: Option<String>,
    /// Kernel that boots the installer over the network.
    pub kernel: Option<BootFile>,
    /// Its initial RAM disk.
    pub initrd: Option<BootFile>,
}

/// A file that a node loads at boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootFile {
    /// Inside the ISO, at this path (no leading slash).
    Iso(String),
    /// A file of this name below `images/` of the state directory.
    Kept(String),
}

impl OsImage {
    /// An image as the API declares it, without content.
    #[must_use]
    pub fn new(name: impl Into<String>, distro: &str, ver: &str, arch: &str) -> Self {
        Self {
            name: name.into(),
            distro: distro.to_owned(),
            ver: ver.to_owned(),
            arch: arch.to_owned(),
            profile: None,
            provmethod: None,
            rootfstype: None,
            orig_name: None,
            content: None,
        }
    }

    /// The name that an import gives where the operator gives none.
    #[must_use]
    pub fn default_name(distro: &str, ver: &str, arch: &str) -> String {
        format!("{distro}{ver}-{arch}")
    }
}
