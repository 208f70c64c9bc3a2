//! How long the store takes for many nodes at once, and how much memory:
//! `cargo run --release -p xcat3-store --example many_nodes -- [NODES…]` on new SQLite files, or
//! `… -- postgres://…/empty_database NODES`.
//!
//! A line is what a request on all the nodes costs the store: the milliseconds that it took, the
//! microseconds of processor time a node (which other processes don't disturb), and the most memory
//! that the process had during it. Where the second grows with the number of nodes, something is not
//! in proportion.
#![allow(
    clippy::print_stdout,
    reason = "it says on standard output what it measured"
)]

use std::future::Future;
use std::time::{Duration, Instant};

use xcat3_core::boot::{Phase, Progress};
use xcat3_core::{
    ControlOperation, MacAddr, Nic, Node, NodeName, Operation, OsImage, Outcome, PowerTarget, State,
};
use xcat3_store::{Lease, NewJob, NodeSort, Provision, Store, StoreError};

const SIZES: [u32; 3] = [1_000, 10_000, 65_536];
const BATCH: usize = 1_000;
/// Outcomes that a conductor writes at once.
const SETTLED: usize = 500;
const LONG: Duration = Duration::from_secs(600);
/// A time that is far ahead, in milliseconds since 1970.
const LATER_MS: i64 = 9_000_000_000_000;

#[tokio::main]
async fn main() {
    let (mut url, mut sizes) = (None, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.parse() {
            Ok(size) => sizes.push(size),
            Err(_) => url = Some(argument),
        }
    }
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    for size in sizes {
        let directory = tempfile::TempDir::new().unwrap();
        let file = format!("sqlite:{}/xcat3.db", directory.path().display());
        let url = url.as_deref().unwrap_or(&file);
        let lab = Lab {
            store: Store::open(url).await.unwrap(),
            size,
        };
        lab.all().await.unwrap();
        lab.store.close().await;
    }
}

struct Lab {
    store: Store,
    size: u32,
}

