//! Stores to test on, and short ways to make what goes into them.

use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;
use xcat3_backing::{Database, Server};
use xcat3_core::{MacAddr, Network, Nic, Node, NodeName, OsImage, Outcome, State};
use xcat3_store::{JobId, Provision, Store};

/// A store, and where it lives.
pub struct Lab {
    pub store: Store,
    pub directory: Option<TempDir>,
    /// Dropped last, so that its connections end before it does.
    pub database: Option<Database>,
}

impl Lab {
    /// Where the database is, for another process to open it.
    pub fn url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => url(self.directory.as_ref().unwrap()),
        }
    }
}

pub fn url(directory: &TempDir) -> String {
    format!("sqlite:{}/xcat3.db", directory.path().display())
}

pub async fn file() -> Lab {
    let directory = TempDir::new().unwrap();
    let store = Store::open(&url(&directory)).await.unwrap();
    Lab {
        store,
        directory: Some(directory),
        database: None,
    }
}

pub async fn memory() -> Lab {
    let store = Store::open("sqlite::memory:").await.unwrap();
    Lab {
        store,
        directory: None,
        database: None,
    }
}

/// A database of its own on PostgreSQL, copied from one that has the schema already.
pub async fn postgres() -> Lab {
    let database = migrated().await;
    Lab {
        store: Store::open(&database.url()).await.unwrap(),
        directory: None,
        database: Some(database),
    }
}

async fn migrated() -> Database {
    // Of another name when the schema is another: a server may outlive this run.
    let migrations = sqlx::migrate!("migrations/postgres");
    let checksums = migrations
        .iter()
        .flat_map(|migration| migration.checksum.iter());
    let sum = checksums.fold(0u64, |sum, &byte| {
        sum.wrapping_mul(1_000_003).wrapping_add(byte.into())
    });
    let template = format!("xcat3_template_{sum:016x}");
    let server = Server::shared().unwrap();
    static MADE: OnceCell<()> = OnceCell::const_new();
    let make = async || {
        if server.copy_of(&template).unwrap().is_none() {
            let new = server.database().unwrap();
            Store::open(&new.url()).await.unwrap().close().await;
            server.keep_as(&new, &template).unwrap();
        }
    };
    MADE.get_or_init(make).await;
    server.copy_of(&template).unwrap().unwrap()
}

pub fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

pub fn names(texts: &[&str]) -> Vec<NodeName> {
    texts.iter().map(|text| name(text)).collect()
}

/// `node1`, `node2`, … up to `count`.
pub fn many(count: usize) -> Vec<NodeName> {
    (1..=count)
        .map(|number| name(&format!("node{number}")))
        .collect()
}

pub fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddr([0x52, 0x54, a, b, c, d])
}

pub fn nic(number: u32) -> Nic {
    let [_, b, c, d] = number.to_be_bytes();
    Nic {
        uuid: Uuid::nil(),
        mac: mac(number),
        name: Some("eth0".into()),
        ip: Some(std::net::IpAddr::from([10, b, c, d])),
        netmask: None,
        primary: true,
        extra: serde_json::Map::new(),
        node: None,
    }
}

pub fn node(text: &str, nics: &[u32]) -> Node {
    let mut node = Node::new(name(text));
    node.declared.mgt = Some("kvm".into());
    node.declared.arch = Some("x86_64".into());
    node.declared
        .control_info
        .insert("ssh_address".into(), "192.0.2.1".into());
    node.nics = nics.iter().map(|&number| nic(number)).collect();
    node
}

pub async fn enrol(store: &Store, texts: &[&str]) -> Vec<NodeName> {
    let nodes: Vec<Node> = texts.iter().map(|text| node(text, &[])).collect();
    let outcomes = store.create_nodes(&nodes).await.unwrap();
    assert!(
        outcomes.iter().all(|(_, outcome)| outcome.is_done()),
        "{outcomes:?}"
    );
    names(texts)
}

pub fn network(text: &str, subnet: &str) -> Network {
    Network::new(text, subnet.parse().unwrap())
}

pub fn image(text: &str) -> OsImage {
    OsImage::new(text, "debian", "12", "x86_64")
}

pub fn to_state(name: &NodeName, state: State) -> Provision {
    let (osimage, deploy_token, failure) = (None, None, None);
    Provision {
        name: name.clone(),
        state,
        osimage,
        deploy_token,
        failure,
    }
}

/// Puts nodes into a state, as a conductor does.
pub async fn put(store: &Store, names: &[NodeName], state: State, osimage: Option<&str>) {
    let reserved = store.reserve(names, "host1", "a test", LONG).await.unwrap();
    assert_eq!(reserved.nodes.len(), names.len());
    let changes: Vec<Provision> = names
        .iter()
        .map(|name| Provision {
            osimage: osimage.map(str::to_owned),
            deploy_token: (state == State::Deploying).then(|| format!("token-of-{name}")),
            ..to_state(name, state)
        })
        .collect();
    store.provision(reserved.fence, &changes).await.unwrap();
    store.release(reserved.fence).await.unwrap();
}

pub const LONG: std::time::Duration = std::time::Duration::from_secs(600);

/// The words of outcomes, in their order.
pub fn words(outcomes: &[(NodeName, Outcome)]) -> Vec<&str> {
    outcomes
        .iter()
        .map(|(_, outcome)| outcome.as_str())
        .collect()
}

/// All outcomes of a job up to now.
pub async fn told(store: &Store, job: JobId) -> Vec<(NodeName, Outcome)> {
    let told = store.outcomes(job, 0, usize::MAX).await.unwrap().outcomes;
    let mut sequence = 0;
    for (number, ..) in &told {
        assert!(*number > sequence, "the numbers grow");
        sequence = *number;
    }
    told.into_iter()
        .map(|(_, name, outcome)| (name, outcome))
        .collect()
}
