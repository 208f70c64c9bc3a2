//! What typed commands say of a machine of `ipmi_sim` is what ipmitool says of it, and what they set is
//! what ipmitool shows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use xcat3_ipmi::Connection;
use xcat3_ipmi::command::boot::{self, BootFrom, BootOverride};
use xcat3_ipmi::command::chassis::{self, ChassisControl};
use xcat3_ipmi::command::lan::{self, AddressSource, LanChange};
use xcat3_ipmi::command::sdr::{self, Kind, Repository, Sensor, State, Value};
use xcat3_ipmi::command::{Severity, device, fru, sel, user};

use crate::line::credentials;
use crate::machine;
use crate::peers::Peer;

async fn simulated() -> (Peer, Connection) {
    let chassis = "chassis_control \"./chassis.sh 0x20\"\n";
    let peer = Peer::simulated(&machine::lines(), chassis).await;
    let connection = peer.connect(credentials()).await.unwrap();
    (peer, connection)
}

/// Lines of ipmitool like "Board Serial : SN-B".
fn facts(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

async fn sensors(bmc: &mut Connection) -> Vec<Sensor> {
    let (records, problems) = sdr::list(bmc, Repository::Machine).await.unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let sensor = |kind| match kind {
        Kind::Sensor(sensor) => *sensor,
        other => panic!("{other:?}"),
    };
    records
        .into_iter()
        .map(|record| sensor(record.kind))
        .collect()
}

/// As ipmitool's `sdr elist` shows it, as far as the words are the same.
fn line(sensor: &Sensor, state: &State) -> [String; 4] {
    let (health, shown) = match state {
        State::Absent(_) => ("ns", "No Reading".to_owned()),
        State::Read(Value {
            number: Some(number),
            states,
            ..
        }) => {
            let passed = ["lnr", "lcr", "lnc", "unr", "ucr", "unc"];
            let names = [
                "lower non-r",
                "lower c",
                "lower non-c",
                "upper non-r",
                "upper c",
                "upper non-c",
            ];
            let holds = |name: &&str| states.iter().any(|state| state.contains(name));
            let worst = names.iter().position(holds);
            let unit = match &*sensor.units.words() {
                "V" => "Volts".to_owned(),
                unit => unit.to_owned(),
            };
            (
                worst.map_or("ok", |at| passed[at]),
                format!("{} {unit}", (number * 100.0).round() / 100.0),
            )
        }
        State::Read(value) => ("ok", value.states.join(", ")),
    };
    let number = format!("{:X}h", sensor.key.number);
    [sensor.name.clone(), number, health.to_owned(), shown]
}

#[tokio::test]
#[ignore = "real: programs"]
async fn sensors_are_as_ipmitool_shows_them() {
    let (peer, mut bmc) = simulated().await;
    let sensors = sensors(&mut bmc).await;
    let mut ours = Vec::new();
    for sensor in &sensors {
        let state = sdr::read(&mut bmc, sensor).await.unwrap();
        ours.push(line(sensor, &state));
    }
    let theirs = peer.ipmitool(&["sdr", "elist"]).await;
    assert_eq!(ours.len(), 5);
    for (ours, theirs) in ours.iter_mut().zip(theirs.lines()) {
        if ours[0] == "PS1 Status" {
            // Words that ipmitool has other ones for.
            let states = "power supply present, input lost (AC or DC)";
            assert_eq!(ours[3], states);
            ours[3] = "Presence detected, Power Supply AC lost".to_owned();
        }
        let columns: Vec<&str> = theirs.split('|').map(str::trim).collect();
        assert_eq!(
            ours[..],
            [columns[0], columns[1], columns[2], columns[4]],
            "{theirs}"
        );
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn thresholds_are_as_ipmitool_shows_them() {
    let (peer, mut bmc) = simulated().await;
    let theirs = peer.ipmitool(&["sensor"]).await;
    for (sensor, theirs) in sensors(&mut bmc).await.iter().zip(theirs.lines()) {
        let limits = sdr::thresholds(&mut bmc, sensor).await.unwrap();
        let ours = [
            limits.lower_fatal,
            limits.lower_critical,
            limits.lower_warning,
            limits.upper_warning,
            limits.upper_critical,
            limits.upper_fatal,
        ];
        let shown =
            |limit: Option<f64>| limit.map_or("na".to_owned(), |limit| format!("{limit:.3}"));
        let columns: Vec<&str> = theirs.split('|').map(str::trim).collect();
        assert_eq!(columns[0], sensor.name);
        // Of what is not there ipmitool shows nothing; we show what its record says.
        if columns[1] != "na" {
            assert_eq!(ours.map(shown)[..], columns[4..10], "{theirs}");
        }
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn an_inventory_is_as_ipmitool_shows_it() {
    let (peer, mut bmc) = simulated().await;
    let fru = fru::read(&mut bmc, 0).await.unwrap().unwrap();
    assert!(fru.problems.is_empty(), "{:?}", fru.problems);
    let theirs = peer.ipmitool(&["fru", "print", "0"]).await;
    let theirs = facts(&theirs);
    let (chassis, board) = (fru.chassis.unwrap(), fru.board.unwrap());
    let product = fru.product.unwrap();
    let ours = [
        ("Chassis Part Number", chassis.part_number),
        ("Chassis Serial", chassis.serial),
        ("Board Mfg", board.manufacturer),
        ("Board Product", board.product),
        ("Board Serial", board.serial),
        ("Board Part Number", board.part_number),
        ("Product Manufacturer", product.manufacturer),
        ("Product Name", product.name),
        ("Product Part Number", product.part_number),
        ("Product Version", product.version),
        ("Product Serial", product.serial),
        ("Product Asset Tag", product.asset_tag),
    ];
    for (name, value) in ours {
        assert_eq!(theirs.get(name), Some(&&*value), "{name}");
    }
    assert_eq!(board.made, Some(1_561_896_000));
    let made = theirs["Board Mfg Date"];
    assert!(made.contains("Jun 30 12:00:00 2019"), "{made}");
    assert_eq!(fru::read(&mut bmc, 9).await.unwrap(), None, "no such unit");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn the_event_log_is_as_ipmitool_shows_it() {
    let (peer, mut bmc) = simulated().await;
    let sensors = sensors(&mut bmc).await;
    let info = sel::info(&mut bmc).await.unwrap();
    assert_eq!((info.entries, info.overflow), (2, false));
    let log = sel::list(&mut bmc, 100).await.unwrap();
    let theirs = peer.ipmitool(&["sel", "elist"]).await;
    assert_eq!(
        (log.entries.len(), theirs.lines().count()),
        (2, 2),
        "{theirs}"
    );
    let message = |at: usize| {
        let entry = &log.entries[at];
        let sensor = sensors
            .iter()
            .find(|sensor| Some(sensor.key) == entry.sensor());
        (entry.id, entry.message(sensor), entry.severity())
    };
    let hot = "CPU Temp: upper critical, going high (reading 91 degrees C, threshold 90 degrees C)";
    assert_eq!(message(0), (1, hot.to_owned(), Some(Severity::Critical)));
    assert!(
        theirs
            .contains("Upper Critical going high | Asserted | Reading 91 > Threshold 90 degrees C")
    );
    let lost = "PS1 Status: input lost (AC or DC)";
    assert_eq!(message(1), (2, lost.to_owned(), Some(Severity::Critical)));
    assert!(
        theirs.contains("PS1 Status | Power Supply AC lost | Asserted"),
        "{theirs}"
    );
    sel::clear(&mut bmc).await.unwrap();
    assert!(sel::list(&mut bmc, 100).await.unwrap().entries.is_empty());
    assert_eq!(peer.ipmitool(&["sel", "elist"]).await, "");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn the_bmc_is_who_ipmitool_says() {
    let (peer, mut bmc) = simulated().await;
    let device = device::id(&mut bmc).await.unwrap();
    let theirs = peer.ipmitool(&["mc", "info"]).await;
    let theirs = facts(&theirs);
    assert_eq!(device.firmware_version(), theirs["Firmware Revision"]);
    assert_eq!(device.manufacturer.to_string(), theirs["Manufacturer ID"]);
    assert_eq!(device.id.to_string(), theirs["Device ID"]);
    assert_eq!(device.revision.to_string(), theirs["Device Revision"]);
    assert!(theirs["Product ID"].starts_with(&device.product.to_string()));
    let guid = device::guid(&mut bmc).await.unwrap().unwrap();
    let theirs = peer.ipmitool(&["mc", "guid"]).await;
    assert_eq!(guid.to_string(), facts(&theirs)["System GUID"]);
    let name = user::name(&mut bmc, 2).await.unwrap();
    assert_eq!(name, "admin");
    user::set_name(&mut bmc, 4, "operator").await.unwrap();
    let users = peer.ipmitool(&["user", "list", "1"]).await;
    assert!(users.contains("4   operator"), "{users}");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn power_and_boot_device_are_what_ipmitool_sees() {
    let (peer, mut bmc) = simulated().await;
    for (order, on) in [(ChassisControl::On, true), (ChassisControl::Off, false)] {
        chassis::control(&mut bmc, order).await.unwrap();
        assert_eq!(chassis::status(&mut bmc).await.unwrap().on, on);
        let theirs = peer.ipmitool(&["chassis", "status"]).await;
        let words = if on { "on" } else { "off" };
        assert_eq!(facts(&theirs)["System Power"], words);
    }
    let devices = [
        (BootFrom::Net, "Force PXE"),
        (BootFrom::Disk, "Force Boot from default Hard-Drive"),
        (BootFrom::Cdrom, "Force Boot from CD/DVD"),
        (BootFrom::Setup, "Force Boot into BIOS Setup"),
    ];
    for (from, words) in devices {
        let wanted = BootOverride {
            from,
            persistent: true,
            uefi: true,
        };
        if let Err(error) = boot::set(&mut bmc, Some(wanted)).await {
            // It has no setup to boot into.
            assert_eq!(from, BootFrom::Setup, "{error}");
            continue;
        }
        let theirs = peer.ipmitool(&["chassis", "bootparam", "get", "5"]).await;
        assert_eq!(
            facts(&theirs.replace("- ", ""))["Boot Device Selector"],
            words
        );
        // It drops the bits for valid, persistent and UEFI.
        assert_eq!(boot::get(&mut bmc).await.unwrap(), None);
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn the_lan_is_configured_as_ipmitool_shows() {
    let (peer, mut bmc) = simulated().await;
    let channel = lan::channel(&mut bmc).await.unwrap();
    assert_eq!((channel.number, channel.is_lan()), (1, true));
    let change = LanChange {
        source: Some(AddressSource::Static),
        address: Some(Ipv4Addr::new(10, 1, 2, 3)),
        netmask: Some(Ipv4Addr::new(255, 255, 0, 0)),
        gateway: Some(Ipv4Addr::new(10, 1, 0, 1)),
        vlan: None,
    };
    lan::set(&mut bmc, channel.number, change).await.unwrap();
    let ours = lan::get(&mut bmc, channel.number).await.unwrap();
    assert_eq!((ours.address, ours.source), (change.address, change.source));
    assert_eq!(
        (ours.netmask, ours.gateway),
        (change.netmask, change.gateway)
    );
    assert_eq!((ours.vlan, ours.mac), (None, None));
    let theirs = peer.ipmitool(&["lan", "print", "1"]).await;
    let theirs = facts(&theirs);
    assert_eq!(theirs["IP Address"], "10.1.2.3");
    assert_eq!(theirs["IP Address Source"], "Static Address");
    assert_eq!(theirs["Subnet Mask"], "255.255.0.0");
    assert_eq!(theirs["Default Gateway IP"], "10.1.0.1");
}
