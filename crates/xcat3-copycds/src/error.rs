//! Why an import fails, in sentences.

use std::io;
use std::path::{Path, PathBuf};

use xcat3_core::name::InvalidName;
use xcat3_iso::IsoError;
use xcat3_store::StoreError;

/// Why an import failed. Nothing was registered.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The image can't be read.
    #[error(transparent)]
    Iso(#[from] IsoError),
    /// It is readable, but what is on it can't be installed; the sentence says why.
    #[error("{}: {reason}", path.display())]
    Unsuitable {
        /// The ISO.
        path: PathBuf,
        /// Why it can't be installed.
        reason: String,
    },
    /// No installer that boots over the network, or one that does not fit; says which and what to do.
    #[error("{0}")]
    Netboot(String),
    /// The name given can't be an OS image's.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// An OS image has this name.
    #[error(
        "OS image '{0}' exists already: give this one another name with -n, or delete the other first \
         (xcat3 osimage-delete {0})"
    )]
    Exists(String),
    /// There is no room for the kept files.
    #[error("{}: the disk is full; {needed} more bytes are needed than there are", path.display())]
    DiskFull {
        /// Where they would be kept.
        path: PathBuf,
        /// Bytes that are missing; 0 where it showed only while writing.
        needed: u64,
    },
    /// A file can't be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The file changed while it was read.
    #[error("{} was changed while it was imported: try again once it is complete", .0.display())]
    Changed(PathBuf),
    /// A list of checksums beside the ISO has another for it.
    #[error("{} is damaged: {} has another SHA-256 for it", iso.display(), list.display())]
    Checksum {
        /// The ISO.
        iso: PathBuf,
        /// The list.
        list: PathBuf,
    },
    /// The operator stopped it.
    #[error("stopped; nothing was imported")]
    Stopped,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ImportError {
    /// A disc that can't be installed.
    pub(crate) fn unsuitable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsuitable {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// A file that can't be read or written; a full disk is told apart.
    pub(crate) fn file(path: &Path, reason: io::Error) -> Self {
        let path = path.to_owned();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, needed: 0 }
            }
            _ => Self::File { path, reason },
        }
    }
}
