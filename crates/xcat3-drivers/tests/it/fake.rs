//! The driver `fake`: what it remembers, how slow and how unreliable it is, when it stops.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use xcat3_core::{BootDevice, BootOrder, Node, NodeName, Outcome, PowerTarget};
use xcat3_drivers::control::{
    ControlConfig, ControlOperation, ControlOrder, Controls, FakeConfig, KvmConfig, Lease, Rate,
    Rejections,
};

const ON: ControlOperation = ControlOperation::Power(PowerTarget::On);
const RESET: ControlOperation = ControlOperation::Power(PowerTarget::Reset);
const STATUS: ControlOperation = ControlOperation::PowerStatus;
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

struct Driver {
    controls: Controls,
    folder: tempfile::TempDir,
}

impl Driver {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut FakeConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let controls = controls(folder.path(), change);
        Self { controls, folder }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("fake.journal")
    }

    async fn ask(&self, operation: ControlOperation, nodes: &[Node]) -> Vec<(String, Outcome)> {
        ask(&self.controls, operation, nodes, LONG, &Lease::endless()).await
    }

    async fn words(&self, operation: ControlOperation, nodes: &[Node]) -> Vec<String> {
        let outcomes = self.ask(operation, nodes).await;
        assert_eq!(outcomes.len(), nodes.len(), "one outcome a node");
        outcomes
            .into_iter()
            .map(|(_, outcome)| outcome.to_string())
            .collect()
    }
}

fn controls(folder: &Path, change: impl FnOnce(&mut FakeConfig)) -> Controls {
    let mut fake = FakeConfig::new(folder.join("fake.journal"));
    change(&mut fake);
    let kvm = KvmConfig::new(folder.join("known_hosts"));
    Controls::new(&ControlConfig::new(kvm, fake))
}

async fn ask(
    controls: &Controls,
    operation: ControlOperation,
    nodes: &[Node],
    deadline: Duration,
    lease: &Lease,
) -> Vec<(String, Outcome)> {
    let order = ControlOrder {
        operation: &operation,
        nodes,
        deadline,
        lease,
        default_credentials: None,
        rejections: &Rejections::none(),
    };
    let (sender, mut receiver) = mpsc::channel::<(NodeName, Outcome)>(4);
    let receiving = async {
        let mut outcomes = Vec::new();
        while let Some((name, outcome)) = receiver.recv().await {
            outcomes.push((name.to_string(), outcome));
        }
        outcomes
    };
    let running = controls.driver("fake").unwrap().run(order, sender);
    tokio::join!(running, receiving).1
}

fn nodes(count: usize) -> Vec<Node> {
    let node = |n| Node::new(format!("n{n}").parse().unwrap());
    (0..count).map(node).collect()
}

fn told(node: &mut Node, key: &str, value: impl Into<serde_json::Value>) {
    node.declared.control_info.insert(key.into(), value.into());
}

#[tokio::test]
async fn power_and_boot_device_are_kept_by_all_drivers_of_a_host() {
    let driver = Driver::new();
    let nodes = nodes(3);
    assert_eq!(driver.words(STATUS, &nodes).await, ["off"; 3]);
    assert_eq!(driver.words(ON, &nodes[..2]).await, ["ok"; 2]);
    let net = ControlOperation::SetBootDevice(BootOrder::once(BootDevice::Net));
    assert_eq!(driver.words(net, &nodes[1..]).await, ["ok"; 2]);
    let other = controls(driver.folder.path(), |_| {});
    let states = ask(&other, STATUS, &nodes, LONG, &Lease::endless()).await;
    let states: Vec<&str> = states.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(states, ["on", "on", "off"]);
    let devices = driver
        .words(ControlOperation::BootDeviceStatus, &nodes)
        .await;
    assert_eq!(devices, ["disk", "net", "net"]);
    let refused = &driver.words(RESET, &nodes[2..]).await[0];
    assert!(refused.contains("fake machine is off"), "{refused}");
}

#[tokio::test]
async fn there_is_no_journal_before_a_fake_machine_is_driven() {
    let driver = Driver::new();
    assert!(!driver.journal().exists());
    assert_eq!(driver.words(ON, &nodes(1)).await, ["ok"]);
    assert!(driver.journal().exists());
}

