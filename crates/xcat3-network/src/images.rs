//! The ISO files and boot files of OS images, opened at the first request and closed when the image is
//! deleted or imported again.
//!
//! A file inside an ISO is served from its extents; nothing is unpacked.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use tokio::sync::OnceCell;
use xcat3_core::OsImage;
use xcat3_core::osimage::{BootFile, ImageContent};
use xcat3_iso::IsoFile;
use xcat3_store::Store;

use crate::content::Content;
use crate::facts::Facts;

/// Content with the time of its last change, for caches.
#[derive(Clone, Debug)]
pub struct Found {
    /// The bytes.
    pub content: Content,
    /// The last change, in seconds since 1970.
    pub modified: Option<i64>,
}

/// Why a file of an image cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is no such file.
    #[error("no such file")]
    NotFound,
    /// The image cannot be read.
    #[error("OS image '{image}': {reason}")]
    Broken {
        /// The name of the image.
        image: String,
        /// The reason.
        reason: String,
    },
}

/// The open images by name. Clones share them.
#[derive(Clone)]
pub struct Images {
    directory: Arc<Path>,
    open: Arc<Mutex<HashMap<String, Arc<Image>>>>,
}

/// An image as it was declared at the first request.
struct Image {
    declared: ImageContent,
    iso: OnceCell<(IsoFile, Arc<File>)>,
}

impl Images {
    /// The images stored in `directory`.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.into(),
            open: Arc::default(),
        }
    }

    /// The file at `path` inside the ISO of an image.
    ///
    /// # Errors
    /// There is no such file, or the ISO cannot be read.
    pub async fn file(&self, image: &OsImage, path: &str) -> Result<Found, ImageError> {
        let declared = image.content.as_ref().ok_or(ImageError::NotFound)?;
        let opened = self.opened(&image.name, declared);
        let broken = |reason: String| ImageError::Broken {
            image: image.name.clone(),
            reason,
        };
        let (iso, file) = opened
            .iso
            .get_or_try_init(|| open(self.directory.join(&declared.iso), declared.iso_size))
            .await
            .map_err(broken)?;
        let entry = iso
            .lookup(path)
            .and_then(|entry| entry.file())
            .ok_or(ImageError::NotFound)?;
        let extents = entry
            .extents()
            .iter()
            .map(|extent| (extent.offset, extent.len));
        Ok(Found {
            content: Content::extents(file.clone(), extents),
            modified: Some(entry.mtime),
        })
    }

    /// A boot file of an image, beside or inside the ISO.
    ///
    /// # Errors
    /// The image has no such file, or it cannot be read.
    pub async fn boot_file(
        &self,
        image: &OsImage,
        file: Option<&BootFile>,
    ) -> Result<Found, ImageError> {
        let path = match file {
            Some(BootFile::Kept(name)) if is_plain(name) => self.directory.join(name),
            Some(BootFile::Iso(path)) => return self.file(image, path).await,
            _ => return Err(ImageError::NotFound),
        };
        let broken = |error: io::Error| ImageError::Broken {
            image: image.name.clone(),
            reason: format!("cannot read {}: {error}", path.display()),
        };
        whole_file(&path).await.map_err(broken)
    }

    fn opened(&self, name: &str, declared: &ImageContent) -> Arc<Image> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get(name) {
            Some(image) if image.declared == *declared => image.clone(),
            _ => {
                let image = Arc::new(Image {
                    declared: declared.clone(),
                    iso: OnceCell::new(),
                });
                open.insert(name.to_owned(), image.clone());
                image
            }
        }
    }

    /// Closes images that were deleted or imported again.
    pub fn close_stale(&self, facts: &Facts) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|name, image| {
            let declared = facts.image(name).and_then(|found| found.content.as_ref());
            declared == Some(&image.declared)
        });
    }
}

