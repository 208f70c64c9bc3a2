//! Power, as `virsh domstate` sees it.

use std::time::Duration;

use xcat3_core::PowerTarget::{Boot, Cycle, Off, On, Reset, Soft};
use xcat3_core::{BootDevice, BootOrder, Outcome};
use xcat3_drivers::control::ControlOperation::{Power, PowerStatus, Sensors, SetBootDevice};

use super::lab::LAB;
use super::{Driver, node};

/// Boots nothing, at little cost.
const OS: &str = "<boot dev='hd'/>";

fn state(domain: &str) -> String {
    LAB.virsh(&format!("domstate {domain}"))
}

/// Changes with every start of the domain, and with no reset.
fn id(domain: &str) -> String {
    LAB.virsh(&format!("domid {domain}"))
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn every_power_target_does_what_it_says_and_saying_it_twice_is_fine() {
    LAB.define("power1", OS, "", &["52:54:00:01:00:01"]);
    let driver = Driver::new();
    let node = node("power1", &["52:54:00:01:00:01"]);

    assert_eq!(driver.ask(PowerStatus, &node).await, "off");
    assert_eq!(driver.ask(Power(Off), &node).await, "ok");
    driver
        .fails(Power(Reset), &node, &["the domain 'power1' is off"])
        .await;
    assert_eq!(state("power1"), "shut off");

    assert_eq!(driver.ask(Power(On), &node).await, "ok");
    assert_eq!(state("power1"), "running");
    assert_eq!(driver.ask(PowerStatus, &node).await, "on");
    let first = id("power1");
    assert_eq!(driver.ask(Power(On), &node).await, "ok");
    assert_eq!(id("power1"), first);

    assert_eq!(driver.ask(Power(Reset), &node).await, "ok");
    assert_eq!(driver.ask(Power(Boot), &node).await, "ok");
    assert_eq!(
        (id("power1"), state("power1")),
        (first.clone(), "running".to_owned())
    );

    assert_eq!(driver.ask(Power(Off), &node).await, "ok");
    assert_eq!(state("power1"), "shut off");
    assert_eq!(driver.ask(PowerStatus, &node).await, "off");
    assert_eq!(driver.ask(Power(Boot), &node).await, "ok");
    assert_eq!(state("power1"), "running");
    let second = id("power1");
    assert_ne!(second, first);

    assert_eq!(driver.ask(Power(Cycle), &node).await, "ok");
    assert_eq!(state("power1"), "running");
    assert_ne!(id("power1"), second);
    // Nothing in it listens for the button, which is all that is asked for.
    assert_eq!(driver.ask(Power(Soft), &node).await, "ok");
    driver
        .fails(
            Sensors,
            &node,
            &["the control driver 'kvm' has no way to do 'sensors'"],
        )
        .await;
    LAB.virsh("destroy power");
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_reset_boots_the_device_that_was_set_since_the_start() {
    LAB.define("reset", OS, "", &["52:54:00:01:00:02"]);
    LAB.virsh("start reset");
    let driver = Driver::new();
    let node = node("reset", &["52:54:00:01:00:02"]);
    let before = id("reset");
    assert_eq!(
        driver
            .ask(SetBootDevice(BootOrder::once(BootDevice::Net)), &node)
            .await,
        "ok"
    );
    assert_eq!(driver.ask(Power(Reset), &node).await, "ok");
    let after = id("reset");
    assert_ne!(after, before);
    let live = LAB.virsh("dumpxml reset");
    assert!(live.find("dev='network'") < live.find("dev='hd'"), "{live}");
    assert_eq!(driver.ask(Power(Reset), &node).await, "ok");
    assert_eq!(id("reset"), after);
    LAB.virsh("destroy reset");
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_paused_machine_is_on_and_one_that_cannot_start_says_why() {
    LAB.define("paused", OS, "", &["52:54:00:01:00:03"]);
    LAB.virsh("start --paused paused");
    let driver = Driver::new();
    let paused = node("paused", &["52:54:00:01:00:03"]);
    assert_eq!(driver.ask(PowerStatus, &paused).await, "on");
    assert_eq!(driver.ask(Power(Off), &paused).await, "ok");
    assert_eq!(state("paused"), "shut off");

    let disk = "<disk type='file' device='disk'><source file='/nowhere/disk'/>\
                <target dev='vda' bus='virtio'/></disk>";
    LAB.define("diskless", OS, disk, &["52:54:00:01:00:04"]);
    let diskless = node("diskless", &["52:54:00:01:00:04"]);
    driver
        .fails(Power(On), &diskless, &["virsh failed", "/nowhere/disk"])
        .await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn many_machines_are_started_in_one_request_and_one_bad_one_does_not_stop_them() {
    let macs: Vec<String> = (0..8).map(|i| format!("52:54:00:01:01:{i:02x}")).collect();
    let bad = "<disk type='file' device='disk'><source file='/nowhere/disk'/>\
               <target dev='vda' bus='virtio'/></disk>";
    for (place, mac) in macs.iter().enumerate() {
        let disk = if place == 3 { bad } else { "" };
        LAB.define(&format!("many{place}"), OS, disk, &[mac.as_str()]);
    }
    let nodes: Vec<_> = macs
        .iter()
        .enumerate()
        .map(|(place, mac)| node(&format!("many{place}"), &[mac.as_str()]))
        .collect();
    let driver = Driver::new();
    let outcomes = driver
        .timed(Power(On), &nodes, Duration::from_secs(50))
        .await;
    for (name, outcome, _) in &outcomes {
        assert_eq!(outcome.is_done(), name != "many3", "{name}: {outcome}");
        assert_eq!(state(name) == "running", name != "many3");
    }
    let outcomes = driver
        .timed(Power(Off), &nodes, Duration::from_secs(50))
        .await;
    assert!(
        outcomes
            .iter()
            .all(|(_, outcome, _)| *outcome == Outcome::OK),
        "{outcomes:?}"
    );
    assert_eq!(
        LAB.virsh("list --name")
            .lines()
            .filter(|name| name.starts_with("many"))
            .count(),
        0
    );
}
