//! The objects of D-Bus that a machine has, with their properties, made anew for each request.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::bmc::machine::facts;
use crate::bmc::machine::{Machine, Sensor, SensorKind, Severity};
use crate::bmc::redfish::face::Face;
use crate::bmc::redfish::words;

/// Objects by path.
pub(super) type Objects = BTreeMap<String, Map<String, Value>>;

/// Where all objects are.
pub(super) const ROOT: &str = "/xyz/openbmc_project";
/// The LED that finds a machine.
pub(super) const IDENTIFY: &str = "/xyz/openbmc_project/led/groups/enclosure_identify";

/// All objects of a machine.
pub(super) fn objects(face: &Face, index: usize) -> Objects {
    let machine = face.machine(index);
    let mut objects = Objects::new();
    state(&mut objects, &machine);
    boot(&mut objects, &machine);
    inventory(&mut objects, &machine);
    for sensor in &machine.sensors {
        add_sensor(&mut objects, sensor);
    }
    logging(&mut objects, &machine);
    add(
        &mut objects,
        "/led/groups/enclosure_identify",
        json!({"Asserted": machine.beacon}),
    );
    software(&mut objects, &machine);
    objects
}

fn add(objects: &mut Objects, path: &str, properties: Value) {
    if let Value::Object(properties) = properties {
        objects.insert(format!("{ROOT}{path}"), properties);
    }
}

fn state(objects: &mut Objects, machine: &Machine) {
    let host = if machine.power { "Running" } else { "Off" };
    let power = if machine.power { "On" } else { "Off" };
    let word = |kind: &str, value: &str| format!("xyz.openbmc_project.State.{kind}.{value}");
    add(
        objects,
        "/state/host0",
        json!({
            "CurrentHostState": word("Host.HostState", host),
            "RequestedHostTransition": word("Host.Transition", power),
            "AttemptsLeft": 3,
            "BootProgress": "xyz.openbmc_project.State.Boot.Progress.ProgressStages.Unspecified",
        }),
    );
    add(
        objects,
        "/state/chassis0",
        json!({
            "CurrentPowerState": word("Chassis.PowerState", power),
            "RequestedPowerTransition": word("Chassis.Transition", power),
        }),
    );
    add(
        objects,
        "/state/bmc0",
        json!({
            "CurrentBMCState": word("BMC.BMCState", "Ready"),
            "RequestedBMCTransition": word("BMC.Transition", "None"),
        }),
    );
}

fn boot(objects: &mut Objects, machine: &Machine) {
    let set = words::override_of(machine);
    let (mode, source) = words_of(set.target);
    let once = set.enabled == "Once";
    let properties = |holds: bool| {
        let (mode, source) = if holds {
            (mode, source)
        } else {
            ("Regular", "Default")
        };
        json!({
            "BootMode": format!("xyz.openbmc_project.Control.Boot.Mode.Modes.{mode}"),
            "BootSource": format!("xyz.openbmc_project.Control.Boot.Source.Sources.{source}"),
        })
    };
    add(objects, "/control/host0/boot", properties(!once));
    let mut one_time = properties(once);
    one_time["Enabled"] = Value::from(once);
    add(objects, "/control/host0/boot/one_time", one_time);
}

/// Mode and source for a boot target.
fn words_of(target: &str) -> (&'static str, &'static str) {
    match target {
        "Pxe" => ("Regular", "Network"),
        "Hdd" => ("Regular", "Disk"),
        "Cd" => ("Regular", "ExternalMedia"),
        "BiosSetup" => ("Setup", "Default"),
        "UefiHttp" => ("Regular", "HTTP"),
        _ => ("Regular", "Default"),
    }
}