impl Lab {
    async fn timed<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        // Forgets the most memory that there was.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (start, worked) = (Instant::now(), worked());
        let done = work.await;
        let (took, worked) = (start.elapsed().as_secs_f64(), self::worked() - worked);
        let (ms, each) = (took * 1e3, worked * 1e6 / f64::from(self.size));
        let (size, memory) = (self.size, most_memory_mib());
        println!("{size:>6} {what:<24}{ms:>8.1} ms {each:>8.2} µs a node {memory:>5} MiB");
        done
    }

    async fn all(&self) -> Result<(), StoreError> {
        let names = self.declare().await?;
        self.power_on(&names).await?;
        self.deploy(&names).await?;
        self.observe(&names).await?;
        self.remove(&names).await
    }

    async fn declare(&self) -> Result<Vec<NodeName>, StoreError> {
        let store = &self.store;
        let nodes: Vec<Node> = (0..self.size).map(node).collect();
        let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        self.timed("(nothing)", async {}).await;
        self.timed("create nodes", store.create_nodes(&nodes))
            .await?;
        drop(nodes);
        self.timed("names", store.all_names()).await?;
        self.timed("names again", store.all_names()).await?;
        let sort = NodeSort::default();
        self.timed("names of one's own", store.node_names(sort))
            .await?;
        let reading = async {
            for names in names.chunks(BATCH) {
                store.nodes(names).await?;
            }
            Ok::<(), StoreError>(())
        };
        self.timed("nodes, by pages", reading).await?;
        let mut change = |node: &mut Node| {
            node.declared.kind = Some("x".into());
            Ok(())
        };
        self.timed("update nodes", store.update_nodes(&names, &mut change))
            .await?;
        Ok(names)
    }

    /// What api and conductors ask of the store for one power on.
    async fn power_on(&self, names: &[NodeName]) -> Result<(), StoreError> {
        let store = &self.store;
        let operation = Operation::Control(ControlOperation::Power(PowerTarget::On));
        let job = NewJob::new(&operation, names, BATCH);
        let job = self.timed("create job", store.create_job(&job)).await?;
        let mut held = Vec::new();
        let reserving = async {
            for &number in &job.batches {
                let Some(batch) = store.begin_batch(job.id, number).await? else {
                    continue;
                };
                let purpose = batch.purpose();
                let reserved = store.reserve(&batch.names, "host/0", &purpose, LONG);
                held.push((number, reserved.await?.fence, batch.names));
            }
            Ok::<(), StoreError>(())
        };
        self.timed("begin and reserve", reserving).await?;
        let settling = async {
            for (number, fence, names) in &held {
                for names in names.chunks(SETTLED) {
                    store.settle(job.id, Some(*fence), &ok(names)).await?;
                }
                store.finish_batch(job.id, *number, Some(*fence)).await?;
            }
            Ok::<(), StoreError>(())
        };
        self.timed("settle and finish", settling).await?;
        let telling = async {
            let mut after = 0;
            loop {
                let page = store.outcomes(job.id, after, BATCH).await?;
                after = page.outcomes.last().map_or(after, |&(last, ..)| last);
                if page.ended {
                    return Ok::<(), StoreError>(());
                }
            }
        };
        self.timed("outcomes, by pages", telling).await
    }

    async fn deploy(&self, names: &[NodeName]) -> Result<(), StoreError> {
        let store = &self.store;
        let image = OsImage::new("img", "debian", "12", "x86_64");
        store.create_osimage(&image).await?;
        let before = store.revision().await?;
        let deploying = self.provision(names, State::Deploying);
        self.timed("deploy, by batches", deploying).await?;
        let changes = store.changes_since(before);
        let changes = self.timed("what the deploy changed", changes).await?;
        drop(changes);
        let changes = store.changes_since(0);
        self.timed("all there is", changes).await.map(drop)
    }

    async fn provision(&self, names: &[NodeName], state: State) -> Result<(), StoreError> {
        for names in names.chunks(BATCH) {
            let reserved = self.store.reserve(names, "host/0", "deploy", LONG).await?;
            let changes = changes(names, state);
            self.store.provision(reserved.fence, &changes).await?;
            self.store.held(reserved.fence).await?;
            self.store.release(reserved.fence).await?;
        }
        Ok(())
    }

    async fn observe(&self, names: &[NodeName]) -> Result<(), StoreError> {
        let store = &self.store;
        let seen = Progress {
            phase: Phase::Dhcp,
            detail: "DHCPACK".into(),
            since_ms: LATER_MS,
            seen_ms: LATER_MS,
        };
        let progress: Vec<_> = names.iter().map(|n| (n.clone(), seen.clone())).collect();
        self.timed("record progress", store.record_progress(&progress))
            .await?;
        let lease = |number: u32| Lease {
            mac: mac(number),
            ip: number.into(),
            network: "net".into(),
            expires_ms: LATER_MS,
            hostname: None,
            client_id: None,
        };
        let leases: Vec<Lease> = (0..self.size).map(lease).collect();
        self.timed("save leases", store.save_leases(&leases))
            .await?;
        self.timed("save one lease", store.save_leases(&leases[..1]))
            .await?;
        self.timed("leases", store.leases()).await?;
        self.timed("revision", store.revision()).await?;
        Ok(())
    }

    async fn remove(&self, names: &[NodeName]) -> Result<(), StoreError> {
        let undoing = self.provision(names, State::None);
        self.timed("undo, by batches", undoing).await?;
        self.timed("delete nodes", self.store.delete_nodes(names))
            .await?;
        Ok(())
    }
}

fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr([0x52, 0x54, a, b, c, d])
}

fn node(number: u32) -> Node {
    let mut node = Node::new(format!("node{number}").parse().unwrap());
    node.declared.mgt = Some("kvm".into());
    node.declared.netboot = Some("pxe".into());
    node.declared.arch = Some("x86_64".into());
    for (key, value) in [("ssh_address", "192.0.2.1"), ("ssh_username", "root")] {
        node.declared.control_info.insert(key.into(), value.into());
    }
    let [_, b, c, d] = number.to_be_bytes();
    node.nics.reserve_exact(1);
    node.nics.push(Nic {
        uuid: uuid::Uuid::nil(),
        mac: mac(number),
        name: Some("eth0".into()),
        ip: Some(std::net::IpAddr::from([10, b, c, d])),
        netmask: None,
        primary: true,
        extra: serde_json::Map::new(),
        node: None,
    });
    node
}

fn ok(names: &[NodeName]) -> Vec<(NodeName, Outcome)> {
    names
        .iter()
        .map(|name| (name.clone(), Outcome::OK))
        .collect()
}

fn changes(names: &[NodeName], state: State) -> Vec<Provision> {
    let change = |name: &NodeName| Provision {
        name: name.clone(),
        state,
        osimage: Some("img".into()),
        deploy_token: Some(format!("token{name}")),
        failure: None,
    };
    names.iter().map(change).collect()
}

/// Seconds of processor time that this process and the kernel for it have worked.
fn worked() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanoseconds = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum()).as_secs_f64()
}

/// The most memory that this process had since it was last asked to forget that, in MiB.
fn most_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
