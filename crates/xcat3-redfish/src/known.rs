//! Certificates of BMCs as they were first seen, kept in a file like OpenSSH's known_hosts: a line
//! each, `host:port sha256:HEX`. To accept a new certificate, an operator deletes the line.
//!
//! The file is shared by all processes of a host. It is read again only where it is needed: for a
//! BMC that is not known yet, or one whose certificate has changed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::trust::Fingerprint;

/// Larger than any file that there will be: half a million BMCs.
const LARGEST: u64 = 64 << 20;

/// What is known of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the BMC's. Also where nothing was known of the BMC until now.
    Known,
    /// The BMC is known with this one.
    Changed(Fingerprint),
}

/// The file and what is known of its content.
#[derive(Debug)]
pub struct KnownCertificates {
    path: PathBuf,
    read: Mutex<Content>,
}

/// What was last read of the file.
#[derive(Debug, Default)]
struct Content {
    known: HashMap<String, Fingerprint>,
    /// Its length and time of change then.
    stamp: Option<(u64, SystemTime)>,
}

impl KnownCertificates {
    /// Those of the file at `path`, which need not exist yet. Nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of the BMC `name` (`host:port`), which shows the certificate `shown`. A BMC of
    /// which nothing is known is known from now on. May block on the file system.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub fn check(&self, name: &str, shown: Fingerprint) -> io::Result<Verdict> {
        if self.read().known.get(name) == Some(&shown) {
            return Ok(Verdict::Known);
        }
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        // Given back when the file is closed.
        file.lock()?;
        let mut read = self.read();
        if read.stamp.is_none() || read.stamp != stamp(&file)? {
            read.known = content(&mut file)?;
            read.stamp = stamp(&file)?;
        }
        match read.known.get(name) {
            Some(kept) if *kept == shown => Ok(Verdict::Known),
            Some(kept) => Ok(Verdict::Changed(*kept)),
            None => {
                file.write_all(format!("{name} sha256:{shown}\n").as_bytes())?;
                read.known.insert(name.to_owned(), shown);
                read.stamp = stamp(&file)?;
                Ok(Verdict::Known)
            }
        }
    }

    fn read(&self) -> MutexGuard<'_, Content> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(file: &File) -> io::Result<Option<(u64, SystemTime)>> {
    let facts = file.metadata()?;
    Ok(Some((facts.len(), facts.modified()?)))
}

/// The lines of `file`; those that are none of ours are passed over. Leaves it where a line begins.
fn content(file: &mut File) -> io::Result<HashMap<String, Fingerprint>> {
    let mut text = String::new();
    file.rewind()?;
    (&*file).take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "it is larger than {LARGEST} bytes"
        )));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        file.write_all(b"\n")?;
    }
    let entry = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, digest) = (words.next()?, words.next()?);
        let fingerprint = digest.strip_prefix("sha256:")?.parse().ok()?;
        Some((name.to_owned(), fingerprint))
    };
    Ok(text.lines().filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_certificate_is_kept_and_another_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/known");
        let (first, second) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        let (here, elsewhere) = (
            KnownCertificates::new(path.clone()),
            KnownCertificates::new(path.clone()),
        );
        assert_eq!(here.check("a:443", first).unwrap(), Verdict::Known);
        let changed = Verdict::Changed(first);
        assert_eq!(elsewhere.check("a:443", second).unwrap(), changed);
        assert_eq!(elsewhere.check("b:443", second).unwrap(), Verdict::Known);
        assert_eq!(
            here.check("b:443", first).unwrap(),
            Verdict::Changed(second)
        );
        std::fs::write(&path, "# by hand, without an end of line").unwrap();
        assert_eq!(here.check("a:443", second).unwrap(), Verdict::Known);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            format!("# by hand, without an end of line\na:443 sha256:{second}\n")
        );
    }
}