fn inventory(objects: &mut Objects, machine: &Machine) {
    add(
        objects,
        "/inventory/system",
        json!({
            "Manufacturer": machine.manufacturer,
            "Model": machine.model,
            "PartNumber": machine.part_number,
            "SerialNumber": machine.serial,
            "AssetTag": machine.asset_tag,
            "UUID": machine.uuid,
            "Present": true,
            "PrettyName": "System",
        }),
    );
    let board = "/inventory/system/chassis/motherboard";
    add(
        objects,
        board,
        json!({
            "Manufacturer": machine.manufacturer,
            "PartNumber": machine.part_number,
            "SerialNumber": machine.serial,
            "Present": true,
            "PrettyName": "System Board",
        }),
    );
    for number in 0..facts::PROCESSORS.0 {
        add(
            objects,
            &format!("{board}/cpu{number}"),
            json!({
                "Functional": true,
                "Present": true,
                "PrettyName": facts::PROCESSOR,
                "Manufacturer": machine.manufacturer,
            }),
        );
    }
    for number in 0..facts::MODULES.0 {
        add(
            objects,
            &format!("{board}/dimm{number}"),
            json!({
                "Functional": true,
                "Present": true,
                "PrettyName": "Memory Module",
                "Manufacturer": machine.manufacturer,
                "SerialNumber": format!("{}-M{}", machine.serial, number + 1),
            }),
        );
    }
    for (number, mac) in machine.macs.iter().enumerate() {
        add(
            objects,
            &format!("{board}/ethernet{number}"),
            json!({"MACAddress": mac, "Present": true, "PrettyName": "Ethernet"}),
        );
    }
    add(
        objects,
        &format!("{board}/boxelder/bmc"),
        json!({"Manufacturer": machine.manufacturer, "Present": true, "PrettyName": "BMC"}),
    );
    add(
        objects,
        &format!("{board}/boxelder/bmc/ethernet"),
        json!({"MACAddress": machine.bmc_mac, "Present": true, "PrettyName": "BMC Ethernet"}),
    );
}

fn add_sensor(objects: &mut Objects, sensor: &Sensor) {
    let (folder, unit) = match sensor.kind {
        SensorKind::Temperature => ("temperature", "DegreesC"),
        SensorKind::Fan => ("fan_tach", "RPMS"),
        SensorKind::Voltage => ("voltage", "Volts"),
        SensorKind::Power => ("power", "Watts"),
    };
    // Thousandths, as old OpenBMC has them, but for what turns.
    let scale: i32 = if folder == "fan_tach" { 0 } else { -3 };
    let scaled = |value: f64| (value * 10_f64.powi(-scale)).round();
    let name = sensor.name.replace(' ', "_");
    let mut properties = json!({
        "Value": whole(scaled(sensor.value)),
        "Scale": scale,
        "Unit": format!("xyz.openbmc_project.Sensor.Value.Unit.{unit}"),
    });
    if let Some(upper) = sensor.upper {
        properties["CriticalHigh"] = whole(scaled(upper));
        properties["CriticalAlarmHigh"] = Value::from(sensor.value > upper);
    }
    add(objects, &format!("/sensors/{folder}/{name}"), properties);
}

/// A number without a fraction.
#[allow(clippy::cast_possible_truncation)]
fn whole(value: f64) -> Value {
    Value::from(value as i64)
}

fn logging(objects: &mut Objects, machine: &Machine) {
    add(objects, "/logging", json!({}));
    for event in &machine.events {
        let level = match event.severity {
            Severity::Critical => "Critical",
            Severity::Warning => "Warning",
            Severity::Ok => "Informational",
        };
        add(
            objects,
            &format!("/logging/entry/{}", event.id),
            json!({
                "Id": event.id,
                "Message": event.message,
                "Severity": format!("xyz.openbmc_project.Logging.Entry.Level.{level}"),
                "Timestamp": event.time.saturating_mul(1000),
                "Resolved": false,
                "AdditionalData": [format!("SENSOR={}", event.source)],
            }),
        );
    }
}

fn software(objects: &mut Objects, machine: &Machine) {
    for (id, purpose, version) in [
        ("5a1c0e9b", "BMC", words::BMC_FIRMWARE),
        ("d0b4f3a2", "Host", machine.bios_version.as_str()),
    ] {
        add(
            objects,
            &format!("/software/{id}"),
            json!({
                "Activation": "xyz.openbmc_project.Software.Activation.Activations.Active",
                "Purpose":
                    format!("xyz.openbmc_project.Software.Version.VersionPurpose.{purpose}"),
                "Version": version,
                "Priority": 0,
            }),
        );
    }
}
