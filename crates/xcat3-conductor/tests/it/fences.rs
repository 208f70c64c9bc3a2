//! A conductor that stands still for longer than its reservation lasts, while another carries its
//! batch out, and goes on: it acts on nothing and writes nothing.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use xcat3_conductor::{Conductor, FindControl};
use xcat3_core::setting::Seconds;
use xcat3_core::{ControlOperation, NodeName, Operation, Outcome, PowerTarget, State};
use xcat3_drivers::control::{ControlDriver, ControlOrder};
use xcat3_service::bus::InProcess;
use xcat3_service::{JobRequest, Running, Slot};
use xcat3_store::Store;

use crate::lab::{Lab, SOON, deploy};

const RESET: Operation = Operation::Control(ControlOperation::Power(PowerTarget::Reset));

/// Acts on the first node, tells something that only it would tell, and then has its whole thread
/// stand still, as SIGSTOP has a process.
struct StandsStill {
    stands: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
    acted: Mutex<Vec<NodeName>>,
}

#[async_trait]
impl ControlDriver for StandsStill {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        for (place, node) in order.nodes.iter().enumerate() {
            if !order.lease.holds().await {
                return;
            }
            self.acted
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(node.name.clone());
            let told = (
                node.name.clone(),
                Outcome::failed("told by the one that stood still"),
            );
            if place == 0 {
                let _ = self.stands.lock().unwrap().send(());
                let waited = self.go_on.lock().unwrap().recv_timeout(SOON);
                assert_ne!(waited, Err(RecvTimeoutError::Timeout));
            }
            let _ = outcomes.send(told).await;
        }
    }
}

struct Only(Arc<StandsStill>);

impl FindControl for Only {
    fn driver(&self, _: &str) -> Option<&dyn ControlDriver> {
        Some(self.0.as_ref())
    }
}

/// A conductor on a thread of its own.
struct Stopped {
    driver: Arc<StandsStill>,
    go_on: Sender<()>,
    shutdown: CancellationToken,
    thread: JoinHandle<()>,
}

impl Stopped {
    /// Starts it and waits until it stands still.
    async fn start(lab: &Lab) -> Self {
        let (stands, standing) = channel();
        let (go_on, going_on) = channel();
        let driver = Arc::new(StandsStill {
            stands: Mutex::new(stands),
            go_on: Mutex::new(going_on),
            acted: Mutex::default(),
        });
        let settings = lab.settings.clone();
        let (bus, url) = (lab.bus.clone(), lab.url.clone());
        let shutdown = CancellationToken::new();
        let (stop, controls) = (shutdown.clone(), driver.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let store = Store::open(&url).await.unwrap();
                let controls = Arc::new(Only(controls));
                let slot = Slot::alone("stopped");
                let conductor = Conductor::new(settings, slot, store, Arc::new(bus), controls);
                conductor.run(stop).await;
            });
        });
        let standing = tokio::task::spawn_blocking(move || standing.recv_timeout(SOON));
        standing.await.unwrap().unwrap();
        Self {
            driver,
            go_on,
            shutdown,
            thread,
        }
    }

    /// Lets it go on and waits until it has ended; tells on which nodes it acted in all.
    async fn go_on_and_end(self) -> Vec<NodeName> {
        self.go_on.send(()).unwrap();
        self.shutdown.cancel();
        tokio::task::spawn_blocking(|| self.thread.join().unwrap())
            .await
            .unwrap();
        self.driver.acted.lock().unwrap().clone()
    }
}

async fn lab() -> Lab {
    let mut lab = Lab::with_bus(InProcess::with_patience(Duration::from_secs(1))).await;
    lab.settings.reservation_s = Seconds::new(2);
    lab
}

