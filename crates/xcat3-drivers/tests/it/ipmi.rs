//! The driver `ipmi` against `ipmi_sim`: what ipmitool says afterwards is what was set.

mod faults;
mod probe;
mod rack;
mod sim;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::mpsc;
use xcat3_core::hardware::{EventLog, Health, Inventory, Sensors};
use xcat3_core::{BootDevice, BootOrder, Node, NodeName, Outcome, PowerTarget};
use xcat3_drivers::control::{
    ControlConfig, ControlOperation, ControlOrder, Controls, FakeConfig, KvmConfig, Lease,
    Rejections,
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
    node.declared.control_info = info.as_object().unwrap().clone();
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
        rejections: &Rejections::none(),
    };
    let driver = controls.driver("ipmi").unwrap();
    let (told, ()) = tokio::join!(receiver.recv(), driver.run(order, sender));
    let (name, outcome) = told.unwrap();
    assert_eq!(name, node.name);
    outcome
}

#[tokio::test]
#[ignore = "real: programs"]
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
#[ignore = "real: programs"]
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

/// The hexadecimal words that ipmi_sim is told `bytes` by.
fn words(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    words.join(" ")
}

/// The full record of a temperature: M is 1, the upper critical threshold 90 degrees.
fn temperature(name: &str) -> Vec<u8> {
    let mut body = vec![0x20, 0, 1, 3, 1, 0x7f, 0x68, 1, 1, 0, 0, 0, 0, 0x38, 0x38];
    body.extend([
        0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0x5a, 0x50,
    ]);
    body.extend([0; 8]);
    body.push(0xc0 | u8::try_from(name.len()).unwrap());
    body.extend(name.as_bytes());
    let length = u8::try_from(body.len()).unwrap();
    [&[0, 0, 0x51, 1, length], &body[..]].concat()
}

async fn report<T: DeserializeOwned>(controls: &Controls, node: &Node, of: ControlOperation) -> T {
    let said = ask(controls, node, of).await;
    assert!(matches!(said, Outcome::Report(_)), "{said}");
    serde_json::from_str(said.as_str()).unwrap()
}

#[tokio::test]
#[ignore = "real: programs"]
async fn sensors_are_what_ipmitool_says() {
    let record = words(&temperature("CPU Temp"));
    let commands = format!(
        "main_sdr_add 0x20 {record}\nsensor_add 0x20 0 1 0x01 0x01\nsensor_set_value 0x20 0 1 0x2a 0\n"
    );
    let (sim, controls) = (Sim::start(&commands).await, controls());
    let node = node(&sim, USER, PASSWORD);
    let told: Sensors = report(&controls, &node, ControlOperation::Sensors).await;
    let [sensor] = &told.sensors[..] else {
        panic!("{told:?}");
    };
    let seen = (sensor.name.as_str(), sensor.value, sensor.unit.as_deref());
    assert_eq!(seen, ("CPU Temp", Some(42.0), Some("degrees C")));
    assert_eq!(sensor.health, Health::Ok);
    let tool = sim.tool(&["sdr", "list"]).await.unwrap();
    let line = tool.lines().find(|line| line.contains("CPU Temp"));
    assert!(line.unwrap().contains("42 degrees C"), "{tool}");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn the_inventory_is_what_ipmitool_says() {
    // A product area and nothing else, in eight-byte steps, both with their checksums.
    let mut product = vec![1, 0, 0];
    for text in ["Makers", "Model 7", "PN-1", "1.0", "SN-42", "Tag 9"] {
        product.push(0xc0 | u8::try_from(text.len()).unwrap());
        product.extend(text.as_bytes());
    }
    product.extend([0xc0, 0xc1]);
    product.resize((product.len() + 1).next_multiple_of(8) - 1, 0);
    product[1] = u8::try_from((product.len() + 1) / 8).unwrap();
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
    product.push(sum(&product));
    let mut image = vec![1, 0, 0, 0, 1, 0, 0];
    image.push(sum(&image));
    image.extend(product);
    let (size, bytes) = (image.len(), words(&image));
    let commands = format!("mc_add_fru_data 0x20 0 {size} data {bytes}\n");
    let (sim, controls) = (Sim::start(&commands).await, controls());
    let node = node(&sim, USER, PASSWORD);
    let told: Inventory = report(&controls, &node, ControlOperation::Inventory).await;
    let fru = sim.tool(&["fru", "print", "0"]).await.unwrap();
    for (label, said) in [
        ("Product Manufacturer", &told.manufacturer),
        ("Product Name", &told.model),
        ("Product Part Number", &told.part_number),
        ("Product Serial", &told.serial),
        ("Product Asset Tag", &told.asset_tag),
    ] {
        let line = fru.lines().find(|line| line.trim().starts_with(label));
        let tool = line.and_then(|line| line.split(": ").nth(1));
        assert!(
            said.is_some() && said.as_deref() == tool,
            "{label}: {told:?} {fru}"
        );
    }
    let firmware = told.bmc.unwrap().firmware.unwrap();
    let tool = sim.tool(&["mc", "info"]).await.unwrap();
    assert!(
        tool.contains(&format!(": {firmware}\n")),
        "{firmware}: {tool}"
    );
    assert!(told.uuid.is_some());
}

#[tokio::test]
#[ignore = "real: programs"]
async fn the_event_log_is_what_ipmitool_says_and_can_be_cleared() {
    // Of sensor 1, a temperature: upper critical going high, asserted.
    let event = [0x20, 0, 4, 1, 1, 1, 0x59, 0x5b, 0x5a];
    let record = [&[0x40, 0x42, 0x0f, 0x65], &event[..]].concat();
    let commands = format!(
        "main_sdr_add 0x20 {}\nsel_add 0x20 0x02 {}\n",
        words(&temperature("CPU Temp")),
        words(&record)
    );
    let (sim, controls) = (Sim::start(&commands).await, controls());
    let node = node(&sim, USER, PASSWORD);
    let told: EventLog = report(&controls, &node, ControlOperation::EventLog).await;
    let tool = sim.tool(&["sel", "list"]).await.unwrap();
    let [event] = &told.events[..] else {
        panic!("{told:?} {tool}");
    };
    assert_eq!(event.source.as_deref(), Some("CPU Temp"));
    assert_eq!(event.severity, Health::Critical, "{event:?} {tool}");
    assert!(tool.contains("Upper Critical going high"), "{tool}");
    assert!(event.message.contains("critical"), "{event:?} {tool}");
    let clear = ask(&controls, &node, ControlOperation::ClearEventLog).await;
    assert_eq!(clear, Outcome::OK);
    let tool = sim.tool(&["sel", "info"]).await.unwrap();
    assert!(tool.contains("Entries          : 0"), "{tool}");
    let told: EventLog = report(&controls, &node, ControlOperation::EventLog).await;
    assert_eq!(told.events, []);
}

#[tokio::test]
#[ignore = "real: programs"]
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
#[ignore = "real: programs"]
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
    node.declared
        .control_info
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