impl Images {
    /// Removes the files of deleted images, under the lock that an import takes. Files that a registered
    /// image needs stay: an image of the same name may have been imported meanwhile. The log names
    /// files that cannot be removed.
    pub(crate) async fn remove(&self, gone: &[ImageContent], store: &Store) {
        if gone.is_empty() {
            return;
        }
        let lock = File::open(self.directory.join(".lock"));
        let locked = |file: &File| flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let Some(_lock) = lock.ok().filter(locked) else {
            tracing::warn!("files of deleted OS images are not removed: an import is running");
            return;
        };
        let Ok(registered) = store.osimages().await else {
            return;
        };
        let needed: HashSet<&str> = registered
            .iter()
            .filter_map(|image| image.content.as_ref())
            .flat_map(files_of)
            .collect();
        let unneeded = |name: &&str| is_plain(name) && !needed.contains(name);
        for name in gone.iter().flat_map(files_of).filter(unneeded) {
            let path = self.directory.join(name);
            match tokio::fs::remove_file(&path).await {
                Ok(()) => {
                    tracing::info!(file = %path.display(), "file of a deleted OS image removed");
                }
                Err(error) => {
                    tracing::warn!(file = %path.display(), %error, "cannot remove the file of a deleted OS image");
                }
            }
        }
    }
}

/// The names of the stored files of an image.
fn files_of(content: &ImageContent) -> impl Iterator<Item = &str> {
    let boot = [content.kernel.as_ref(), content.initrd.as_ref()];
    let beside = boot.into_iter().flatten().filter_map(|file| match file {
        BootFile::Kept(name) => Some(name.as_str()),
        BootFile::Iso(_) => None,
    });
    std::iter::once(content.iso.as_str()).chain(beside)
}

/// Whether a name is that of a file in the directory, not a path out of it.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(std::path::Component::Normal(_)), None)
    )
}

async fn open(path: PathBuf, size: u64) -> Result<(IsoFile, Arc<File>), String> {
    let opening = tokio::task::spawn_blocking(move || {
        let iso = IsoFile::open(&path).map_err(|error| error.to_string())?;
        if iso.size() != size {
            let has = iso.size();
            return Err(format!(
                "{} has {has} bytes instead of {size}",
                path.display()
            ));
        }
        let file = iso.file().try_clone().map_err(|error| error.to_string())?;
        Ok((iso, Arc::new(file)))
    });
    opening
        .await
        .unwrap_or_else(|_| Err("opening the file panicked".to_owned()))
}

/// A regular file with its current size.
///
/// # Errors
/// The file cannot be opened; anything but a regular file is not found.
pub async fn whole_file(path: &Path) -> io::Result<Found> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || {
        // Checked before opening: opening a FIFO would wait for its writer.
        let attributes = std::fs::metadata(&path)?;
        if !attributes.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let since = attributes
            .modified()?
            .duration_since(std::time::UNIX_EPOCH)
            .ok();
        let content = Content::file(Arc::new(File::open(&path)?))?;
        let modified = since.and_then(|since| i64::try_from(since.as_secs()).ok());
        Ok(Found { content, modified })
    });
    opening
        .await
        .unwrap_or_else(|_| Err(io::Error::other("opening the file panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> OsImage {
        let mut image = OsImage::new(name, "debian", "13", "x86_64");
        image.content = Some(ImageContent {
            iso: format!("{name}.iso"),
            iso_size: 1,
            iso_sha256: String::new(),
            codename: None,
            kernel: Some(BootFile::Kept(format!("{name}.linux"))),
            initrd: Some(BootFile::Iso("initrd.gz".into())),
        });
        image
    }

    #[tokio::test]
    async fn file_is_removed_unless_needed_or_import_runs() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in [".lock", "a.iso", "a.linux", "b.iso", "b.linux"] {
            std::fs::write(path(name), "x").unwrap();
        }
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.create_osimage(&image("b")).await.unwrap();
        let gone = [image("a").content.unwrap(), image("b").content.unwrap()];
        let images = Images::new(directory.path());
        let import = File::open(path(".lock")).unwrap();
        flock(&import, FlockOperation::LockExclusive).unwrap();
        images.remove(&gone, &store).await;
        assert!(path("a.iso").exists(), "an import is running");
        drop(import);
        images.remove(&gone, &store).await;
        assert!(!path("a.iso").exists() && !path("a.linux").exists());
        assert!(
            path("b.iso").exists() && path("b.linux").exists(),
            "still registered"
        );
    }
}
