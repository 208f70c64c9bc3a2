//! The program with its worker processes: one address, workers that come and go, an address that changes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use xcat3_backing::Nats;

const SOON: Duration = Duration::from_secs(60);

/// The running program; it ends with the test.
struct Program {
    child: Child,
    dir: TempDir,
    broker: Nats,
}

fn config(broker: &Nats, listen: SocketAddr) -> String {
    format!(
        "hostname = \"host1\"\n[bus]\nurl = \"{}\"\n[api]\nlisten = \"{listen}\"\nworkers = 2\n",
        broker.url()
    )
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3-api"));
    command
        .env_remove("RUST_LOG")
        .arg("--config-file")
        .arg(dir.join("conf"))
        .arg("--state-dir")
        .arg(dir.join("state"))
        .stdin(Stdio::null());
    command
}

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// What the API says of its services; nothing where nobody answers.
fn services(address: SocketAddr) -> Option<Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    let request = "GET /v1/services HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

impl Program {
    fn start(listen: SocketAddr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Nats::start().unwrap();
        fs::write(dir.path().join("conf"), config(&broker, listen)).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let child = command(dir.path()).stderr(log).spawn().unwrap();
        Self { child, dir, broker }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(
                begun.elapsed() < SOON,
                "not in time: {what}: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn until_two_workers(&self, address: SocketAddr) {
        self.until("two workers", || {
            services(address).is_some_and(|said| {
                let api = &said["services"][0];
                api["hostname"] == "host1" && api["online"] == true && api["workers"] == 2
            })
        });
    }

    fn workers(&self) -> Vec<u32> {
        let pid = self.child.id();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already where the test ended it; workers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "real: NATS"]
fn its_workers_share_an_address_and_take_another_one_over() {
    let (first, second) = (free(), free());
    let mut program = Program::start(first);
    program.until_two_workers(first);
    let workers = program.workers();
    for (stopped, other) in [(workers[0], workers[1]), (workers[1], workers[0])] {
        xcat3_backing::stand_still(stopped).unwrap();
        for _ in 0..5 {
            assert!(services(first).is_some(), "worker {other} answers");
        }
        signal(stopped, Signal::CONT);
    }
    signal(workers[0], Signal::KILL);
    program.until("another worker", || {
        program.workers().len() == 2 && !program.workers().contains(&workers[0])
    });
    program.until_two_workers(first);

    fs::write(
        program.dir.path().join("conf"),
        config(&program.broker, second),
    )
    .unwrap();
    signal(program.child.id(), Signal::HUP);
    program.until_two_workers(second);
    program.until("nobody at the former address", || {
        TcpStream::connect(first).is_err()
    });
    assert!(services(second).is_some());

    // An address that another program has is named, and nothing changes.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    fs::write(
        program.dir.path().join("conf"),
        config(&program.broker, address),
    )
    .unwrap();
    signal(program.child.id(), Signal::HUP);
    let refusal = format!("stays as it was: the API cannot listen on {address}");
    program.until("it says so", || program.log().contains(&refusal));
    assert!(services(second).is_some());

    signal(program.child.id(), Signal::TERM);
    let status = program.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", program.log());
    assert!(services(second).is_none());
}

#[test]
#[ignore = "real: NATS"]
fn it_waits_a_moment_for_the_address_of_one_that_was_killed() {
    let orphan = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = orphan.local_addr().unwrap();
    let program = Program::start(address);
    thread::sleep(Duration::from_millis(500));
    drop(orphan);
    program.until_two_workers(address);
}

#[test]
#[ignore = "real: NATS"]
fn what_keeps_it_from_starting_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let broker = Nats::prepare().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let refusal = |config: &str| {
        fs::write(dir.path().join("conf"), config).unwrap();
        let Output { status, stderr, .. } = command(dir.path()).output().unwrap();
        assert_eq!(status.code(), Some(1));
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    };
    let said = refusal(&config(&broker, address));
    assert!(
        said.contains(&format!("cannot listen on {address}")),
        "{said}"
    );
    assert!(said.contains("in use by another program"), "{said}");
    let said = refusal("[api]\nworkers = 2\n");
    assert!(said.contains("set url in the section [bus]"), "{said}");
}
