//! Certificates that are trusted on first use, in a file like OpenSSH's known_hosts: a line for each
//! BMC, `host:port sha256:HEX`. To accept a new certificate, an operator deletes the line.
//!
//! All processes of a host share the file. It is read again only for a BMC without a line and for one
//! with another certificate.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::trust::Fingerprint;

/// The largest file that is read, in bytes: half a million BMCs.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The result of a comparison with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateCheck {
    /// The certificate is the recorded one, or was recorded now.
    Known,
    /// Another certificate is recorded.
    Changed(Fingerprint),
}

/// The file and what was last read of it.
#[derive(Debug)]
pub struct KnownCertificates {
    path: PathBuf,
    read: Mutex<Content>,
}

/// The content of the file when it was last read.
#[derive(Debug, Default)]
struct Content {
    known: HashMap<String, Fingerprint>,
    /// Length and modification time of the file then.
    stamp: Option<(u64, SystemTime)>,
}

impl KnownCertificates {
    /// The file at `path`, which need not exist yet. Reads nothing yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Compares the certificate `shown` of the BMC `name` (`host:port`) with the file. Records the
    /// certificate of a BMC without a line. May block on the file system.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub fn check(&self, name: &str, shown: Fingerprint) -> io::Result<CertificateCheck> {
        if self.read().known.get(name) == Some(&shown) {
            return Ok(CertificateCheck::Known);
        }
        if let Some(parent) = self.path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        // Released when the file is closed.
        file.lock()?;
        let mut read = self.read();
        if read.stamp.is_none() || read.stamp != stamp(&file)? {
            read.known = content(&mut file)?;
            read.stamp = stamp(&file)?;
        }
        match read.known.get(name) {
            Some(kept) if *kept == shown => Ok(CertificateCheck::Known),
            Some(kept) => Ok(CertificateCheck::Changed(*kept)),
            None => {
                file.write_all(format!("{name} sha256:{shown}\n").as_bytes())?;
                read.known.insert(name.to_owned(), shown);
                read.stamp = stamp(&file)?;
                Ok(CertificateCheck::Known)
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

/// Parses the lines of `file`, skipping foreign ones. Leaves `file` at the beginning of a line.
fn content(file: &mut File) -> io::Result<HashMap<String, Fingerprint>> {
    let mut text = String::new();
    file.rewind()?;
    (&*file)
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {MAX_FILE_BYTES} bytes"
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
    fn check_first_certificate_is_recorded_and_another_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/known");
        let (first, second) = (
            Fingerprint::from_certificate(b"1"),
            Fingerprint::from_certificate(b"2"),
        );
        let (here, elsewhere) = (
            KnownCertificates::new(path.clone()),
            KnownCertificates::new(path.clone()),
        );
        assert_eq!(here.check("a:443", first).unwrap(), CertificateCheck::Known);
        let changed = CertificateCheck::Changed(first);
        assert_eq!(elsewhere.check("a:443", second).unwrap(), changed);
        assert_eq!(
            elsewhere.check("b:443", second).unwrap(),
            CertificateCheck::Known
        );
        assert_eq!(
            here.check("b:443", first).unwrap(),
            CertificateCheck::Changed(second)
        );
        std::fs::write(&path, "# by hand, without an end of line").unwrap();
        assert_eq!(
            here.check("a:443", second).unwrap(),
            CertificateCheck::Known
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            format!("# by hand, without an end of line\na:443 sha256:{second}\n")
        );
    }
}
