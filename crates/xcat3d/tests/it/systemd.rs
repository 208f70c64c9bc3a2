//! What systemd is told, and what becomes of a configuration that is read again.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::{ANY_PORT, command, state};

/// The program with systemd's ear at it; it ends with the test.
struct Watched {
    child: Child,
    ear: UnixDatagram,
    state: TempDir,
}

impl Watched {
    fn start(config: &str) -> Self {
        let state = state();
        let (socket, conf) = (state.path().join("notify"), state.path().join("conf"));
        let ear = UnixDatagram::bind(&socket).unwrap();
        ear.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        fs::write(&conf, config).unwrap();
        let child = command(state.path(), &ANY_PORT)
            .arg("--config-file")
            .arg(&conf)
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "1000000")
            .stderr(Stdio::from(
                fs::File::create(state.path().join("log")).unwrap(),
            ))
            .spawn()
            .unwrap();
        Self { child, ear, state }
    }

    fn until<T>(&self, what: &str, mut condition: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = condition(self) {
                return found;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "not in time: {what}; {}",
                self.log()
            );
        }
    }

    /// Waits until systemd hears a line that starts so.
    fn hears(&self, line: &str) {
        self.until(line, |watched| {
            let said = watched.next()?;
            said.lines().any(|one| one.starts_with(line)).then_some(())
        });
    }

    fn next(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = self.ear.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn logs(&self, text: &str) -> String {
        self.until(text, |watched| {
            std::thread::sleep(Duration::from_millis(10));
            let log = watched.log();
            let line = log.lines().find(|line| line.contains(text));
            line.map(str::to_owned)
        })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.state.path().join("log")).unwrap()
    }

    fn configure(&self, config: &str) {
        fs::write(self.state.path().join("conf"), config).unwrap();
        self.signal(Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It has ended already in the tests that end it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_hears_when_it_serves_that_it_lives_and_when_it_stops() {
    let mut watched = Watched::start("");
    watched.hears("READY=1");
    assert!(watched.log().contains("REST API on"), "{}", watched.log());
    watched.hears("WATCHDOG=1");
    watched.hears("WATCHDOG=1");
    watched.signal(Signal::STOP);
    while watched.next().is_some() {}
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(watched.next(), None);
    watched.signal(Signal::CONT);
    watched.hears("WATCHDOG=1");
    watched.signal(Signal::TERM);
    watched.hears("STOPPING=1");
    assert_eq!(watched.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_configuration_that_is_read_again_takes_effect_or_says_what_it_takes() {
    let watched = Watched::start("log = \"warn\"\n");
    watched.hears("READY=1");
    watched.configure("log = \"loud\"\n");
    let line = watched.logs("stays as it was");
    assert!(line.contains("conf, line 1"), "{line}");
    watched.configure("log = \"info\"\n[conductor]\nsilence_s = 5\n[network]\nhttp_port = 3999\n");
    let line = watched.logs("it takes a restart");
    assert!(
        line.ends_with("for conductor.silence_s, network.http_port"),
        "{line}"
    );
    // A line of level `info` shows that the level has changed.
    watched.configure("log = \"info\"\n");
    watched.logs("INFO");
}
