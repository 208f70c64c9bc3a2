//! Boot devices, as `virsh dumpxml` sees them.

use xcat3_core::BootDevice::{Cdrom, Disk, Net};
use xcat3_core::BootOrder;
use xcat3_drivers::control::ControlOperation::{BootDeviceStatus, SetBootDevice};

use super::lab::{LAB, nic};
use super::{Driver, node};

const DRIVES: &str = "<disk type='file' device='disk'><source file='/run/disk'/>\
    <target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'>\
    <target dev='hdc' bus='ide'/></disk>";

fn defined(domain: &str) -> String {
    LAB.virsh(&format!("dumpxml --inactive --security-info {domain}"))
}

/// The lines of the XML that are not about booting.
fn rest(xml: &str) -> Vec<&str> {
    xml.lines()
        .filter(|line| !line.contains("<boot "))
        .collect()
}

/// The words in `<os><boot dev=…/>`, in order.
fn preferred(xml: &str) -> Vec<&str> {
    let words = xml.split("<boot dev='").skip(1);
    words.filter_map(|rest| rest.split('\'').next()).collect()
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn preferences_in_os_are_set_and_the_rest_of_the_domain_stays() {
    let screen = "<graphics type='vnc' passwd='hidden' port='5999'/>";
    let devices = format!("{DRIVES}{screen}");
    LAB.define(
        "prefer",
        "<boot dev='hd'/><bootmenu enable='no'/>",
        &devices,
        &[MACS[0]],
    );
    let driver = Driver::new();
    let node = node("prefer", &[MACS[0]]);
    assert_eq!(driver.ask(BootDeviceStatus, &node).await, "disk");
    let before = defined("prefer");
    let steps = [
        (Net, "net", vec!["network", "hd"]),
        (Cdrom, "cdrom", vec!["cdrom", "network", "hd"]),
        (Disk, "disk", vec!["hd", "cdrom", "network"]),
        (Disk, "disk", vec!["hd", "cdrom", "network"]),
        (Net, "net", vec!["network", "hd", "cdrom"]),
    ];
    for (device, word, words) in steps {
        assert_eq!(
            driver
                .ask(SetBootDevice(BootOrder::once(device)), &node)
                .await,
            "ok"
        );
        assert_eq!(driver.ask(BootDeviceStatus, &node).await, word);
        let after = defined("prefer");
        assert_eq!(preferred(&after), words);
        assert_eq!(rest(&after), rest(&before));
    }
    assert!(before.contains("passwd='hidden'"), "{before}");
}

const MACS: [&str; 3] = [
    "52:54:00:02:00:01",
    "52:54:00:02:00:02",
    "52:54:00:02:00:03",
];

#[tokio::test]
#[ignore = "real: root, programs"]
async fn orders_of_devices_are_set_and_the_nic_meant_is_the_nodes() {
    let disk = DRIVES.replacen("</disk>", "<boot order='1'/></disk>", 1);
    let nics = nic(MACS[1], "<boot order='2'/>") + &nic(MACS[2], "");
    LAB.define_with_nics("order", "", &format!("{disk}{nics}"));
    let driver = Driver::new();
    let mut node = node("order", &[MACS[2]]);
    assert_eq!(driver.ask(BootDeviceStatus, &node).await, "disk");
    let before = defined("order");

    assert_eq!(
        driver.ask(SetBootDevice(BootOrder::once(Net)), &node).await,
        "ok"
    );
    let meant = defined("order");
    let first = meant.find("<boot order='1'/>").unwrap();
    assert!(meant.find(MACS[2]).is_some_and(|at| at < first), "{meant}");
    assert_eq!(driver.ask(BootDeviceStatus, &node).await, "net");

    node.nics[0].mac = MACS[1].parse().unwrap();
    assert_eq!(
        driver.ask(SetBootDevice(BootOrder::once(Net)), &node).await,
        "ok"
    );
    let other = defined("order");
    let first = other.find("<boot order='1'/>").unwrap();
    assert!(other.find(MACS[2]).is_some_and(|at| at > first), "{other}");

    for (device, word) in [(Cdrom, "cdrom"), (Disk, "disk"), (Net, "net")] {
        assert_eq!(
            driver
                .ask(SetBootDevice(BootOrder::once(device)), &node)
                .await,
            "ok"
        );
        assert_eq!(driver.ask(BootDeviceStatus, &node).await, word);
        assert_eq!(rest(&defined("order")), rest(&before));
    }
    assert_eq!(defined("order").matches("<boot order=").count(), 4);
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn what_cannot_be_booted_is_refused_and_nothing_is_changed() {
    let mac = "52:54:00:02:00:04";
    LAB.define_with_nics("nodisk", "", &nic(mac, "<boot order='1'/>"));
    let driver = Driver::new();
    let diskless = node("nodisk", &[mac]);
    let before = defined("nodisk");
    driver
        .fails(
            SetBootDevice(BootOrder::once(Disk)),
            &diskless,
            &["'nodisk'", "no disk to boot from"],
        )
        .await;
    driver
        .fails(
            SetBootDevice(BootOrder::once(Cdrom)),
            &diskless,
            &["no cdrom drive"],
        )
        .await;
    assert_eq!(defined("nodisk"), before);

    let mac = "52:54:00:02:00:05";
    LAB.define("direct", "<kernel>/boot/vmlinuz</kernel>", "", &[mac]);
    let direct = node("direct", &[mac]);
    driver
        .fails(
            SetBootDevice(BootOrder::once(Net)),
            &direct,
            &["'direct'", "<kernel>"],
        )
        .await;
    driver.fails(BootDeviceStatus, &direct, &["<kernel>"]).await;
}
