//! One daemon of xcat3 as a process with its workers, on a host of its own name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::lab::process::Process;

/// A daemon: running, or to be started again.
pub struct Daemon {
    /// Program and host, as logs and tables name it.
    pub name: String,
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// Enters the network namespace of the process of this id first.
    namespace: Option<u32>,
    process: Option<Process>,
}

impl Daemon {
    /// The daemon `program` with its configuration file; not started yet.
    #[must_use]
    pub fn new(program: &Path, name: String, config: PathBuf, namespace: Option<u32>) -> Self {
        Self {
            log: config.with_extension("log"),
            program: program.to_owned(),
            name,
            config,
            namespace,
            process: None,
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// The program can't be started.
    pub fn start(&mut self) -> Result<()> {
        let mut command = match self.namespace {
            None => crate::command::command(&self.program),
            Some(id) => {
                let mut enter = crate::command::command("nsenter");
                enter.args(["--net", "--target", &id.to_string(), "--"]);
                enter.arg(&self.program);
                enter
            }
        };
        command.arg("--config-file").arg(&self.config);
        self.start_as(&mut command)
    }

    fn start_as(&mut self, command: &mut Command) -> Result<()> {
        command
            .env_remove("XCAT3_STATE_DIR")
            .env("RUST_LOG", "info");
        let started = Process::start(command, &self.log);
        self.process = Some(started.with_context(|| self.name.clone())?);
        Ok(())
    }

    /// Ends the daemon and all its workers as a power cut would.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self) -> Result<()> {
        let workers = self.workers()?;
        self.process.take().context("it does not run")?.kill()?;
        // They end with their parent by themselves; a power cut spares nobody for that moment.
        for worker in workers {
            let _ = kill_process(worker, Signal::KILL);
        }
        Ok(())
    }

    /// Sends a signal to the daemon and to all its workers.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref().context("it does not run")?;
        let parent = Pid::from_raw(i32::try_from(process.id())?).context("no process")?;
        kill_process(parent, signal)?;
        for worker in self.workers()? {
            kill_process(worker, signal)?;
        }
        Ok(())
    }

    /// The processes that the daemon's parent process runs.
    ///
    /// # Errors
    /// It does not run.
    pub fn workers(&self) -> Result<Vec<Pid>> {
        let id = self.process.as_ref().context("it does not run")?.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let pid = |word: &str| Pid::from_raw(word.parse().ok()?);
        Ok(children.split_whitespace().filter_map(pid).collect())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        crate::command::tail(&text, count)
    }

    /// Whether its log has a line with these words.
    #[must_use]
    pub fn said(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|text| text.contains(words))
    }
}