async fn all(running: Running) -> Vec<(NodeName, Outcome)> {
    running.collect(SOON).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stood_still_acts_and_writes_no_more() {
    let lab = lab().await;
    let names = lab.enrol(40).await;
    let request = JobRequest::new(RESET, names.clone());
    let running = lab.jobs.submit(request).await.unwrap();
    let job = running.id();
    let stopped = Stopped::start(&lab).await;
    let other = lab.conductor();
    let outcomes = all(running).await;
    assert!(
        outcomes.iter().all(|(_, outcome)| *outcome == Outcome::OK),
        "the other carried it out: {outcomes:?}"
    );
    let acted = stopped.go_on_and_end().await;
    assert_eq!(acted, names[..1], "it acted on no other when it went on");
    assert!(lab.rehearsal.acted().values().all(|&times| times == 1));
    let written = lab.store.outcomes(job, 0, 1_000).await.unwrap().outcomes;
    assert_eq!(written.len(), 40, "one outcome a node");
    assert!(written.iter().all(|(.., outcome)| *outcome == Outcome::OK));
    assert_eq!(
        lab.node(&names[0]).await.observed.conductor.as_deref(),
        Some("lab")
    );
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stood_still_leaves_the_nodes_of_a_later_job_alone() {
    let lab = lab().await;
    let names = lab.enrol(10).await;
    let first = lab
        .jobs
        .submit(JobRequest::new(RESET, names.clone()))
        .await
        .unwrap();
    let stopped = Stopped::start(&lab).await;
    let other = lab.conductor();
    all(first).await;
    // The nodes are held again, for something else, when the first one goes on.
    lab.rehearsal.stop_after(Some(0));
    let second = lab
        .jobs
        .submit(JobRequest::new(RESET, names.clone()))
        .await
        .unwrap();
    lab.rehearsal.called(2).await;
    let acted = stopped.go_on_and_end().await;
    assert_eq!(acted.len(), 1);
    let written = lab.store.outcomes(second.id(), 0, 1_000).await.unwrap();
    assert_eq!(written.outcomes.len(), 0, "the second job is under way");
    let held = lab.node(&names[0]).await.observed.reservation;
    assert_eq!(held.as_deref(), Some("lab/0"), "and has its nodes");
    other.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_lasts_as_long_as_the_work() {
    let mut lab = lab().await;
    let names = lab.enrol(3).await;
    lab.rehearsal.stop_after(Some(0));
    let conductor = lab.conductor();
    let running = lab
        .jobs
        .submit(JobRequest::new(RESET, names.clone()))
        .await
        .unwrap();
    lab.rehearsal.called(1).await;
    lab.slot = Slot::alone("other");
    let other = lab.conductor();
    tokio::time::sleep(lab.settings.reservation_s.duration() * 3).await;
    assert_eq!(lab.rehearsal.calls(), 1, "nobody else tried meanwhile");
    let held = lab.node(&names[0]).await.observed.reservation;
    assert_eq!(held.as_deref(), Some("lab/0"));
    lab.rehearsal.stop_after(None);
    conductor.kill().await;
    let outcomes = all(running).await;
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Outcome::OK));
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_of_one_that_lost_its_nodes_is_the_others() {
    let mut lab = lab().await;
    lab.make_deployable().await;
    lab.settings.serve_deadline_s = Seconds::new(40);
    let names = lab.enrol(5).await;
    lab.network_service("slow", None).await;
    let first = lab.conductor();
    let running = lab
        .jobs
        .submit(JobRequest::new(deploy(), names.clone()))
        .await
        .unwrap();
    while lab.node(&names[4]).await.deployment.state != State::Deploying {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let token = lab.node(&names[0]).await.deployment.token;
    first.kill().await;
    lab.slot = Slot::alone("other");
    let other = lab.conductor();
    // The other one waits until the reservation of the first is over.
    while lab.node(&names[0]).await.observed.reservation.as_deref() != Some("other/0") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lab.network_service("slow", Some(lab.store.revision().await.unwrap()))
        .await;
    let outcomes = all(running).await;
    assert!(outcomes.iter().all(|(_, outcome)| *outcome == Outcome::OK));
    let node = lab.node(&names[0]).await;
    assert_eq!(node.deployment.token, token, "it is the same deploy");
    other.stop().await;
}
