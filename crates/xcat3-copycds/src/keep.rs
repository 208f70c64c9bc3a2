//! The kept copy of an ISO: made without copying where the file system can share blocks (reflink),
//! and its SHA-256, read once.
//!
//! A hard link costs nothing either, but is the same file: whoever writes to the original afterwards
//! changes what nodes are installed from. So it is made only when the operator asks for it.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::ImportError;
use crate::progress::Progress;

const BUFFER: usize = 1 << 20;
const LONGEST_LIST: u64 = 1 << 20;

/// How the ISO was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It shares its blocks with the original until one of them changes.
    Reflink,
    /// It is the same file under another name.
    HardLink,
    /// It is a copy.
    Copy,
}

impl How {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reflink => "reflinked",
            Self::HardLink => "hard-linked",
            Self::Copy => "copied",
        }
    }
}

/// A kept file.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) how: How,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Keeps `original` as `target`, which must not exist.
pub(crate) fn keep(
    original: &Path,
    target: &Path,
    link: bool,
    progress: &dyn Progress,
) -> Result<Kept, ImportError> {
    let read_error = |reason| ImportError::file(original, reason);
    let mut source = File::open(original).map_err(read_error)?;
    let before = state(&source).map_err(read_error)?;
    let size = before.0;
    let (how, mut kept) = begin(&source, original, target, link, size)?;
    let step = match how {
        How::Copy => "copying the ISO",
        How::Reflink | How::HardLink => "hashing the ISO",
    };
    progress.begin(step, size);
    let sha256 = match how {
        How::Copy => copy(&mut source, &mut kept, (original, target), progress),
        How::Reflink | How::HardLink => hash(&mut kept, target, progress, &mut |_| Ok(())),
    };
    progress.end();
    let sha256 = sha256?;
    if how != How::HardLink {
        complete(&kept).map_err(|reason| ImportError::file(target, reason))?;
    }
    let after = fs::metadata(target).map_err(|reason| ImportError::file(target, reason))?;
    if state(&source).map_err(read_error)? != before || after.len() != size {
        return Err(ImportError::Changed(original.to_owned()));
    }
    check_list(original, &sha256)?;
    Ok(Kept { how, size, sha256 })
}

/// Size and times that tell whether a file was written to. (A hard link changes the change time, so
/// that is left out.)
fn state(file: &File) -> io::Result<(u64, i64, i64)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Makes the target in the cheapest way that is safe; a copy is only begun.
fn begin(
    source: &File,
    original: &Path,
    target: &Path,
    link: bool,
    size: u64,
) -> Result<(How, File), ImportError> {
    let failed = |reason| ImportError::file(target, reason);
    if link {
        // A link to a symlink would be one to another name, not to the file.
        let linked = fs::canonicalize(original).and_then(|file| fs::hard_link(file, target));
        return match linked {
            Ok(()) => Ok((How::HardLink, File::open(target).map_err(failed)?)),
            Err(reason) if reason.kind() == io::ErrorKind::CrossesDevices => {
                begin(source, original, target, false, size)
            }
            Err(reason) => Err(failed(reason)),
        };
    }
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let kept = options.open(target).map_err(failed)?;
    if rustix::fs::ioctl_ficlone(&kept, source).is_ok() {
        return Ok((How::Reflink, kept));
    }
    let room = rustix::fs::fstatvfs(&kept).map_err(|errno| failed(errno.into()))?;
    let available = room.f_bavail.saturating_mul(room.f_frsize);
    if available < size {
        return Err(ImportError::DiskFull {
            path: target.parent().unwrap_or(target).to_owned(),
            needed: size - available,
        });
    }
    Ok((How::Copy, kept))
}

fn copy(
    source: &mut File,
    kept: &mut File,
    (original, target): (&Path, &Path),
    progress: &dyn Progress,
) -> Result<String, ImportError> {
    hash(source, original, progress, &mut |bytes| {
        let written = kept.write_all(bytes);
        written.map_err(|reason| ImportError::file(target, reason))
    })
}

/// Nobody writes to it from now on, and it is there after a power failure.
fn complete(kept: &File) -> io::Result<()> {
    kept.set_permissions(Permissions::from_mode(0o444))?;
    kept.sync_all()
}

