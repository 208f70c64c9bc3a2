//! Which operating system a disc has. One file a kind of disc; the table below is asked in its order.

mod disk_info;
mod treeinfo;

use xcat3_iso::IsoFile;

use crate::error::ImportError;

/// The release that a disc installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// `debian`, `ubuntu`.
    pub distro: String,
    /// `13.0`, `16.04.6`.
    pub ver: String,
    /// In xcat3's words: `x86_64`, `aarch64`, `ppc64le`.
    pub arch: String,
    /// The name of its suite in `dists/`: `trixie`, `xenial`.
    pub codename: String,
}

/// What a probe finds.
enum Finding {
    /// Not its kind of disc.
    Other,
    /// This release.
    Release(Release),
    /// Its kind of disc, which can't be installed; the sentence goes on after the file's name.
    Unsupported(String),
}

type Probe = fn(&IsoFile) -> Result<Finding, ImportError>;

const PROBES: [Probe; 2] = [disk_info::probe, treeinfo::probe];

/// Tells the release that a disc installs.
///
/// # Errors
/// It is none that can be installed, or its description can't be read.
pub fn recognise(iso: &IsoFile) -> Result<Release, ImportError> {
    for probe in PROBES {
        match probe(iso)? {
            Finding::Other => {}
            Finding::Release(release) => return Ok(release),
            Finding::Unsupported(reason) => {
                return Err(ImportError::unsuitable(iso.path(), reason));
            }
        }
    }
    let reason = "no operating system is recognised on it: it has neither .disk/info (Debian, \
                  Ubuntu) nor .treeinfo or .discinfo (Red Hat and its kin)";
    Err(ImportError::unsuitable(iso.path(), reason))
}

impl Release {
    /// The architecture in Debian's words, as they stand in paths.
    pub(crate) fn debian_arch(&self) -> &'static str {
        let known = ARCHITECTURES.iter().find(|(_, ours)| *ours == self.arch);
        known.map_or("all", |(debian, _)| debian)
    }
}

/// Debian's words for architectures and ours.
const ARCHITECTURES: [(&str, &str); 4] = [
    ("amd64", "x86_64"),
    ("arm64", "aarch64"),
    ("ppc64el", "ppc64le"),
    ("ppc64", "ppc64"),
];