#[tokio::test]
async fn slow_machines_are_waited_for_together_and_do_not_hold_up_the_others() {
    let driver = Driver::with(|config| config.jitter = Duration::from_millis(100));
    let mut nodes = nodes(2_000);
    for node in &mut nodes[1..1_999] {
        told(node, "latency_ms", "300");
    }
    told(&mut nodes[0], "jitter_ms", 0);
    told(&mut nodes[1_999], "latency_ms", 600_001);
    let begun = Instant::now();
    let order = (ON, Duration::from_secs(2));
    let outcomes = ask(
        &driver.controls,
        order.0,
        &nodes,
        order.1,
        &Lease::endless(),
    )
    .await;
    assert_eq!(outcomes.len(), 2_000);
    assert_eq!(
        outcomes[0].0, "n0",
        "the one that takes no time comes first"
    );
    let done = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_done())
        .count();
    assert_eq!(done, 1_999);
    let (last, late) = &outcomes[1_999];
    assert_eq!(last, "n1999");
    assert!(
        late.as_str()
            .starts_with("fake machine: not done within 2 s"),
        "{late}"
    );
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn machines_fail_as_they_are_told_and_what_failed_was_not_done() {
    let driver = Driver::with(|config| config.failure = Rate::new(0.5).unwrap());
    let mut nodes = nodes(1_000);
    told(&mut nodes[0], "fail", "always");
    told(&mut nodes[1], "fail", "never");
    told(&mut nodes[2], "fial", "never");
    let mut outcomes = driver.ask(ON, &nodes).await;
    assert_eq!(outcomes.len(), 1_000);
    let failed = outcomes
        .iter()
        .filter(|(_, outcome)| !outcome.is_done())
        .count();
    assert!((300..700).contains(&failed), "{failed} of 1,000 failed");
    outcomes.sort_by_key(|(name, _)| name[1..].parse::<usize>().unwrap());
    assert!(
        outcomes[0].1.as_str().starts_with("fake failure:"),
        "{}",
        outcomes[0].1
    );
    assert_eq!(outcomes[1].1, Outcome::OK);
    assert!(
        outcomes[2].1.as_str().contains("\"fial\""),
        "{}",
        outcomes[2].1
    );
    let lines = std::fs::read_to_string(driver.journal()).unwrap();
    assert_eq!(lines.lines().count(), 1_000 - failed);
    assert!(!lines.contains(" n0 on\n") && lines.contains(" n1 on\n"));
}

#[tokio::test]
async fn nothing_is_done_once_the_lease_is_over() {
    let driver = Driver::new();
    let mut nodes = nodes(600);
    for node in &mut nodes[100..] {
        told(node, "latency_ms", 1);
    }
    let (holder, lease) = Lease::until(tokio::time::Instant::now() + LONG);
    let order = ControlOrder {
        operation: &ON,
        nodes: &nodes,
        deadline: LONG,
        lease: &lease,
        default_credentials: None,
        rejections: &Rejections::none(),
    };
    let (sender, mut receiver) = mpsc::channel(1);
    let losing = async {
        let mut outcomes = 0;
        while receiver.recv().await.is_some() {
            outcomes += 1;
            // In the middle of those that were acted on together: before the others have their turn.
            if outcomes == 50 {
                holder.lose();
            }
        }
        outcomes
    };
    let running = driver.controls.driver("fake").unwrap().run(order, sender);
    let ((), outcomes) = tokio::join!(running, losing);
    assert_eq!(outcomes, 100);
    let lines = std::fs::read_to_string(driver.journal()).unwrap();
    assert_eq!(lines.lines().count(), 100);
}

#[tokio::test]
async fn a_journal_that_cannot_be_kept_is_named() {
    let driver = Driver::with(|config| config.journal = "/nowhere/fake.journal".into());
    let sentence = &driver.words(STATUS, &nodes(1)).await[0];
    assert!(sentence.contains("/nowhere/fake.journal"), "{sentence}");
}

#[tokio::test]
async fn sixty_five_thousand_machines_are_no_work() {
    let driver = Driver::new();
    let nodes = nodes(65_536);
    let begun = Instant::now();
    assert_eq!(driver.ask(ON, &nodes).await.len(), 65_536);
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{took:?} even in a slow build"
    );
    assert_eq!(
        std::fs::read_to_string(driver.journal())
            .unwrap()
            .lines()
            .count(),
        65_536
    );
}
