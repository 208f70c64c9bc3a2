//! What systemd is told, heard as it hears it: by datagrams.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::trial::{Plan, Trial, config, eventually, signal};

/// The side of systemd.
struct Ear {
    socket: UnixDatagram,
    path: std::path::PathBuf,
    _dir: TempDir,
}

impl Ear {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let patience = Duration::from_millis(10);
        socket.set_read_timeout(Some(patience)).unwrap();
        Self {
            socket,
            path,
            _dir: dir,
        }
    }

    fn next(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    /// Hears until one says `what`; gives all that was said, signs of life aside.
    fn until(&self, what: &str) -> String {
        let mut said = String::new();
        eventually(what, || {
            let next = self.next()?;
            if next.trim() != "WATCHDOG=1" {
                said.push_str(&next);
            }
            next.lines()
                .any(|line| line.starts_with(what))
                .then_some(())
        });
        said
    }

    /// How many signs of life there are in `period`.
    fn signs_of_life(&self, period: Duration) -> usize {
        let begun = Instant::now();
        let mut signs = 0;
        while begun.elapsed() < period {
            signs += usize::from(self.next().is_some_and(|said| said.contains("WATCHDOG=1")));
        }
        signs
    }

    fn start(&self, kind: &str, told: &[&str]) -> Trial {
        let mut plan = Plan::new(kind, &config(kind, 2, "UTC"))
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", "1000000");
        for what in told {
            plan = plan.told(what);
        }
        plan.start()
    }
}

#[test]
fn systemd_hears_what_becomes_of_the_daemon() {
    let ear = Ear::new();
    let mut trial = ear.start("conductor", &["wait-1"]);
    let said = ear.until("STATUS=1 of 2 workers serve; waiting for the test");
    assert!(!said.contains("READY=1"), "{said}");
    trial.untell("wait-1");
    ear.until("READY=1");

    trial.signal(Signal::HUP);
    let said = ear.until("READY=1");
    assert!(said.contains("RELOADING=1\nMONOTONIC_USEC="), "{said}");
    assert_eq!(trial.noted("start 1 UTC"), 2);
    assert_eq!(trial.noted("end 1 UTC"), 1);

    signal(trial.worker(0).unwrap(), Signal::KILL);
    ear.until("STATUS=1 of 2 workers serve");
    ear.until("STATUS=2 of 2 workers serve");

    trial.signal(Signal::TERM);
    let said = ear.until("STOPPING=1");
    assert!(!said.contains("READY=1"), "{said}");
    assert_eq!(trial.ended().code(), Some(0));
}

#[test]
fn systemd_is_given_signs_of_life_by_a_living_parent_only() {
    let ear = Ear::new();
    let trial = ear.start("api", &[]);
    ear.until("READY=1");
    eventually("a sign of life", || {
        (ear.signs_of_life(Duration::from_secs(1)) >= 2).then_some(())
    });
    trial.signal(Signal::STOP);
    // What was sent before is heard first.
    while ear.next().is_some() {}
    assert_eq!(ear.signs_of_life(Duration::from_secs(1)), 0);
    trial.signal(Signal::CONT);
    eventually("a sign of life", || {
        (ear.signs_of_life(Duration::from_secs(1)) >= 1).then_some(())
    });
    trial.end();
}

#[test]
fn workers_know_nothing_of_systemd() {
    let ear = Ear::new();
    let trial = ear.start("conductor", &[]);
    ear.until("READY=1");
    for pid in trial.workers() {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
            assert!(!environment.contains(name), "{name}");
        }
    }
    trial.end();
}
