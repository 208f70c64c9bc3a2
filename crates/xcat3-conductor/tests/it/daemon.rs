//! The program with its worker processes, over a real message broker: hosts join and leave, workers die
//! and come back, the broker comes late.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use xcat3_backing::Nats;
use xcat3_core::{ControlOperation, Node, NodeName, Operation, Outcome, PowerTarget, ServiceKind};
use xcat3_service::bus::BusSettings;
use xcat3_service::{JobRequest, Jobs, bus};
use xcat3_store::Store;

use crate::lab::SOON;

/// A database and a broker, between hosts that all are this one.
struct Site {
    dir: TempDir,
    broker: Nats,
    store: Store,
}

/// The conductor of a host; it ends with the test.
struct Host {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = Nats::prepare().unwrap();
        let store = Store::open(&url(dir.path())).await.unwrap();
        Self { dir, broker, store }
    }

    /// Starts the conductor of a host, of which nothing is configured elsewhere.
    fn start(&self, name: &'static str) -> Host {
        let (conf, log) = (
            self.dir.path().join(format!("{name}.conf")),
            self.dir.path().join(format!("{name}.log")),
        );
        let (database, broker) = (url(self.dir.path()), self.broker.url());
        let text = format!(
            "hostname = \"{name}\"\ndatabase = \"{database}\"\n[bus]\nurl = \"{broker}\"\n\
             [conductor]\nworkers = 2\n"
        );
        fs::write(&conf, text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_xcat3-conductor"))
            .env_remove("RUST_LOG")
            .arg("--config-file")
            .arg(conf)
            .arg("--state-dir")
            .arg(self.dir.path().join(name))
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Host { name, child, log }
    }

    /// How many conductors of a host are online; `None` where it was never heard of.
    async fn online(&self, host: &str) -> Option<u32> {
        let services = self.store.services().await.unwrap();
        let of_host = |service: &&xcat3_core::Service| {
            service.hostname == host && service.kind == ServiceKind::Conductor
        };
        let service = services.iter().find(of_host)?;
        Some(if service.online { service.workers } else { 0 })
    }

    async fn until_online(&self, host: &Host, workers: u32) {
        let begun = Instant::now();
        while self.online(host.name).await != Some(workers) {
            let (log, name) = (host.log(), host.name);
            assert!(
                begun.elapsed() < SOON,
                "{name}: not {workers} online: {log}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Powers `count` nodes on; gives their outcomes.
    async fn power_on(&self, jobs: &Jobs, count: usize) -> Vec<Outcome> {
        let names: Vec<NodeName> = (0..count)
            .map(|n| format!("n{n}").parse().unwrap())
            .collect();
        let request = JobRequest::new(
            Operation::Control(ControlOperation::Power(PowerTarget::On)),
            names,
        );
        let running = jobs.submit(request).await.unwrap();
        let outcomes = running.collect(SOON).await.unwrap();
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

fn url(dir: &Path) -> String {
    format!("sqlite:{}", dir.join("xcat3.db").display())
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

impl Host {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn workers(&self) -> Vec<u32> {
        let pid = self.child.id();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect()
    }

    fn end(mut self) {
        signal(self.child.id(), Signal::TERM);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < SOON, "{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It has ended already where the test ended it; workers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: NATS"]
async fn it_waits_for_the_broker_and_serves_once_that_is_there() {
    let mut site = Site::new().await;
    let host = site.start("host1");
    let begun = Instant::now();
    while !host.log().contains("waiting for the message broker") {
        assert!(begun.elapsed() < SOON, "{}", host.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(site.online("host1").await, None);
    assert!(!host.log().contains(site.broker.password()));
    site.broker.start_again().unwrap();
    site.until_online(&host, 2).await;
    host.end();
    assert_eq!(site.online("host1").await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: NATS"]
async fn a_worker_that_was_killed_is_missed_at_once_and_comes_back() {
    let mut site = Site::new().await;
    site.broker.start_again().unwrap();
    let host = site.start("host1");
    site.until_online(&host, 2).await;
    // Each death makes the wait longer; in the end it can't be overlooked.
    for _ in 0..4 {
        let worker = host.workers()[0];
        signal(worker, Signal::KILL);
        let begun = Instant::now();
        while host.workers().contains(&worker) || host.workers().len() < 2 {
            assert!(begun.elapsed() < SOON, "{}", host.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        site.until_online(&host, 2).await;
    }
    let all = host.workers();
    signal(all[0], Signal::KILL);
    site.until_online(&host, 1).await;
    site.until_online(&host, 2).await;
    host.end();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: NATS"]
async fn a_host_joins_by_starting_and_leaves_by_stopping() {
    let mut site = Site::new().await;
    site.broker.start_again().unwrap();
    let nodes: Vec<Node> = (0..500)
        .map(|n| {
            let mut node = Node::new(format!("n{n}").parse().unwrap());
            node.declared.mgt = Some("fake".into());
            node
        })
        .collect();
    let made = site.store.create_nodes(&nodes).await.unwrap();
    assert!(made.iter().all(|(_, outcome)| outcome.is_done()));
    let over = BusSettings {
        url: Some(site.broker.url()),
        ..BusSettings::default()
    };
    let bus = bus::connect(&over).await.unwrap();
    let jobs = Jobs::new(site.store.clone(), bus).with_batch_size(10);

    let first = site.start("host1");
    site.until_online(&first, 2).await;
    let outcomes = site.power_on(&jobs, 500).await;
    assert!(outcomes.iter().all(Outcome::is_done), "{outcomes:?}");

    let second = site.start("host2");
    site.until_online(&second, 2).await;
    assert_eq!(site.online("host1").await, Some(2));
    first.end();
    assert_eq!(site.online("host1").await, Some(0));
    assert_eq!(site.online("host2").await, Some(2));
    let outcomes = site.power_on(&jobs, 500).await;
    assert!(outcomes.iter().all(Outcome::is_done), "{outcomes:?}");
    second.end();
}

#[test]
#[ignore = "real: NATS"]
fn without_a_broker_it_refuses_to_start() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xcat3-conductor"))
        .arg("--state-dir")
        .arg(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.starts_with("xcat3-conductor: ") && said.contains("[bus]"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
