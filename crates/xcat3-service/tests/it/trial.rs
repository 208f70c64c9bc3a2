//! The trial daemon as a process: started, looked at from outside, ended.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long to wait for what has to happen. Generous: the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Whether a process runs: it is there and no zombie.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| {
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        !matches!(state, Some('Z' | 'X') | None)
    })
}

/// The processes that `parent` started and that still run.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.filter(|pid| lives(*pid)).collect()
}

/// The command line of a process.
pub(crate) fn command_line(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// A trial daemon; it ends with the test.
pub(crate) struct Trial {
    pub(crate) child: Child,
    dir: TempDir,
}

/// How a trial daemon is started.
pub(crate) struct Plan {
    dir: TempDir,
    command: Command,
}

impl Plan {
    /// Of a kind, with a configuration, nothing started yet.
    pub(crate) fn new(kind: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3-trial"));
        command
            .env_remove("RUST_LOG")
            .env_remove("XCAT3_STATE_DIR")
            .env_remove("NOTIFY_SOCKET")
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .arg("--config-file")
            .arg(dir.path().join("conf"))
            .args(["--kind", kind])
            .stdin(Stdio::null())
            .stderr(File::create(dir.path().join("log")).unwrap());
        fs::write(dir.path().join("conf"), config).unwrap();
        Self { dir, command }
    }

    /// Has workers do `what`, as `hang-0`.
    pub(crate) fn told(self, what: &str) -> Self {
        fs::write(self.dir.path().join("state").join(what), "").unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn start(mut self) -> Trial {
        Trial {
            child: self.command.spawn().unwrap(),
            dir: self.dir,
        }
    }
}

impl Trial {
    /// A daemon of `workers` workers, all of which serve.
    pub(crate) fn serving(kind: &str, workers: usize) -> Self {
        let trial = Plan::new(kind, &config(kind, workers, "UTC")).start();
        trial.until_serving(workers);
        trial
    }

    pub(crate) fn until_serving(&self, workers: usize) {
        let ready = format!("{workers} of {workers} workers serve");
        eventually(&ready, || self.log().contains(&ready).then_some(()));
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.state().join("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often `line` stands in the journal.
    pub(crate) fn noted(&self, line: &str) -> usize {
        self.journal().iter().filter(|noted| *noted == line).count()
    }

    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.dir.path().join("conf"), config).unwrap();
    }

    pub(crate) fn tell(&self, what: &str) {
        fs::write(self.state().join(what), "").unwrap();
    }

    pub(crate) fn untell(&self, what: &str) {
        fs::remove_file(self.state().join(what)).unwrap();
    }

    pub(crate) fn workers(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// The process that is worker `number`.
    pub(crate) fn worker(&self, number: u32) -> Option<u32> {
        let ends = ["--worker".to_owned(), number.to_string()];
        let mut all = self.workers().into_iter();
        all.find(|pid| command_line(*pid).ends_with(&ends))
    }

    pub(crate) fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the parent has ended", || child.try_wait().unwrap())
    }

    /// Ends in good order: exit code 0, no process is left.
    pub(crate) fn end(mut self) {
        let workers = self.workers();
        self.signal(Signal::TERM);
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.log());
        assert_eq!(status.signal(), None);
        assert!(workers.iter().all(|pid| !lives(*pid)));
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // It has ended already in the tests that end it; workers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A configuration of so many workers, which write `zone` into their journal.
pub(crate) fn config(kind: &str, workers: usize, zone: &str) -> String {
    let listen = match kind {
        "api" => "listen = \"127.0.0.1:0\"\n",
        _ => "",
    };
    format!(
        "[{kind}]\n{listen}workers = {workers}\ndrain_s = 1\n[install]\ntimezone = \"{zone}\"\n"
    )
}
