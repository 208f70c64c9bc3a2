//! A store in a file, a bus, conductors that come and go, and a control driver that remembers what it
//! was asked.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xcat3_conductor::{Conductor, FindControl, Settings};
use xcat3_core::osimage::{BootFile, ImageContent};
use xcat3_core::setting::Seconds;
use xcat3_core::{MacAddr, Network, Nic, Node, NodeName, Operation, OsImage, Outcome, Passwd};
use xcat3_drivers::control::{BmcCredentials, ControlDriver, ControlOperation, ControlOrder};
use xcat3_service::bus::InProcess;
use xcat3_service::{JobRequest, Jobs, Slot};
use xcat3_store::Store;

/// Within this a test's job ends, or it never will.
pub(crate) const SOON: Duration = Duration::from_secs(60);
pub(crate) const IMAGE: &str = "debian12-x86_64";

/// A driver that acts at once, or stops in the middle when told to.
#[derive(Default)]
pub(crate) struct Rehearsal {
    acted: Mutex<HashMap<NodeName, usize>>,
    /// After so many nodes nothing happens any more.
    stop_after: Mutex<Option<usize>>,
    calls: AtomicUsize,
    /// Whether everybody waits before each node.
    held: AtomicBool,
    /// The credentials of BMCs that it was given last.
    credentials: Mutex<Option<BmcCredentials>>,
}

impl Rehearsal {
    pub(crate) fn stop_after(&self, nodes: Option<usize>) {
        *self.stop_after.lock().unwrap() = nodes;
    }

    /// Has it wait before each node, or go on.
    pub(crate) fn hold(&self, hold: bool) {
        self.held.store(hold, Ordering::SeqCst);
    }

    /// The credentials of BMCs that it was given last.
    pub(crate) fn credentials(&self) -> Option<BmcCredentials> {
        self.credentials.lock().unwrap().clone()
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How often it acted on each node.
    pub(crate) fn acted(&self) -> HashMap<NodeName, usize> {
        self.acted.lock().unwrap().clone()
    }

    /// Waits until it was called `count` times in all.
    pub(crate) async fn called(&self, count: usize) {
        while self.calls.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Acts on a node, unless the time to stop has come.
    fn act(&self, name: &NodeName) -> bool {
        let mut acted = self.acted.lock().unwrap();
        let stop = self
            .stop_after
            .lock()
            .unwrap()
            .is_some_and(|limit| acted.len() >= limit);
        if !stop {
            *acted.entry(name.clone()).or_default() += 1;
        }
        !stop
    }
}

/// The driver as one conductor has it, until that one is killed.
struct InHand {
    rehearsal: Arc<Rehearsal>,
    killed: Arc<AtomicBool>,
}

#[async_trait]
impl ControlDriver for InHand {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        self.rehearsal.calls.fetch_add(1, Ordering::SeqCst);
        *self.rehearsal.credentials.lock().unwrap() = order.default_credentials.cloned();
        let word = match order.operation {
            ControlOperation::PowerStatus => "on",
            ControlOperation::BootDeviceStatus => "disk",
            _ => "ok",
        };
        for node in order.nodes {
            while self.rehearsal.held.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if self.killed.load(Ordering::SeqCst) || !self.rehearsal.act(&node.name) {
                std::future::pending::<()>().await;
            }
            if outcomes
                .send((node.name.clone(), Outcome::Done(word)))
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

struct Drivers(InHand);

impl FindControl for Drivers {
    fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
        matches!(mgt, "kvm" | "ipmi").then_some(&self.0 as &dyn ControlDriver)
    }
}

pub(crate) struct Lab {
    _dir: TempDir,
    pub(crate) store: Store,
    pub(crate) url: String,
    pub(crate) bus: InProcess,
    pub(crate) jobs: Jobs,
    pub(crate) rehearsal: Arc<Rehearsal>,
    pub(crate) settings: Settings,
    pub(crate) slot: Slot,
}

/// A conductor at work.
pub(crate) struct AtWork {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
    killed: Arc<AtomicBool>,
}

impl AtWork {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }

    /// Ends it where it stands, as kill -9 would.
    pub(crate) async fn kill(self) {
        self.killed.store(true, Ordering::SeqCst);
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with_bus(InProcess::default()).await
    }

    pub(crate) async fn with_bus(bus: InProcess) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("xcat3.db").display());
        let store = Store::open(&url).await.unwrap();
        Self {
            _dir: dir,
            url,
            jobs: Jobs::new(store.clone(), Arc::new(bus.clone())),
            store,
            bus,
            rehearsal: Arc::default(),
            settings: settings(),
            slot: Slot::alone("lab"),
        }
    }

