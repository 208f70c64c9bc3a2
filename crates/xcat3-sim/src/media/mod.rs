//! Installation media for the lab, made from Debian's packages and kept until their recipe changes.

pub mod apt;
mod components;
mod debian;
mod disc;
mod initramfs;
pub mod iso;
mod small;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub use small::DISK_SAYS;

use crate::report::say;

/// Where on a disc the installer's kernel (`linux`) and initial RAM disk (`initrd.gz`) for booting
/// over the network are.
pub const NETBOOT: &str = "install/netboot/debian-installer/amd64";

/// A disc that the lab can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// Debian's installer and what a small server needs.
    Debian,
    /// A guest that is up in seconds, laid out like an installer.
    Small,
}

impl Medium {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Small, Self::Debian];

    fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian-13-amd64",
            Self::Small => "small-13-amd64",
        }
    }

    fn recipe(self) -> Vec<&'static str> {
        match self {
            Self::Debian => debian::recipe(),
            Self::Small => small::recipe(),
        }
    }

    fn build(self, work: &Path, file: &Path) -> Result<()> {
        match self {
            Self::Debian => debian::build(work, file),
            Self::Small => small::build(work, file),
        }
    }

    /// The ISO: the one made before from the same recipe, or a new one.
    ///
    /// # Errors
    /// A package can't be fetched or a tool fails.
    pub fn iso(self, cache: &Path) -> Result<PathBuf> {
        let key = &hex::encode(Sha256::digest(self.recipe().join("\0")))[..12];
        let file = cache.join(format!("{}-{key}.iso", self.name()));
        if file.exists() {
            return Ok(file);
        }
        say(format_args!(
            "making {} from Debian's packages",
            file.display()
        ));
        let started = Instant::now();
        fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
        let work = tempfile::Builder::new()
            .prefix("making-")
            .tempdir_in(cache)?;
        // Appears under its name only when it is whole.
        let unfinished = work.path().join("unfinished.iso");
        self.build(work.path(), &unfinished)
            .with_context(|| format!("making {}", self.name()))?;
        fs::rename(&unfinished, &file)?;
        self.remove_older(cache, &file);
        let size = fs::metadata(&file)?.len() >> 20;
        say(format_args!(
            "made it in {:.0} s, {size} MiB",
            started.elapsed().as_secs_f64()
        ));
        Ok(file)
    }

    /// Removes ISOs of older recipes. One that can't be removed only takes room.
    fn remove_older(self, cache: &Path, current: &Path) {
        let prefix = format!("{}-", self.name());
        for path in apt::files(cache).unwrap_or_default() {
            if path != current && apt::file_name(&path).starts_with(&prefix) {
                let _ = fs::remove_file(path);
            }
        }
    }
}
