//! Typed commands on a machine of `ipmi_sim`, compared with ipmitool.

use std::collections::BTreeMap;

use xcat3_ipmi::Connection;
use xcat3_ipmi::command::boot::{self, BootFrom, BootOverride};
use xcat3_ipmi::command::chassis::{self, ChassisControl};
use xcat3_ipmi::command::sdr::{self, Reading, Record, Repository, Sensor, SensorState};
use xcat3_ipmi::command::{Severity, device, fru, lan, sel};

use crate::line::credentials;
use crate::machine;
use crate::peers::Peer;

async fn simulated() -> (Peer, Connection) {
    let chassis = "chassis_control \"./chassis.sh 0x20\"\n";
    let peer = Peer::ipmi_sim(&machine::lines(), chassis).await;
    let connection = peer.connect(credentials()).await.unwrap();
    (peer, connection)
}

/// The fields of lines such as "Board Serial : SN-B".
fn fields(text: &str) -> BTreeMap<&str, &str> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect()
}

async fn sensors(bmc: &mut Connection) -> Vec<Sensor> {
    let (records, problems) = sdr::list(bmc, Repository::Machine).await.unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let sensor = |record| match record {
        Record::Sensor(sensor) => *sensor,
        other => panic!("{other:?}"),
    };
    records.into_iter().map(sensor).collect()
}

/// Name, number, health and reading in the format of ipmitool's `sdr elist`.
fn line(sensor: &Sensor, state: &SensorState) -> [String; 4] {
    let (health, shown) = match state {
        SensorState::Absent(_) => ("ns", "No Reading".to_owned()),
        SensorState::Reading(Reading {
            value: Some(value),
            states,
            ..
        }) => {
            let codes = ["lnr", "lcr", "lnc", "unr", "ucr", "unc"];
            let names = [
                "lower non-r",
                "lower c",
                "lower non-c",
                "upper non-r",
                "upper c",
                "upper non-c",
            ];
            let is_exceeded = |name: &&str| states.iter().any(|state| state.contains(name));
            let worst = names.iter().position(is_exceeded);
            let unit = match &*sensor.units.name() {
                "V" => "Volts".to_owned(),
                unit => unit.to_owned(),
            };
            (
                worst.map_or("ok", |index| codes[index]),
                format!("{} {unit}", (value * 100.0).round() / 100.0),
            )
        }
        SensorState::Reading(reading) => ("ok", reading.states.join(", ")),
    };
    let number = format!("{:X}h", sensor.key.number);
    [sensor.name.clone(), number, health.to_owned(), shown]
}

#[tokio::test]
#[ignore = "real: programs"]
async fn sensors_read_equal_those_of_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    let sensors = sensors(&mut bmc).await;
    let mut ours = Vec::new();
    for sensor in &sensors {
        let state = sdr::read(&mut bmc, sensor).await.unwrap();
        ours.push(line(sensor, &state));
    }
    let theirs = peer.ipmitool(&["sdr", "elist"]).await;
    assert_eq!((ours.len(), theirs.lines().count()), (5, 5), "{theirs}");
    for (ours, theirs) in ours.iter_mut().zip(theirs.lines()) {
        if ours[0] == "PS1 Status" {
            // ipmitool has other texts for these states.
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
async fn inventory_read_equals_that_of_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    let fru = fru::read(&mut bmc, 0).await.unwrap().unwrap();
    assert!(fru.problems.is_empty(), "{:?}", fru.problems);
    let theirs = peer.ipmitool(&["fru", "print", "0"]).await;
    let theirs = fields(&theirs);
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
    assert_eq!(fru::read(&mut bmc, 9).await.unwrap(), None, "no such unit");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn event_log_read_equals_that_of_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    let sensors = sensors(&mut bmc).await;
    let log = sel::list(&mut bmc, 100).await.unwrap();
    let theirs = peer.ipmitool(&["sel", "elist"]).await;
    assert_eq!(
        (log.entries.len(), theirs.lines().count()),
        (2, 2),
        "{theirs}"
    );
    let message = |index: usize| {
        let entry = &log.entries[index];
        let sensor = sensors
            .iter()
            .find(|sensor| Some(sensor.key) == entry.sensor());
        (entry.id, entry.message(sensor), entry.severity())
    };
    let hot = "CPU Temp: upper critical, going high (reading 91 degrees C, threshold 90 degrees C)";
    assert_eq!(message(0), (1, hot.to_owned(), Some(Severity::Critical)));
    let hot = "Upper Critical going high | Asserted | Reading 91 > Threshold 90 degrees C";
    assert!(theirs.contains(hot), "{theirs}");
    let lost = "PS1 Status: input lost (AC or DC)";
    assert_eq!(message(1), (2, lost.to_owned(), Some(Severity::Critical)));
    let lost = "PS1 Status | Power Supply AC lost | Asserted";
    assert!(theirs.contains(lost), "{theirs}");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn event_log_cleared_is_empty_for_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    sel::clear(&mut bmc).await.unwrap();
    assert!(sel::list(&mut bmc, 100).await.unwrap().entries.is_empty());
    assert_eq!(peer.ipmitool(&["sel", "elist"]).await, "");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn device_id_and_guid_equal_those_of_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    let device = device::id(&mut bmc).await.unwrap();
    let theirs = peer.ipmitool(&["mc", "info"]).await;
    let theirs = fields(&theirs);
    assert_eq!(device.firmware_version(), theirs["Firmware Revision"]);
    assert_eq!(device.manufacturer.to_string(), theirs["Manufacturer ID"]);
    assert!(theirs["Product ID"].starts_with(&device.product.to_string()));
    let guid = device::guid(&mut bmc).await.unwrap().unwrap();
    let theirs = peer.ipmitool(&["mc", "guid"]).await;
    assert_eq!(guid.to_string(), fields(&theirs)["System GUID"]);
}

#[tokio::test]
#[ignore = "real: programs"]
async fn mac_address_unset_is_none() {
    let (peer, mut bmc) = simulated().await;
    assert_eq!(lan::mac_address(&mut bmc).await.unwrap(), None);
    let theirs = peer.ipmitool(&["lan", "print", "1"]).await;
    assert_eq!(fields(&theirs)["MAC Address"], "00:00:00:00:00:00");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn power_set_is_reported_by_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    for (action, on) in [(ChassisControl::On, true), (ChassisControl::Off, false)] {
        chassis::control(&mut bmc, action).await.unwrap();
        assert_eq!(chassis::status(&mut bmc).await.unwrap().on, on);
        let theirs = peer.ipmitool(&["chassis", "status"]).await;
        let power = if on { "on" } else { "off" };
        assert_eq!(fields(&theirs)["System Power"], power);
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn boot_device_set_is_reported_by_ipmitool() {
    let (peer, mut bmc) = simulated().await;
    let devices = [
        (BootFrom::Net, "Force PXE"),
        (BootFrom::Disk, "Force Boot from default Hard-Drive"),
        (BootFrom::Cdrom, "Force Boot from CD/DVD"),
        (BootFrom::Setup, "Force Boot into BIOS Setup"),
    ];
    for (from, name) in devices {
        let wanted = BootOverride {
            from,
            persistent: true,
            uefi: true,
        };
        boot::set(&mut bmc, Some(wanted)).await.unwrap();
        let theirs = peer.ipmitool(&["chassis", "bootparam", "get", "5"]).await;
        let theirs = theirs.replace("- ", "");
        assert_eq!(fields(&theirs)["Boot Device Selector"], name);
        // ipmi_sim drops the flags valid, persistent and UEFI.
        assert_eq!(boot::get(&mut bmc).await.unwrap(), None);
    }
}
