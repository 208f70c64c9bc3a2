//! The chassis: what it is, and its sensors in the old style (`Thermal`, `Power`), the new one (`Sensors`
//! and subsystems), or both.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::flavour::{Habits, SensorsAt};
use super::resources::{add, collection, head, here, link};
use super::systems::{led, led_set};
use crate::bmc::machine::facts::SUPPLIES;
use crate::bmc::machine::{Machine, Part, Sensor, SensorKind, State};

/// The chassis' resources; `parts` are those of the path behind its id.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    let habits = face.habits(index);
    if parts.is_empty() && *ask.method == Method::PATCH {
        return patch(face, index, &ask.body, &habits);
    }
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    let path = here(ask);
    let machine = face.machine(index);
    let old = habits.sensors != SensorsAt::New;
    let new = habits.sensors != SensorsAt::Old;
    match parts {
        [] => Answer::document(document(&machine, path, &habits)),
        ["Thermal"] if old => Answer::document(thermal(&machine, path)),
        ["Power"] if old => Answer::document(power(&machine, path)),
        ["Sensors"] if new => {
            let ids: Vec<String> = machine.sensors.iter().map(id).collect();
            collection(ask, "Sensor", "Sensors", &ids)
        }
        ["Sensors", wanted] if new => {
            let found = machine.sensors.iter().find(|sensor| id(sensor) == *wanted);
            match found {
                Some(found) => Answer::document(sensor(found, path)),
                None => Answer::not_found(ask.path),
            }
        }
        ["ThermalSubsystem"] if new => {
            let kind = "#ThermalSubsystem.v1_0_0.ThermalSubsystem";
            let mut document = head(path, kind, "ThermalSubsystem", "Thermal Subsystem");
            let metrics = link(&format!("{path}/ThermalMetrics"));
            let status = json!({"State": "Enabled", "Health": "OK"});
            add(
                &mut document,
                json!({"Status": status, "ThermalMetrics": metrics}),
            );
            Answer::document(document)
        }
        ["ThermalSubsystem", "ThermalMetrics"] if new => {
            Answer::document(thermal_metrics(&machine, path))
        }
        ["PowerSubsystem"] if new => {
            let kind = "#PowerSubsystem.v1_1_0.PowerSubsystem";
            let mut document = head(path, kind, "PowerSubsystem", "Power Subsystem");
            let status = json!({"State": "Enabled", "Health": "OK"});
            add(&mut document, json!({"Status": status}));
            Answer::document(document)
        }
        _ => Answer::not_found(ask.path),
    }
}

fn patch(face: &Face, index: usize, body: &Value, habits: &Habits) -> Answer {
    let Some(fields) = body.as_object() else {
        return Answer::missing("LocationIndicatorActive");
    };
    for (name, value) in fields {
        match name.as_str() {
            "IndicatorLED" | "LocationIndicatorActive" => match led_set(name, value, habits.led) {
                Ok(lit) => face.machine(index).beacon = lit,
                Err(answer) => return *answer,
            },
            _ => return Answer::unknown_property(name),
        }
    }
    Answer::empty(204)
}

fn document(machine: &Machine, path: &str, habits: &Habits) -> Value {
    let mut document = head(path, "#Chassis.v1_14_0.Chassis", habits.chassis, "Chassis");
    add(
        &mut document,
        json!({
            "ChassisType": "RackMount",
            "Manufacturer": machine.manufacturer,
            "Model": machine.model,
            "SerialNumber": machine.serial,
            "PartNumber": machine.part_number,
            "AssetTag": machine.asset_tag,
            "PowerState": if machine.power { "On" } else { "Off" },
            "Status": {"State": "Enabled", "Health": "OK"},
            "PhysicalSecurity": {
                "IntrusionSensor": match machine.has_fault(Part::Chassis) {
                    true => "HardwareIntrusion",
                    false => "Normal",
                },
            },
            "Links": {
                "ComputerSystems": [link(&format!("/redfish/v1/Systems/{}", habits.system))],
                "ManagedBy": [link(&format!("/redfish/v1/Managers/{}", habits.manager))],
            },
        }),
    );
    add(&mut document, led(machine.beacon, habits.led));
    let old: &[&str] = &["Thermal", "Power"];
    let new: &[&str] = &["Sensors", "ThermalSubsystem", "PowerSubsystem"];
    let names = match habits.sensors {
        SensorsAt::Old => old.to_vec(),
        SensorsAt::New => new.to_vec(),
        SensorsAt::Both => [old, new].concat(),
    };
    for name in names {
        let target = link(&format!("{path}/{name}"));
        add(&mut document, json!({ name: target }));
    }
    document
}

