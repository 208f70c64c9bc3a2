//! The driver `kvm` against a real hypervisor: what libvirt says after each operation must be what
//! the driver said it did, and whatever can be wrong must be named.

mod booting;
mod finding;
mod lab;
mod links;
mod logins;
mod power;
mod refusals;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;
use xcat3_core::{Nic, Node, Outcome};
use xcat3_drivers::control::{
    ControlConfig, ControlOperation, ControlOrder, Controls, FakeConfig, KvmConfig, Lease,
    Rejections,
};

use self::lab::LAB;

/// The driver, with a file of known hosts of its own.
struct Driver {
    controls: Controls,
    known_hosts: PathBuf,
    _folder: tempfile::TempDir,
}

impl Driver {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut KvmConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let known_hosts = folder.path().join("known_hosts");
        let mut kvm = KvmConfig::new(known_hosts.clone());
        change(&mut kvm);
        Self {
            controls: Controls::new(&ControlConfig::new(
                kvm,
                FakeConfig::new(folder.path().join("fake.journal")),
            )),
            known_hosts,
            _folder: folder,
        }
    }

    /// The outcomes in the order of their coming, and when each came.
    async fn timed(
        &self,
        operation: ControlOperation,
        nodes: &[Node],
        deadline: Duration,
    ) -> Vec<(String, Outcome, Duration)> {
        let (sender, mut receiver) = mpsc::channel(4);
        let start = Instant::now();
        let driver = self.controls.driver("kvm").unwrap();
        let lease = Lease::endless();
        let order = ControlOrder {
            operation: &operation,
            nodes,
            deadline,
            lease: &lease,
            default_credentials: None,
            rejections: &Rejections::none(),
        };
        let running = driver.run(order, sender);
        let receiving = async {
            let mut outcomes = Vec::new();
            while let Some((name, outcome)) = receiver.recv().await {
                outcomes.push((name.as_str().to_owned(), outcome, start.elapsed()));
            }
            outcomes
        };
        let ((), outcomes) = tokio::join!(running, receiving);
        assert_eq!(
            outcomes.len(),
            nodes.len(),
            "one outcome a node: {outcomes:?}"
        );
        outcomes
    }

    /// What came of `operation` on one node.
    async fn ask(&self, operation: ControlOperation, node: &Node) -> String {
        let nodes = std::slice::from_ref(node);
        let outcomes = self.timed(operation, nodes, Duration::from_secs(50)).await;
        outcomes[0].1.as_str().to_owned()
    }

    /// Asserts that `operation` fails with a sentence that says all of `words`.
    async fn fails(&self, operation: ControlOperation, node: &Node, words: &[&str]) -> String {
        let nodes = std::slice::from_ref(node);
        let outcomes = self.timed(operation, nodes, Duration::from_secs(50)).await;
        let Outcome::Failed(sentence) = &outcomes[0].1 else {
            panic!("it was done, without: {words:?}");
        };
        for word in words {
            assert!(sentence.contains(word), "'{word}' is not in: {sentence}");
        }
        sentence.clone()
    }
}

/// A node whose domain has the addresses `macs`, on the lab's hypervisor.
fn node(name: &str, macs: &[&str]) -> Node {
    let mut node = Node::new(name.parse().unwrap());
    node.declared.mgt = Some("kvm".to_owned());
    let key = LAB.file("user").display().to_string();
    node.declared.control_info = json!({"ssh_address": "127.0.0.1", "ssh_port": LAB.port,
        "ssh_username": "root", "ssh_virt_type": "virsh", "ssh_key_filename": key})
    .as_object()
    .unwrap()
    .clone();
    node.nics = macs
        .iter()
        .map(|mac| Nic {
            uuid: Uuid::nil(),
            mac: mac.parse().unwrap(),
            name: None,
            ip: None,
            netmask: None,
            primary: false,
            extra: serde_json::Map::new(),
            node: None,
        })
        .collect();
    node
}

/// The same node with `changes` to its `control_info`; null removes.
fn changed(node: &Node, changes: &Value) -> Node {
    let mut node = node.clone();
    for (key, value) in changes.as_object().unwrap() {
        node.declared
            .control_info
            .insert(key.clone(), value.clone());
    }
    node
}
