//! A server process that ends when its maker does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server and waits for a line on standard input: `keep SIGNAL` ends the server with that
/// signal. The end of the input, which is the end of the maker, ends it with the signal given at the
/// start and removes the directory: at once, in case what ended the maker is about to end the shell
/// too, and again when the server can't write to it any more. Should the shell itself be killed,
/// `setpriv --pdeathsig` has the kernel end the server.
const SHELL: &str = r#"
directory=$1 last=$2
shift 2
"$@" </dev/null >>"$directory/log" 2>&1 &
server=$!
echo $server
exec >/dev/null
read -r word signal
kill -s CONT $server
kill -s ${signal:-$last} $server
[ "$word" = keep ] || rm -rf "$directory"
wait $server
[ "$word" = keep ] || rm -rf "$directory"
"#;

/// A running server.
pub(crate) struct Supervised {
    shell: Child,
    server: Pid,
    log: PathBuf,
}

impl Supervised {
    /// Starts `program`, as `user` where one is given. What it writes goes to `log` in `directory`,
    /// which belongs to it alone. `last` is the signal that ends it when its maker is gone.
    pub(crate) fn start(
        directory: &Path,
        user: Option<&str>,
        last: &str,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self, Error> {
        let what = || format!("starting {}", program.display());
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SHELL, "xcat3-backing"])
            .arg(directory)
            .arg(last);
        command.args(["setpriv", "--pdeathsig", "KILL"]);
        if let Some(user) = user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg("--").arg(program).args(arguments);
        // In a process group of its own: Ctrl-C is for the maker.
        command.process_group(0).current_dir(directory);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shell = command.spawn().map_err(Error::system(what()))?;
        let mut line = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(Error::system(what()))?;
        }
        let server = line.trim().parse().ok().and_then(Pid::from_raw);
        let server = server.ok_or_else(|| Error::failed(what(), "the shell told no process id"))?;
        let log = directory.join("log");
        Ok(Self { shell, server, log })
    }

    /// Waits until `ready` says so; an error tells what the server wrote.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), Error> {
        let deadline = Instant::now() + PATIENCE;
        while !ready() {
            if self.has_ended() || Instant::now() > deadline {
                return Err(Error::failed(what, &self.log()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it with a signal (`TERM`, `KILL`, …), waits until it is gone and keeps its directory.
    pub(crate) fn end(mut self, signal: &str) {
        if let Some(input) = &mut self.shell.stdin {
            // Where the shell is dead, the kernel has ended the server already.
            let _ = writeln!(input, "keep {signal}");
        }
    }

    /// The server's process id.
    pub(crate) fn pid(&self) -> Pid {
        self.server
    }

    /// Sends a signal to the server and to its children.
    pub(crate) fn signal_all(&self, signal: Signal) {
        for pid in std::iter::once(self.server).chain(children(self.server)) {
            let _ = kill_process(pid, signal);
        }
    }

    /// What the server wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    fn has_ended(&self) -> bool {
        status_of(self.server).is_none_or(|(state, _)| state == 'Z')
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The state of a process and its parent, from /proc/PID/stat (proc(5)).
fn status_of(pid: Pid) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in parentheses may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn children(parent: Pid) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|&pid| status_of(pid).is_some_and(|(_, of)| of == parent.as_raw_nonzero().get()))
        .collect()
}