/// Reads a file to its end, hands on what it reads, and hashes it.
fn hash(
    source: &mut File,
    path: &Path,
    progress: &dyn Progress,
    take: &mut dyn FnMut(&[u8]) -> Result<(), ImportError>,
) -> Result<String, ImportError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        if progress.stopped() {
            return Err(ImportError::Stopped);
        }
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(reason) if reason.kind() == io::ErrorKind::Interrupted => continue,
            Err(reason) => return Err(ImportError::file(path, reason)),
        };
        hasher.update(&buffer[..read]);
        take(&buffer[..read])?;
        progress.advance(read as u64);
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Downloads come with a list of checksums: where it lies beside the ISO, it must agree.
fn check_list(iso: &Path, sha256: &str) -> Result<(), ImportError> {
    let (Some(name), Some(directory)) =
        (iso.file_name().and_then(|name| name.to_str()), iso.parent())
    else {
        return Ok(());
    };
    let list = directory.join("SHA256SUMS");
    if !fs::metadata(&list).is_ok_and(|list| list.is_file() && list.len() <= LONGEST_LIST) {
        return Ok(());
    }
    let Ok(text) = fs::read_to_string(&list) else {
        return Ok(());
    };
    let mut entries = text.lines().filter_map(|line| line.split_once([' ', '\t']));
    let entry = entries.find(|(_, file)| file.trim_start().trim_start_matches('*') == name);
    match entry {
        Some((listed, _)) if !listed.eq_ignore_ascii_case(sha256) => Err(ImportError::Checksum {
            iso: iso.to_owned(),
            list,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    #[test]
    fn a_copy_has_the_bytes_and_the_hash() {
        let dir = tempfile::tempdir().unwrap();
        let (iso, target) = (dir.path().join("x.iso"), dir.path().join("kept"));
        fs::write(&iso, "hello").unwrap();
        let kept = keep(&iso, &target, false, &Silent).unwrap();
        assert_eq!((kept.size, kept.sha256.as_str()), (5, HELLO));
        assert_eq!(fs::read(&target).unwrap(), b"hello");
        assert!(
            keep(&iso, &target, false, &Silent).is_err(),
            "what is there is never overwritten"
        );
    }

    #[test]
    fn a_hard_link_is_made_on_request_only() {
        let dir = tempfile::tempdir().unwrap();
        let (iso, target) = (dir.path().join("x.iso"), dir.path().join("kept"));
        fs::write(&iso, "hello").unwrap();
        let kept = keep(&iso, &target, true, &Silent).unwrap();
        assert_eq!((kept.how, kept.sha256.as_str()), (How::HardLink, HELLO));
        assert_eq!(fs::metadata(&iso).unwrap().nlink(), 2);
    }

    #[test]
    fn a_list_of_checksums_beside_it_must_agree() {
        let dir = tempfile::tempdir().unwrap();
        let iso = dir.path().join("x.iso");
        let list = dir.path().join("SHA256SUMS");
        fs::write(&list, format!("{HELLO} *x.iso\n{HELLO}  y.iso\n")).unwrap();
        assert!(check_list(&iso, HELLO).is_ok());
        let error = check_list(&iso, &HELLO.replace('2', "3"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("SHA256SUMS has another SHA-256"), "{error}");
        assert!(check_list(&dir.path().join("z.iso"), "00").is_ok());
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let iso = dir.path().join("x.iso");
        fs::write(&iso, "hello").unwrap();
        let full = Path::new("/dev/full");
        let mut source = File::open(&iso).unwrap();
        let mut kept = File::options().write(true).open(full).unwrap();
        let error = copy(&mut source, &mut kept, (&iso, full), &Silent).unwrap_err();
        assert!(matches!(error, ImportError::DiskFull { .. }), "{error}");
    }

    struct Stopped;

    impl Progress for Stopped {
        fn begin(&self, _: &str, _: u64) {}
        fn advance(&self, _: u64) {}
        fn end(&self) {}
        fn note(&self, _: &str) {}
        fn stopped(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_operator_can_stop_it() {
        let dir = tempfile::tempdir().unwrap();
        let iso = dir.path().join("x.iso");
        fs::write(&iso, "hello").unwrap();
        let error = keep(&iso, &dir.path().join("kept"), false, &Stopped).unwrap_err();
        assert!(matches!(error, ImportError::Stopped));
    }
}
