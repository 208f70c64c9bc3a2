//! A database that goes away in the middle of a job and comes back, and conductors that die over
//! fake machines, whose journal proves what was done to them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_backing::Postgres;
use xcat3_conductor::{Conductor, Settings};
use xcat3_core::setting::Seconds;
use xcat3_core::{ControlOperation, Node, NodeName, Operation, PowerTarget};
use xcat3_drivers::control::{ControlConfig, Controls, FakeConfig, KvmConfig};
use xcat3_service::bus::InProcess;
use xcat3_service::{JobRequest, Jobs, Slot};
use xcat3_store::Store;

use crate::lab::{SOON, settings};

const BOOT: Operation = Operation::Control(ControlOperation::Power(PowerTarget::Boot));

/// Fake machines over some store.
struct Fakes {
    store: Store,
    bus: InProcess,
    jobs: Jobs,
    settings: Settings,
    journal: PathBuf,
}

impl Fakes {
    async fn new(url: &str, folder: &Path) -> Self {
        let store = Store::open(url).await.unwrap();
        let bus = InProcess::default();
        Self {
            jobs: Jobs::new(store.clone(), Arc::new(bus.clone())),
            store,
            bus,
            settings: settings(),
            journal: folder.join("fake.journal"),
        }
    }

    async fn enrol(&self, count: usize, latency_ms: impl Fn(usize) -> u64) -> Vec<NodeName> {
        let node = |number| {
            let mut node = Node::new(format!("fake{number}").parse().unwrap());
            node.declared.mgt = Some("fake".into());
            let latency = latency_ms(number).into();
            node.declared
                .control_info
                .insert("latency_ms".into(), latency);
            node
        };
        let nodes: Vec<Node> = (0..count).map(node).collect();
        self.store.create_nodes(&nodes).await.unwrap();
        nodes.into_iter().map(|node| node.name).collect()
    }

    /// A conductor as a process has it: with drivers of its own.
    fn conductor(&self, shutdown: &CancellationToken) -> tokio::task::JoinHandle<()> {
        let controls = Controls::new(&ControlConfig::new(
            KvmConfig::new(self.journal.with_file_name("known_hosts")),
            FakeConfig::new(self.journal.clone()),
        ));
        let conductor = Conductor::new(
            self.settings.clone(),
            Slot::alone("lab"),
            self.store.clone(),
            Arc::new(self.bus.clone()),
            Arc::new(controls),
        );
        let shutdown = shutdown.clone();
        tokio::spawn(async move { conductor.run(shutdown).await })
    }

    /// How often each machine was acted upon.
    fn acted(&self) -> HashMap<String, usize> {
        let mut acted = HashMap::new();
        let lines = std::fs::read_to_string(&self.journal).unwrap_or_default();
        for line in lines.lines() {
            let node = line.split(' ').nth(2).unwrap().to_owned();
            *acted.entry(node).or_default() += 1;
        }
        acted
    }

    /// Waits until at least `count` machines were acted upon.
    async fn acted_on(&self, count: usize) {
        while self.acted().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: PostgreSQL"]
async fn a_database_that_is_away_for_a_while_costs_nothing_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut postgres = Postgres::start().unwrap();
    let database = postgres.database().unwrap();
    let mut fakes = Fakes::new(&database.url(), folder.path()).await;
    fakes.settings.reservation_s = Seconds::new(1);
    // Some act before the database goes, some while it is away, some after it is back.
    let names = fakes.enrol(600, |number| (number as u64 % 60) * 100).await;
    let shutdown = CancellationToken::new();
    let conductor = fakes.conductor(&shutdown);
    let request = JobRequest::new(BOOT, names.clone());
    let running = fakes.jobs.submit(request).await.unwrap();
    let job = running.id();
    fakes.acted_on(20).await;
    postgres.stop();
    // Longer than the reservations last.
    tokio::time::sleep(Duration::from_secs(3)).await;
    postgres.start_again().unwrap();
    let mut told = HashMap::new();
    let mut after = 0;
    while told.len() < names.len() {
        let Ok(page) = fakes.store.outcomes(job, after, 1_000).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        for (sequence, name, outcome) in page.outcomes {
            after = sequence;
            assert_eq!(told.insert(name, outcome.to_string()), None);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told.values().all(|outcome| outcome == "ok"), "{told:?}");
    let acted = fakes.acted();
    assert_eq!(acted.len(), 600);
    let repeated = acted.values().filter(|&&times| times > 1).count();
    assert_eq!(repeated, 0, "of 600");
    shutdown.cancel();
    conductor.await.unwrap();
    fakes.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_conductor_did_and_wrote_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("xcat3.db").display());
    let fakes = Fakes::new(&url, folder.path()).await;
    // Every machine of the second half takes longer than the test.
    let names = fakes
        .enrol(2_000, |number| if number < 1_000 { 0 } else { 40_000 })
        .await;
    let first = fakes.conductor(&CancellationToken::new());
    let request = JobRequest::new(BOOT, names.clone());
    let running = fakes.jobs.submit(request).await.unwrap();
    let job = running.id();
    loop {
        let written = fakes.store.outcomes(job, 0, 2_000).await.unwrap();
        if written.outcomes.len() == 1_000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(fakes.acted().len(), 1_000);
    let mut quick = |node: &mut Node| {
        node.declared.control_info.clear();
        Ok(())
    };
    // What is reserved can't be changed, and the last of it may just be coming in.
    let mut slow = names[1_000..].to_vec();
    while !slow.is_empty() {
        fakes.store.release_owner("lab/0").await.unwrap();
        let outcomes = fakes.store.update_nodes(&slow, &mut quick).await.unwrap();
        let refused = outcomes
            .into_iter()
            .filter(|(_, outcome)| !outcome.is_done());
        slow = refused.map(|(name, _)| name).collect();
    }
    let shutdown = CancellationToken::new();
    let second = fakes.conductor(&shutdown);
    let outcomes = running.collect(SOON).await.unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_done()));
    let acted = fakes.acted();
    assert_eq!(acted.len(), 2_000);
    assert!(acted.values().all(|&times| times == 1), "{acted:?}");
    shutdown.cancel();
    second.await.unwrap();
}
