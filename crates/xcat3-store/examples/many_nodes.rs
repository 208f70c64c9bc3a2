//! How long the store takes for many nodes at once:
//! `cargo run --release -p xcat3-store --example many_nodes -- NEW_DATABASE_FILE [NODES]`.
#![allow(
    clippy::print_stdout,
    reason = "it says on standard output what it measured"
)]

use std::future::Future;
use std::time::{Duration, Instant};

use xcat3_core::boot::{Phase, Progress};
use xcat3_core::{MacAddr, Nic, Node, NodeName, Operation, OsImage, Outcome, State};
use xcat3_store::{JobId, Lease, NewJob, NodeSort, Provision, Store, StoreError};

const NODES: u32 = 65_536;
const LONG: Duration = Duration::from_secs(600);
/// A time that is far ahead, in milliseconds since 1970.
const LATER_MS: i64 = 9_000_000_000_000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("the name of a new database file");
    let count = arguments
        .next()
        .map_or(NODES, |count| count.parse().unwrap());
    let store = Store::open(&format!("sqlite:{path}")).await.unwrap();
    let nodes: Vec<Node> = (0..count).map(node).collect();
    let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
    declare(&store, &nodes, &names).await.unwrap();
    let job = deploy(&store, &names).await.unwrap();
    observe(&store, &nodes, job).await.unwrap();
    remove(&store, &names).await.unwrap();
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = work.await;
    println!("{what:<24}{:>7.0} ms", start.elapsed().as_secs_f64() * 1e3);
    done
}

fn node(number: u32) -> Node {
    let mut node = Node::new(format!("node{number}").parse().unwrap());
    node.mgt = Some("kvm".into());
    node.netboot = Some("pxe".into());
    node.arch = Some("x86_64".into());
    for (key, value) in [("ssh_address", "192.0.2.1"), ("ssh_username", "root")] {
        node.control_info.insert(key.into(), value.into());
    }
    let [a, b, c, d] = number.to_be_bytes();
    node.nics.push(Nic {
        uuid: uuid::Uuid::nil(),
        mac: MacAddr([0x52, 0x54, a, b, c, d]),
        name: Some("eth0".into()),
        ip: Some(std::net::IpAddr::from([10, b, c, d])),
        netmask: None,
        primary: true,
        extra: serde_json::Map::new(),
        node: None,
    });
    node
}

async fn declare(store: &Store, nodes: &[Node], names: &[NodeName]) -> Result<(), StoreError> {
    timed("create nodes", store.create_nodes(nodes)).await?;
    timed("names", store.node_names(NodeSort::default())).await?;
    timed("all nodes", store.all_nodes()).await?;
    timed("nodes by name", store.nodes(names)).await?;
    let mut change = |node: &mut Node| {
        node.kind = Some("x".into());
        Ok(())
    };
    timed("update nodes", store.update_nodes(names, &mut change)).await?;
    Ok(())
}

async fn deploy(store: &Store, names: &[NodeName]) -> Result<JobId, StoreError> {
    let image = OsImage::new("img", "debian", "12", "x86_64");
    store.create_osimage(&image).await?;
    let operation = Operation::Deploy {
        osimage: Some("img".into()),
        subnet: None,
        force: false,
    };
    let job = NewJob::new(&operation, names, 1_000);
    let job = timed("create job", store.create_job(&job)).await?;
    timed("begin a batch", store.begin_batch(job.id, 6)).await?;
    let reserving = store.reserve(names, "host", "deploy", LONG);
    let fence = timed("reserve", reserving).await?.fence;
    let changes = changes(names, State::Deploying);
    let revision = timed("deploy", store.provision(fence, &changes)).await?;
    timed("changes since", store.changes_since(revision - 1)).await?;
    timed("all changes", store.changes_since(0)).await?;
    timed("release", store.release(fence)).await?;
    Ok(job.id)
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

async fn observe(store: &Store, nodes: &[Node], job: JobId) -> Result<(), StoreError> {
    let seen = Progress {
        phase: Phase::Dhcp,
        detail: "DHCPACK".into(),
        since_ms: LATER_MS,
        seen_ms: LATER_MS,
    };
    let (mut progress, mut outcomes, mut leases) = (Vec::new(), Vec::new(), Vec::new());
    for (node, ip) in nodes.iter().zip(0u32..) {
        progress.push((node.name.clone(), seen.clone()));
        outcomes.push((node.name.clone(), Outcome::OK));
        leases.push(Lease {
            mac: node.nics[0].mac,
            ip: ip.into(),
            network: "net".into(),
            expires_ms: LATER_MS,
            hostname: None,
            client_id: None,
        });
    }
    timed("record progress", store.record_progress(&progress)).await?;
    timed("record outcomes", store.settle(job, None, &outcomes)).await?;
    timed("outcomes", store.outcomes(job, 0, usize::MAX)).await?;
    timed("save leases", store.save_leases(&leases)).await?;
    timed("save one lease", store.save_leases(&leases[..1])).await?;
    timed("leases", store.leases()).await?;
    timed("revision", store.revision()).await?;
    Ok(())
}

async fn remove(store: &Store, names: &[NodeName]) -> Result<(), StoreError> {
    let fence = store.reserve(names, "host", "undo", LONG).await?.fence;
    let changes = changes(names, State::None);
    timed("undo", store.provision(fence, &changes)).await?;
    store.release(fence).await?;
    timed("delete nodes", store.delete_nodes(names)).await?;
    Ok(())
}
