//! The kept ISO images and boot files, opened when they are first asked for and held until the image
//! goes or is imported anew.
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

/// Content with what caches want to know of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The bytes.
    pub content: Content,
    /// When they were last changed, in seconds since 1970.
    pub modified: Option<i64>,
}

/// Why content is not there.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Nothing of that name.
    #[error("no such file")]
    NotFound,
    /// The image can't be served.
    #[error("OS image '{image}': {reason}")]
    Broken {
        /// The image.
        image: String,
        /// What is wrong with its files.
        reason: String,
    },
}

/// Images by name. Cheap to clone.
#[derive(Clone)]
pub struct Images {
    directory: Arc<Path>,
    open: Arc<Mutex<HashMap<String, Arc<Image>>>>,
}

/// An image as it was declared when it was first asked for.
struct Image {
    declared: ImageContent,
    iso: OnceCell<(IsoFile, Arc<File>)>,
}

impl Images {
    /// The images kept in `directory`.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.into(),
            open: Arc::default(),
        }
    }

    /// The file at `path` inside of an image's ISO.
    ///
    /// # Errors
    /// There is no such file, or the ISO can't be read.
    pub async fn file(&self, image: &OsImage, path: &str) -> Result<Found, Missing> {
        let declared = image.content.as_ref().ok_or(Missing::NotFound)?;
        let held = self.held(&image.name, declared);
        let broken = |reason: String| Missing::Broken {
            image: image.name.clone(),
            reason,
        };
        let (iso, file) = held
            .iso
            .get_or_try_init(|| open(self.directory.join(&declared.iso), declared.iso_size))
            .await
            .map_err(broken)?;
        let entry = iso
            .lookup(path)
            .and_then(|entry| entry.file())
            .ok_or(Missing::NotFound)?;
        let extents = entry
            .extents()
            .iter()
            .map(|extent| (extent.offset, extent.len));
        Ok(Found {
            content: Content::extents(file.clone(), extents),
            modified: Some(entry.mtime),
        })
    }

    /// A boot file that is kept beside the ISO.
    ///
    /// # Errors
    /// The image has none, or it can't be read.
    pub async fn kept(&self, image: &OsImage, file: Option<&BootFile>) -> Result<Found, Missing> {
        let path = match file {
            Some(BootFile::Kept(name)) if is_plain(name) => self.directory.join(name),
            Some(BootFile::Iso(path)) => return self.file(image, path).await,
            _ => return Err(Missing::NotFound),
        };
        let broken = |error: io::Error| Missing::Broken {
            image: image.name.clone(),
            reason: format!("cannot read {}: {error}", path.display()),
        };
        whole_file(&path).await.map_err(broken)
    }

    fn held(&self, name: &str, declared: &ImageContent) -> Arc<Image> {
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

    /// Closes images that are gone or were imported anew.
    pub fn forget_stale(&self, facts: &Facts) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|name, held| {
            let declared = facts.image(name).and_then(|image| image.content.as_ref());
            declared == Some(&held.declared)
        });
    }
}

impl Images {
    /// Removes the files of images that were deleted. Under the lock that an import holds, and only
    /// what no registered image needs: one of the same name may have been imported meanwhile. What
    /// can't be removed stays and is named in the log.
    pub(crate) async fn remove(&self, gone: &[ImageContent], store: &Store) {
        if gone.is_empty() {
            return;
        }
        let lock = File::open(self.directory.join(".lock"));
        let locked = |file: &File| flock(file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let Some(_lock) = lock.ok().filter(locked) else {
            tracing::warn!("files of deleted OS images stay: an import is under way");
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
                Ok(()) => tracing::info!(file = %path.display(), "removed with its OS image"),
                Err(error) => tracing::warn!(file = %path.display(), %error, "cannot remove"),
            }
        }
    }
}

/// The names of the files that are kept for an image.
fn files_of(content: &ImageContent) -> impl Iterator<Item = &str> {
    let boot = [content.kernel.as_ref(), content.initrd.as_ref()];
    let kept = boot.into_iter().flatten().filter_map(|file| match file {
        BootFile::Kept(name) => Some(name.as_str()),
        BootFile::Iso(_) => None,
    });
    std::iter::once(content.iso.as_str()).chain(kept)
}

/// A name of a file in a directory, not a way out of it.
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
        .unwrap_or_else(|_| Err("opening it was broken off".to_owned()))
}

/// A regular file as it is now.
///
/// # Errors
/// The operating system's; something that is no regular file is not found.
pub async fn whole_file(path: &Path) -> io::Result<Found> {
    let path = path.to_owned();
    let opening = tokio::task::spawn_blocking(move || {
        // Asked before it is opened: opening a FIFO would wait for its writer.
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
        .unwrap_or_else(|_| Err(io::Error::other("opening it was broken off")))
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
    async fn only_what_no_image_needs_is_removed_and_never_during_an_import() {
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
        assert!(path("a.iso").exists(), "an import is under way");
        drop(import);
        images.remove(&gone, &store).await;
        assert!(!path("a.iso").exists() && !path("a.linux").exists());
        assert!(
            path("b.iso").exists() && path("b.linux").exists(),
            "still registered"
        );
    }
}
