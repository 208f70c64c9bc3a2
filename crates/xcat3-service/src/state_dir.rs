//! The directory where a daemon keeps what must survive it, and the names of what is in it.
//!
//! It is readable by its owner only: the database holds passwords. One daemon of a kind at a time works
//! from it, by a lock that the system takes back however the process ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A state directory that exists and can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// Why a state directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Neither configured nor to be derived from the environment.
    #[error("there is no home directory to keep state in: name one with --state-dir")]
    NoHome,
    /// The directory can't be created.
    #[error("cannot create the state directory {}: {reason}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The directory can't be written.
    #[error("cannot write to the state directory {}: {reason}", path.display())]
    Write {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// Another daemon owns it.
    #[error("the state directory {} is in use by another daemon of xcat3{}", path.display(), holder(.pid))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other process, where it said.
        pid: Option<u32>,
    },
}

fn holder(pid: &Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// What the default state directory depends on.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Whether the process is root's.
    pub root: bool,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

impl Environment {
    /// Of this process.
    #[must_use]
    pub fn read() -> Self {
        let path = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        Self {
            root: rustix::process::geteuid().is_root(),
            xdg_state_home: path("XDG_STATE_HOME").filter(|path| path.is_absolute()),
            home: path("HOME"),
        }
    }

    /// Where state is kept if nobody says where.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn default_state_dir(&self) -> Result<PathBuf, StateDirError> {
        if self.root {
            return Ok(PathBuf::from("/var/lib/xcat3"));
        }
        let state_home = self.xdg_state_home.clone();
        let below_home = || self.home.as_ref().map(|home| home.join(".local/state"));
        let base = state_home
            .or_else(below_home)
            .ok_or(StateDirError::NoHome)?;
        Ok(base.join("xcat3"))
    }
}

/// Keeps other daemons out of a state directory until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held open for its lock")] File);

impl StateDir {
    /// Makes sure that `path` is a directory which this process can write; creates it, readable by
    /// its owner only, where it is missing.
    ///
    /// # Errors
    /// It can't be created or written.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let create = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        create.map_err(|reason| StateDirError::Create {
            path: path.clone(),
            reason,
        })?;
        let writable = rustix::fs::access(
            &path,
            rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
        );
        writable.map_err(|errno| StateDirError::Write {
            path: path.clone(),
            reason: errno.into(),
        })?;
        Ok(Self(path))
    }

    /// Keeps other daemons of a kind out: of each kind one works from a state directory.
    ///
    /// # Errors
    /// Another daemon is in already, or the lock file can't be written.
    pub fn lock(&self, kind: &str) -> Result<Lock, StateDirError> {
        let failed = |reason| StateDirError::Write {
            path: self.0.clone(),
            reason,
        };
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options
            .open(self.0.join(format!("{kind}.lock")))
            .map_err(failed)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            // The number is a courtesy: without it the sentence still says what is wrong.
            let _ = file.take(16).read_to_string(&mut text);
            return Err(StateDirError::InUse {
                path: self.0.clone(),
                pid: text.trim().parse().ok(),
            });
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        // On a full disk the lock holds all the same; the database will say what is wrong.
        let _ = write!(file, "{}", std::process::id());
        Ok(Lock(file))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The database where none is configured, as the store is told.
    #[must_use]
    pub fn database(&self) -> String {
        format!("sqlite:{}", self.0.join("xcat3.db").display())
    }

    /// Kept ISOs and boot files.
    #[must_use]
    pub fn images(&self) -> PathBuf {
        self.0.join("images")
    }

    /// Templates by which an operator overrides those of the install drivers.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.0.join("templates")
    }

    /// Host keys of hypervisors.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.0.join("known_hosts")
    }

    /// Certificates of BMCs as they were first seen.
    #[must_use]
    pub fn known_bmcs(&self) -> PathBuf {
        self.0.join("known_bmcs")
    }

    /// What fake machines remember.
    #[must_use]
    pub fn fake_journal(&self) -> PathBuf {
        self.0.join("fake.journal")
    }

    /// Public keys that may log in on installed machines.
    #[must_use]
    pub fn authorized_keys(&self) -> PathBuf {
        self.0.join("authorized_keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn root_and_others_have_their_usual_places() {
        let mut environment = Environment {
            root: true,
            ..Environment::default()
        };
        assert_eq!(
            environment.default_state_dir().unwrap(),
            Path::new("/var/lib/xcat3")
        );
        environment.root = false;
        assert!(
            environment
                .default_state_dir()
                .unwrap_err()
                .to_string()
                .contains("--state-dir")
        );
        environment.home = Some("/home/op".into());
        let home = environment.default_state_dir().unwrap();
        assert_eq!(home, Path::new("/home/op/.local/state/xcat3"));
        environment.xdg_state_home = Some("/s".into());
        assert_eq!(
            environment.default_state_dir().unwrap(),
            Path::new("/s/xcat3")
        );
    }

    #[test]
    fn it_is_created_for_its_owner_only() {
        let base = tempfile::tempdir().unwrap();
        let state = StateDir::open(&base.path().join("a/b")).unwrap();
        let mode = std::fs::metadata(state.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn what_can_be_no_directory_is_named() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let sentence = StateDir::open(&path).unwrap_err().to_string();
            assert!(sentence.contains(&path.display().to_string()), "{sentence}");
        }
    }

    #[test]
    fn a_second_daemon_is_kept_out_until_the_first_is_gone() {
        let base = tempfile::tempdir().unwrap();
        let state = StateDir::open(base.path()).unwrap();
        let first = state.lock("api").unwrap();
        let sentence = state.lock("api").unwrap_err().to_string();
        let process = format!(
            "in use by another daemon of xcat3 (process {})",
            std::process::id()
        );
        assert!(sentence.ends_with(&process), "{sentence}");
        assert!(state.lock("network").is_ok());
        drop(first);
        assert!(state.lock("api").is_ok());
    }
}