/// The id of a sensor: its name without blanks.
fn id(sensor: &Sensor) -> String {
    sensor.name.replace(' ', "_")
}

fn health(sensor: &Sensor) -> &'static str {
    if sensor.is_above() { "Critical" } else { "OK" }
}

fn sensor(sensor: &Sensor, path: &str) -> Value {
    let mut document = head(path, "#Sensor.v1_2_0.Sensor", &id(sensor), sensor.name);
    let (kind, units) = match sensor.kind {
        SensorKind::Temperature => ("Temperature", "Cel"),
        SensorKind::Fan => ("Rotational", "RPM"),
        SensorKind::Voltage => ("Voltage", "V"),
        SensorKind::Power => ("Power", "W"),
    };
    add(
        &mut document,
        json!({
            "ReadingType": kind,
            "Reading": sensor.value,
            "ReadingUnits": units,
            "Status": {"State": "Enabled", "Health": health(sensor)},
        }),
    );
    if let Some(upper) = sensor.upper {
        let limits = json!({"UpperCritical": {"Reading": upper}});
        add(&mut document, json!({"Thresholds": limits}));
    }
    document
}

/// The sensors of a kind as members of an array of the old style.
fn members(
    machine: &Machine,
    path: &str,
    array: &str,
    kind: SensorKind,
    reading: &str,
) -> Vec<Value> {
    let sensors = machine.sensors.iter().filter(|sensor| sensor.kind == kind);
    let member = |(number, sensor): (usize, &Sensor)| {
        let mut member = json!({
            "@odata.id": format!("{path}#/{array}/{number}"),
            "MemberId": number.to_string(),
            "Name": sensor.name,
            "Status": {"State": "Enabled", "Health": health(sensor)},
        });
        add(&mut member, json!({ reading: sensor.value }));
        if array == "Fans" {
            add(&mut member, json!({"ReadingUnits": "RPM"}));
        }
        if let Some(upper) = sensor.upper {
            add(&mut member, json!({"UpperThresholdCritical": upper}));
        }
        member
    };
    sensors.enumerate().map(member).collect()
}

fn thermal(machine: &Machine, path: &str) -> Value {
    let mut document = head(path, "#Thermal.v1_6_2.Thermal", "Thermal", "Thermal");
    let celsius = "ReadingCelsius";
    add(
        &mut document,
        json!({
            "Temperatures": members(machine, path, "Temperatures", SensorKind::Temperature, celsius),
            "Fans": members(machine, path, "Fans", SensorKind::Fan, "Reading"),
        }),
    );
    document
}

fn power(machine: &Machine, path: &str) -> Value {
    let mut document = head(path, "#Power.v1_6_1.Power", "Power", "Power");
    let watts = "PowerConsumedWatts";
    add(
        &mut document,
        json!({
            "PowerControl": members(machine, path, "PowerControl", SensorKind::Power, watts),
            "Voltages": members(machine, path, "Voltages", SensorKind::Voltage, "ReadingVolts"),
            "PowerSupplies": supplies(machine, path),
        }),
    );
    document
}

/// The power supplies as members of the old style's array.
fn supplies(machine: &Machine, path: &str) -> Vec<Value> {
    let states = machine.states.iter();
    let states = states.filter(|state| state.part == Part::PowerSupply);
    let member = |state: &State| {
        let number = state.number - 1;
        let (input, health) = supply(state);
        json!({
            "@odata.id": format!("{path}#/PowerSupplies/{number}"),
            "MemberId": number.to_string(),
            "Name": state.name,
            "PowerCapacityWatts": SUPPLIES.1,
            "LineInputVoltage": input,
            "Status": {"State": "Enabled", "Health": health},
        })
    };
    states.map(member).collect()
}

/// Volts at its input, and its health.
const fn supply(state: &State) -> (u32, &'static str) {
    if state.faulty {
        (0, "Critical")
    } else {
        (230, "OK")
    }
}

fn thermal_metrics(machine: &Machine, path: &str) -> Value {
    let kind = "#ThermalMetrics.v1_0_0.ThermalMetrics";
    let mut document = head(path, kind, "ThermalMetrics", "Thermal Metrics");
    let chassis = path.split("/ThermalSubsystem").next().unwrap_or_default();
    let warm = machine.sensors.iter();
    let warm = warm
        .filter(|sensor| sensor.kind == SensorKind::Temperature)
        .map(|sensor| {
            json!({
                "DeviceName": sensor.name,
                "Reading": sensor.value,
                "DataSourceUri": format!("{chassis}/Sensors/{}", id(sensor)),
            })
        });
    let warm: Vec<Value> = warm.collect();
    add(&mut document, json!({"TemperatureReadingsCelsius": warm}));
    document
}