    /// The bus and all conductors of before are gone, the store and the hardware are not.
    pub(crate) fn forget_bus(&mut self) {
        self.bus = InProcess::default();
        self.jobs = Jobs::new(self.store.clone(), Arc::new(self.bus.clone()));
    }

    pub(crate) fn conductor(&self) -> AtWork {
        let killed = Arc::new(AtomicBool::new(false));
        let driver = InHand {
            rehearsal: self.rehearsal.clone(),
            killed: killed.clone(),
        };
        let conductor = Conductor::new(
            self.settings.clone(),
            self.slot.clone(),
            self.store.clone(),
            Arc::new(self.bus.clone()),
            Arc::new(Drivers(driver)),
        );
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { conductor.run(stop).await });
        AtWork {
            task,
            shutdown,
            killed,
        }
    }

    /// Enrols `count` nodes that can be driven and deployed.
    pub(crate) async fn enrol(&self, count: usize) -> Vec<NodeName> {
        let nodes: Vec<Node> = (0..count).map(node).collect();
        for (name, outcome) in self.store.create_nodes(&nodes).await.unwrap() {
            assert!(outcome.is_done(), "{name}: {outcome}");
        }
        nodes.into_iter().map(|node| node.name).collect()
    }

    /// Network, image and root password.
    pub(crate) async fn make_deployable(&self) {
        self.store
            .create_network(&Network::new("net", "10.0.0.0/8".parse().unwrap()))
            .await
            .unwrap();
        let mut image = OsImage::new(IMAGE, "debian", "12", "x86_64");
        image.content = Some(ImageContent {
            iso: format!("{IMAGE}.iso"),
            iso_size: 1,
            iso_sha256: String::new(),
            codename: Some("bookworm".into()),
            kernel: Some(BootFile::Iso("linux".into())),
            initrd: Some(BootFile::Iso("initrd.gz".into())),
        });
        self.store.create_osimage(&image).await.unwrap();
        let root = Passwd {
            key: "system".into(),
            username: Some("root".into()),
            password: Some("$6$saltsalt$hash".into()),
            crypt_method: None,
        };
        self.store.create_passwd(&root).await.unwrap();
    }

    /// Has `operation` carried out and gives the outcomes as text.
    pub(crate) async fn ask(&self, operation: Operation, names: &[NodeName]) -> Vec<String> {
        let running = self
            .jobs
            .submit(JobRequest::new(operation, names.to_vec()))
            .await
            .unwrap();
        let outcomes = running.collect(SOON).await.unwrap();
        assert!(
            outcomes.iter().map(|(name, _)| name).eq(names),
            "one outcome a node, in order"
        );
        outcomes
            .into_iter()
            .map(|(_, outcome)| outcome.to_string())
            .collect()
    }

    pub(crate) async fn node(&self, name: &NodeName) -> Node {
        self.store
            .nodes(std::slice::from_ref(name))
            .await
            .unwrap()
            .remove(0)
    }

    pub(crate) async fn change(&self, name: &NodeName, change: impl Fn(&mut Node) + Send + Sync) {
        let mut change = |node: &mut Node| {
            change(node);
            Ok(())
        };
        let outcomes = self
            .store
            .update_nodes(std::slice::from_ref(name), &mut change)
            .await;
        assert!(outcomes.unwrap()[0].1.is_done());
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        batches_at_once: NonZeroUsize::new(8).unwrap(),
        provisioning_at_once: NonZeroUsize::new(4).unwrap(),
        reservation_s: Seconds::new(30),
        operation_deadline_s: Seconds::new(50),
        serve_deadline_s: Duration::from_millis(300).into(),
        first_contact_s: Seconds::new(86_400),
        silence_s: Seconds::new(3_600),
        drain_s: Seconds::new(5),
        ..Settings::default()
    }
}

pub(crate) fn deploy() -> Operation {
    Operation::Deploy {
        osimage: Some(IMAGE.into()),
        subnet: None,
        force: false,
    }
}

fn node(number: usize) -> Node {
    let number = u32::try_from(number).unwrap() + 1;
    let mut node = Node::new(format!("node{number}").parse().unwrap());
    node.declared.mgt = Some("kvm".into());
    node.declared.netboot = Some("pxe".into());
    node.declared.arch = Some("x86_64".into());
    let [_, a, b, c] = number.to_be_bytes();
    node.nics = vec![Nic {
        uuid: uuid::Uuid::new_v4(),
        mac: MacAddr([0x52, 0x54, 0, a, b, c]),
        name: None,
        ip: Some(Ipv4Addr::new(10, a, b, c).into()),
        netmask: None,
        primary: true,
        extra: serde_json::Map::new(),
        node: None,
    }];
    node
}
