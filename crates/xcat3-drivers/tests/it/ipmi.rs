//! The driver `ipmi` against `ipmi_sim`: what ipmitool says afterwards is what was set.

mod sim;

use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;
use xcat3_core::{BootDevice, BootOrder, Node, NodeName, Outcome, PowerTarget};
use xcat3_drivers::control::{
    ControlConfig, ControlOperation, ControlOrder, Controls, FakeConfig, KvmConfig, Lease,
};

use self::sim::{LOOKER, PASSWORD, Sim, USER};

const DEADLINE: Duration = Duration::from_secs(60);

fn controls() -> Controls {
    // Neither is used.
    let (kvm, fake) = (KvmConfig::new("".into()), FakeConfig::new("".into()));
    Controls::new(&ControlConfig::new(kvm, fake))
}

fn node(sim: &Sim, user: &str, password: &str) -> Node {
    let mut node = Node::new("n1".parse().unwrap());
    let info = json!({"bmc_address": "127.0.0.1", "bmc_port": sim.port.to_string(),
        "bmc_username": user, "bmc_password": password});
    node.control_info = info.as_object().unwrap().clone();
    node
}

async fn ask(controls: &Controls, node: &Node, operation: ControlOperation) -> Outcome {
    let (sender, mut receiver) = mpsc::channel::<(NodeName, Outcome)>(4);
    let order = ControlOrder {
        operation: &operation,
        nodes: std::slice::from_ref(node),
        deadline: DEADLINE,
        lease: &Lease::endless(),
        default_credentials: None,
    };
    let driver = controls.driver("ipmi").unwrap();
    let (told, ()) = tokio::join!(receiver.recv(), driver.run(order, sender));
    let (name, outcome) = told.unwrap();
    assert_eq!(name, node.name);
    outcome
}

#[tokio::test]
async fn power_is_as_it_was_set() {
    let (sim, controls) = (Sim::start("").await, controls());
    let node = node(&sim, USER, PASSWORD);
    let power = async |target| ask(&controls, &node, ControlOperation::Power(target)).await;
    let status = ask(&controls, &node, ControlOperation::PowerStatus).await;
    assert_eq!(status, Outcome::Done("off"));
    let refused = power(PowerTarget::Reset).await.to_string();
    assert!(refused.contains("the machine is off"), "{refused}");
    for (target, says) in [
        (PowerTarget::Off, "Chassis Power is off"),
        (PowerTarget::On, "Chassis Power is on"),
        (PowerTarget::On, "Chassis Power is on"),
        (PowerTarget::Reset, "Chassis Power is on"),
        (PowerTarget::Boot, "Chassis Power is on"),
        (PowerTarget::Soft, "Chassis Power is on"),
        (PowerTarget::Off, "Chassis Power is off"),
        (PowerTarget::Boot, "Chassis Power is on"),
    ] {
        assert_eq!(power(target).await, Outcome::OK, "{target}");
        let said = sim.tool(&["power", "status"]).await.unwrap();
        assert_eq!(said.trim(), says, "{target}");
    }
    let once = [
        "power 1",
        "reset 1",
        "reset 1",
        "shutdown 1",
        "power 0",
        "power 1",
    ];
    assert_eq!(sim.actions(), once, "what it is already is not done");
    let status = ask(&controls, &node, ControlOperation::PowerStatus).await;
    assert_eq!(status, Outcome::Done("on"));
}

#[tokio::test]
async fn a_boot_device_is_as_it_was_set() {
    let (sim, controls) = (Sim::start("").await, controls());
    let node = node(&sim, USER, PASSWORD);
    for (device, says) in [
        (BootDevice::Net, "Force PXE"),
        (BootDevice::Disk, "Force Boot from default Hard-Drive"),
        (BootDevice::Cdrom, "Force Boot from CD/DVD"),
        (BootDevice::Setup, "Force Boot into BIOS Setup"),
    ] {
        let order = ControlOperation::SetBootDevice(BootOrder::once(device));
        assert_eq!(ask(&controls, &node, order).await, Outcome::OK, "{device}");
        let said = sim.tool(&["chassis", "bootparam", "get", "5"]).await;
        let said = said.unwrap();
        assert!(said.contains(says), "{device}: {said}");
    }
    let http = ControlOperation::SetBootDevice(BootOrder::once(BootDevice::Http));
    let said = ask(&controls, &node, http).await.to_string();
    assert!(said.contains("IPMI has no boot device 'http'"), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_asked_once_and_the_right_one_after_it() {
    let (sim, controls) = (Sim::start("").await, controls());
    let wrong = node(&sim, USER, "wrong");
    let status = ControlOperation::PowerStatus;
    let first = ask(&controls, &wrong, status.clone()).await.to_string();
    assert!(first.contains("password"), "{first}");
    let again = ask(&controls, &wrong, status.clone()).await.to_string();
    assert!(
        again.contains("not tried again until they change"),
        "{again}"
    );
    let right = node(&sim, USER, PASSWORD);
    assert_eq!(ask(&controls, &right, status).await, Outcome::Done("off"));
}

#[tokio::test]
async fn a_user_that_may_only_look_may_look() {
    let (sim, controls) = (Sim::start("").await, controls());
    let looker = node(&sim, LOOKER, PASSWORD);
    let status = ask(&controls, &looker, ControlOperation::PowerStatus).await;
    assert_eq!(status, Outcome::Done("off"));
}

#[tokio::test]
async fn what_a_node_lacks_or_ipmi_cannot_do_is_said() {
    let controls = controls();
    let mut node = Node::new("n1".parse().unwrap());
    let status = ControlOperation::PowerStatus;
    let said = ask(&controls, &node, status.clone()).await.to_string();
    assert_eq!(said, "control_info has no bmc_address");
    node.control_info
        .insert("bmc_address".into(), "127.0.0.1".into());
    let said = ask(&controls, &node, status).await.to_string();
    assert!(said.contains("no passwd entry 'bmc'"), "{said}");
    let said = ask(&controls, &node, ControlOperation::Bios)
        .await
        .to_string();
    assert_eq!(
        said,
        "the control driver 'ipmi' has no way to do 'bios get'"
    );
}
