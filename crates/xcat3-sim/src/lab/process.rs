//! Processes of the lab: each logs into a file and ends with its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{tail, words};

/// A process that ends when this is dropped.
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts the command; what it prints is added to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let name = words(command);
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| log.display().to_string())?;
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command
            .spawn()
            .with_context(|| format!("can't start `{name}`"))?;
        Ok(Self {
            child,
            name,
            log: log.to_owned(),
        })
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// The process ended, or it is not ready in time; both with the last of its log.
    pub fn wait_until(&mut self, within: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let started = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("`{}` ended ({status}): {}", self.name, self.last_lines(15));
            }
            if started.elapsed() > within {
                bail!(
                    "`{}` is not ready after {within:?}: {}",
                    self.name,
                    self.last_lines(15)
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The last lines that it logged.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        tail(&fs::read_to_string(&self.log).unwrap_or_default(), count)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
