//! Host keys that are known, in OpenSSH's file format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): plain
//! and hashed names, `[host]:port`, wildcards, negation and `@revoked`. Certificate authorities are
//! not supported: their lines are passed over.
//!
//! Keys are compared as the text that stands in the file; what a key is, is not known here.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Larger than any file that people keep.
const MAX_SIZE: u64 = 64 << 20;

/// A host as its key is filed: `host`, or `[host]:port` where the port is not 22.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name under which the key of the ssh server on `port` of `host` is filed.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.to_ascii_lowercase();
        Self(if port == 22 {
            host
        } else {
            format!("[{host}]:{port}")
        })
    }
}

/// A public key as OpenSSH writes it: `ssh-ed25519 AAAA…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// The name of its algorithm.
    pub kind: String,
    /// The key, in base64.
    pub blob: String,
}

/// What is known of a key that a host shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// Nothing is known of the host.
    Unknown,
    /// The host is known, with another key.
    Changed {
        /// Where the other key stands, counted from 1.
        line: usize,
    },
    /// The key must not be trusted any more.
    Revoked {
        /// Where that is said, counted from 1.
        line: usize,
    },
}

/// A line that speaks of the host.
struct Entry<'a> {
    line: usize,
    revoked: bool,
    kind: &'a str,
    blob: &'a str,
}

/// What `text`, the content of a file, says of `key` of `host`.
#[must_use]
pub fn check(text: &str, host: &HostName, key: &HostKey) -> Verdict {
    let mut verdict = Verdict::Unknown;
    for entry in entries(text, host) {
        let same = entry.blob == key.blob && entry.kind == key.kind;
        match (same, entry.revoked, &verdict) {
            (true, true, _) => return Verdict::Revoked { line: entry.line },
            (true, false, _) => verdict = Verdict::Known,
            (false, false, Verdict::Unknown) => verdict = Verdict::Changed { line: entry.line },
            _ => {}
        }
    }
    verdict
}

/// The algorithms of the keys that `text` knows of `host`: what to ask the host for, so that it
/// shows a key that can be compared.
#[must_use]
pub fn kinds(text: &str, host: &HostName) -> Vec<String> {
    let trusted = entries(text, host).filter(|entry| !entry.revoked);
    trusted.map(|entry| entry.kind.to_owned()).collect()
}

/// The content of the file at `path`; that of a file that does not exist is empty.
///
/// # Errors
/// It can't be read.
pub fn read(path: &Path) -> io::Result<String> {
    match File::open(path) {
        Ok(file) => content(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Adds `key` of `host` to the file at `path`, unless the file knows the host by now: another
/// process may have been faster. The verdict is that of the file before the addition.
///
/// # Errors
/// The file can't be read or written.
pub fn remember(path: &Path, host: &HostName, key: &HostKey) -> io::Result<Verdict> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    let text = content(&file)?;
    let verdict = check(&text, host, key);
    if verdict == Verdict::Unknown {
        let start = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        // One write at the end of the file: a reader sees the whole line or nothing of it.
        file.write_all(format!("{start}{} {} {}\n", host.0, key.kind, key.blob).as_bytes())?;
        file.sync_data()?;
    }
    Ok(verdict)
}

fn content(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of `text` that speak of `host`. A line that is not understood is passed over, as
/// OpenSSH does.
fn entries<'a>(text: &'a str, host: &'a HostName) -> impl Iterator<Item = Entry<'a>> {
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let mut words = line.split_ascii_whitespace();
        let mut names = words.next().filter(|word| !word.starts_with('#'))?;
        let revoked = names == "@revoked";
        if revoked {
            names = words.next()?;
        } else if names.starts_with('@') {
            return None;
        }
        let (kind, blob) = (words.next()?, words.next()?);
        matches(names, &host.0).then_some(Entry {
            line: number,
            revoked,
            kind,
            blob,
        })
    })
}

/// Whether the first field of a line is about `host`.
fn matches(names: &str, host: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return matches_hash(hashed, host).unwrap_or(false);
    }
    let mut found = false;
    for name in names.split(',') {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix('!') {
            Some(excluded) if glob(excluded.as_bytes(), host.as_bytes()) => return false,
            Some(_) => {}
            None => found |= glob(name.as_bytes(), host.as_bytes()),
        }
    }
    found
}

/// `salt|hash`, both in base64, the hash being HMAC-SHA1 of the name keyed with the salt.
fn matches_hash(hashed: &str, host: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = STANDARD.decode(salt).ok()?;
    let hash = STANDARD.decode(hash).ok()?;
    let mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    Some(
        mac.chain_update(host.as_bytes())
            .verify_slice(&hash)
            .is_ok(),
    )
}

