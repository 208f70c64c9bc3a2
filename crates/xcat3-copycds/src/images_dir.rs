//! The directory of kept files. Those of one import are made in a directory of their own inside of
//! it and get their names, by hard links, when they are complete; whatever is found in there by the
//! next import was left by one that was killed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use xcat3_core::osimage::{BootFile, OsImage};

use crate::error::ImportError;
use crate::progress::Progress;

const UNFINISHED: &str = ".import";
const LOCK: &str = ".lock";

/// The directory, locked: one import at a time.
pub(crate) struct ImagesDir {
    path: PathBuf,
    /// Held open for its lock.
    _lock: File,
}

impl ImagesDir {
    /// Opens the directory, made where it is missing; waits for another import to end.
    pub(crate) fn open(path: &Path, progress: &dyn Progress) -> Result<Self, ImportError> {
        let failed = |reason| ImportError::file(path, reason);
        fs::create_dir_all(path).map_err(failed)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        let lock = options.open(path.join(LOCK)).map_err(failed)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            progress.note("waiting for another import to end");
            flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Removes what a killed import left: unfinished files, and finished ones that belong to none of
    /// the registered images.
    pub(crate) fn clean(&self, registered: &[OsImage]) -> Result<(), ImportError> {
        let unfinished = self.path.join(UNFINISHED);
        let failed = |reason| ImportError::file(&unfinished, reason);
        let entries = match fs::read_dir(&unfinished) {
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let known = name
                .to_str()
                .is_some_and(|name| registered.iter().any(|image| keeps(image, name)));
            if !known {
                remove(&self.path.join(&name))?;
            }
        }
        fs::remove_dir_all(&unfinished).map_err(failed)
    }

    /// Begins an import.
    pub(crate) fn begin(&self) -> Result<Unfinished<'_>, ImportError> {
        let path = self.path.join(UNFINISHED);
        fs::create_dir(&path).map_err(|reason| ImportError::file(&path, reason))?;
        Ok(Unfinished {
            images: self,
            path,
            finished: Vec::new(),
            registered: false,
        })
    }
}

/// The files of an import that is under way. Dropped before [`Unfinished::registered`], it takes back
/// all of them.
pub(crate) struct Unfinished<'a> {
    images: &'a ImagesDir,
    path: PathBuf,
    finished: Vec<PathBuf>,
    registered: bool,
}

impl Unfinished<'_> {
    /// Where to make the file that will have this name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Gives complete files their names, for good where power fails now.
    pub(crate) fn finish(&mut self, names: &[String]) -> Result<(), ImportError> {
        for name in names {
            let (made, kept) = (self.path(name), self.images.path.join(name));
            // An image of this name was deleted, or it could not be imported now.
            remove(&kept)?;
            fs::hard_link(&made, &kept).map_err(|reason| ImportError::file(&kept, reason))?;
            self.finished.push(kept);
        }
        let directory = File::open(&self.images.path).and_then(|directory| directory.sync_all());
        directory.map_err(|reason| ImportError::file(&self.images.path, reason))
    }

    /// The image is registered: the files stay.
    pub(crate) fn registered(mut self) {
        self.registered = true;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next import.
        if !self.registered {
            for file in &self.finished {
                let _ = fs::remove_file(file);
            }
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Makes a file that nobody writes to any more, complete on disk.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), ImportError> {
    let write = || {
        let mut file = File::create_new(path)?;
        io::Write::write_all(&mut file, content)?;
        file.set_permissions(Permissions::from_mode(0o444))?;
        file.sync_all()
    };
    write().map_err(|reason| ImportError::file(path, reason))
}

fn keeps(image: &OsImage, name: &str) -> bool {
    image.content.as_ref().is_some_and(|content| {
        let part = |part: &Option<BootFile>| *part == Some(BootFile::Kept(name.to_owned()));
        content.iso == name || part(&content.kernel) || part(&content.initrd)
    })
}

fn remove(path: &Path) -> Result<(), ImportError> {
    match fs::remove_file(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            Err(ImportError::file(path, reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use xcat3_core::osimage::ImageContent;

    fn names(path: &Path) -> Vec<String> {
        let entries = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn image(name: &str) -> OsImage {
        let mut image = OsImage::new(name, "debian", "13.0", "x86_64");
        image.content = Some(ImageContent {
            iso: format!("{name}.iso"),
            iso_size: 1,
            iso_sha256: String::new(),
            codename: None,
            kernel: Some(BootFile::Iso("linux".into())),
            initrd: Some(BootFile::Kept(format!("{name}.initrd.gz"))),
        });
        image
    }

    #[test]
    fn what_is_not_registered_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let images = ImagesDir::open(dir.path(), &Silent).unwrap();
        let mut unfinished = images.begin().unwrap();
        write(&unfinished.path("a.iso"), b"a").unwrap();
        unfinished.finish(&["a.iso".into()]).unwrap();
        assert_eq!(names(dir.path()), [".import", ".lock", "a.iso"]);
        drop(unfinished);
        assert_eq!(names(dir.path()), [".lock"]);
        let mut unfinished = images.begin().unwrap();
        write(&unfinished.path("a.iso"), b"a").unwrap();
        unfinished.finish(&["a.iso".into()]).unwrap();
        unfinished.registered();
        assert_eq!(names(dir.path()), [".lock", "a.iso"]);
    }

    #[test]
    fn what_a_killed_import_left_is_removed_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let images = ImagesDir::open(dir.path(), &Silent).unwrap();
        let mut killed = images.begin().unwrap();
        let made = ["new.iso", "new.linux", "old.iso", "old.initrd.gz"].map(String::from);
        for name in &made {
            write(&killed.path(name), b"x").unwrap();
        }
        killed.finish(&made).unwrap();
        std::mem::forget(killed);
        images.clean(&[image("old")]).unwrap();
        assert_eq!(names(dir.path()), [".lock", "old.initrd.gz", "old.iso"]);
        images.clean(&[]).unwrap();
        assert_eq!(names(dir.path()), [".lock", "old.initrd.gz", "old.iso"]);
    }
}