/// Whether `text` fits `pattern`, in which `*` stands for anything and `?` for one character.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = retry else {
                    return false;
                };
                retry = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(blob: &str) -> HostKey {
        HostKey {
            kind: "ssh-ed25519".to_owned(),
            blob: blob.to_owned(),
        }
    }

    fn verdict(text: &str, host: &str, port: u16, blob: &str) -> Verdict {
        check(text, &HostName::new(host, port), &key(blob))
    }

    #[test]
    fn plain_names_with_and_without_a_port() {
        let text = "# hosts\n\nkvm1,10.0.0.1\tssh-ed25519 AAAA a comment\n\
                    [kvm1]:2222 ssh-ed25519 BBBB\n";
        assert_eq!(verdict(text, "kvm1", 22, "AAAA"), Verdict::Known);
        assert_eq!(verdict(text, "KVM1", 22, "AAAA"), Verdict::Known);
        assert_eq!(verdict(text, "10.0.0.1", 22, "AAAA"), Verdict::Known);
        assert_eq!(verdict(text, "10.0.0.10", 22, "AAAA"), Verdict::Unknown);
        assert_eq!(verdict(text, "kvm1", 2222, "BBBB"), Verdict::Known);
        assert_eq!(
            verdict(text, "kvm1", 2222, "AAAA"),
            Verdict::Changed { line: 4 }
        );
        assert_eq!(verdict(text, "kvm1", 2223, "AAAA"), Verdict::Unknown);
    }

    #[test]
    fn names_hashed_by_ssh_keygen() {
        // Two lines, `kvm1` and `[127.0.0.1]:2222`, that `ssh-keygen -H -f FILE` has hashed.
        let text = include_str!("known_hosts/hashed");
        assert_eq!(verdict(text, "kvm1", 22, HASHED_BLOB), Verdict::Known);
        assert_eq!(
            verdict(text, "127.0.0.1", 2222, HASHED_BLOB),
            Verdict::Known
        );
        assert_eq!(
            verdict(text, "kvm1", 22, "BBBB"),
            Verdict::Changed { line: 1 }
        );
        assert_eq!(verdict(text, "kvm2", 22, HASHED_BLOB), Verdict::Unknown);
    }

    const HASHED_BLOB: &str =
        "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn patterns_and_exceptions() {
        let text = "*.lab,!bad.lab,kvm? ssh-ed25519 AAAA\n";
        assert_eq!(verdict(text, "good.lab", 22, "AAAA"), Verdict::Known);
        assert_eq!(verdict(text, "bad.lab", 22, "AAAA"), Verdict::Unknown);
        assert_eq!(verdict(text, "kvm7", 22, "AAAA"), Verdict::Known);
        assert_eq!(verdict(text, "kvm77", 22, "AAAA"), Verdict::Unknown);
        assert!(glob(b"a*b*c", b"a-b-b-c") && !glob(b"a*b*c", b"a-c-b"));
        assert!(glob(b"**", b"") && !glob(b"?", b""));
    }

    #[test]
    fn a_revoked_key_is_refused_whatever_else_is_said_of_it() {
        let text = "kvm1 ssh-ed25519 AAAA\n@revoked * ssh-ed25519 AAAA\n@cert-authority * x y\n";
        assert_eq!(
            verdict(text, "kvm1", 22, "AAAA"),
            Verdict::Revoked { line: 2 }
        );
        assert_eq!(verdict(text, "kvm9", 22, "BBBB"), Verdict::Unknown);
    }

    #[test]
    fn one_of_several_keys_is_enough_and_another_kind_is_another_key() {
        let text = "kvm1 ssh-rsa RRRR\nkvm1 ssh-ed25519 AAAA\n";
        assert_eq!(verdict(text, "kvm1", 22, "AAAA"), Verdict::Known);
        assert_eq!(
            kinds(text, &HostName::new("kvm1", 22)),
            ["ssh-rsa", "ssh-ed25519"]
        );
        assert_eq!(
            verdict("kvm1 ssh-rsa RRRR\n", "kvm1", 22, "AAAA"),
            Verdict::Changed { line: 1 }
        );
    }

    #[test]
    fn lines_that_are_not_understood_are_passed_over() {
        let text = "|1|x|y ssh-ed25519 AAAA\n|1| ssh-ed25519 AAAA\nkvm1\n@revoked\n@huh kvm1 a b\n\
                    kvm1 ssh-ed25519 AAAA\n";
        assert_eq!(verdict(text, "kvm1", 22, "AAAA"), Verdict::Known);
    }

    #[test]
    fn a_key_is_remembered_once_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/known_hosts");
        let host = HostName::new("kvm1", 2222);
        assert_eq!(read(&path).unwrap(), "");
        assert_eq!(
            remember(&path, &host, &key("AAAA")).unwrap(),
            Verdict::Unknown
        );
        assert_eq!(
            remember(&path, &host, &key("AAAA")).unwrap(),
            Verdict::Known
        );
        let changed = Verdict::Changed { line: 1 };
        assert_eq!(remember(&path, &host, &key("BBBB")).unwrap(), changed);
        assert_eq!(read(&path).unwrap(), "[kvm1]:2222 ssh-ed25519 AAAA\n");
        std::fs::write(&path, "other ssh-ed25519 CCCC").unwrap();
        remember(&path, &host, &key("AAAA")).unwrap();
        assert_eq!(
            read(&path).unwrap(),
            "other ssh-ed25519 CCCC\n[kvm1]:2222 ssh-ed25519 AAAA\n"
        );
    }

    #[test]
    fn many_at_once_leave_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        std::thread::scope(|scope| {
            for port in 1000..1032 {
                let path = &path;
                scope.spawn(move || {
                    remember(path, &HostName::new("kvm1", port), &key("AAAA")).unwrap();
                });
            }
        });
        let text = read(&path).unwrap();
        assert_eq!(text.lines().count(), 32);
        for port in 1000..1032 {
            assert_eq!(verdict(&text, "kvm1", port, "AAAA"), Verdict::Known);
        }
    }
}
