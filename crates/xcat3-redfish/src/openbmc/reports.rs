//! Sensors, inventory and event log, each from one `enumerate`.

use serde_json::Value;
use xcat3_core::hardware::{
    BmcFacts, Board, EventLog, Firmware, HardwareNic, Health, Inventory, LogEvent, MemoryModule,
    Processor, Sensor, Sensors,
};

use super::Rest;
use super::operations::{is_true, word};
use crate::error::{Error, tame};
use crate::resource::Resource;
use crate::time;

/// Objects of one report that are looked at.
const MOST: usize = 2000;

impl Rest {
    /// Its sensors.
    ///
    /// # Errors
    /// They can't be read.
    pub async fn sensors(&mut self) -> Result<Sensors, Error> {
        let objects = self.enumerate("/sensors").await?;
        Ok(Sensors {
            sensors: objects.iter().map(sensor).collect(),
            notes: Vec::new(),
        })
    }

    /// Its event log, the oldest entry first.
    ///
    /// # Errors
    /// It can't be read.
    pub async fn event_log(&mut self) -> Result<EventLog, Error> {
        let objects = match self.enumerate("/logging/entry").await {
            // An empty log is not there.
            Err(error) if error.is_absent() => Vec::new(),
            objects => objects?,
        };
        let mut entries: Vec<&Resource> = objects.iter().collect();
        entries.sort_by_key(|entry| entry.count("Id"));
        Ok(EventLog {
            events: entries.into_iter().map(event).collect(),
            notes: Vec::new(),
        })
    }

    /// What it is made of.
    ///
    /// # Errors
    /// It can't be read.
    pub async fn inventory(&mut self) -> Result<Inventory, Error> {
        let objects = self.enumerate("/inventory").await?;
        let mut report = Inventory::default();
        for object in &objects {
            if object.at("Present").is_none() || is_true(object.at("Present")) {
                add(&mut report, object);
            }
        }
        match self.enumerate("/software").await {
            Ok(software) => add_software(&mut report, &software),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => report.notes.push(error.to_string()),
        }
        Ok(report)
    }

    /// The objects below `place`, each at its path.
    async fn enumerate(&mut self, place: &str) -> Result<Vec<Resource>, Error> {
        let all = self.get(&format!("{place}/enumerate")).await?;
        let objects = all.value().as_object().into_iter().flatten();
        let objects = objects.filter(|(_, object)| object.is_object());
        let placed =
            |(path, object): (&String, &Value)| Resource::part(object.clone()).placed(path);
        Ok(objects.take(MOST).map(placed).collect())
    }
}

/// The last part of its path.
fn end(object: &Resource) -> &str {
    object.path.rsplit('/').next().unwrap_or_default()
}

fn sensor(object: &Resource) -> Sensor {
    let folder = object.path.rsplit('/').nth(1).unwrap_or_default();
    let unit = match word(object, "Unit") {
        Some("DegreesC") => Some("degrees C".to_owned()),
        Some("RPMS") => Some("RPM".to_owned()),
        Some("Volts") => Some("V".to_owned()),
        Some("Amperes") => Some("A".to_owned()),
        Some("Watts") => Some("W".to_owned()),
        Some("Percent") => Some("%".to_owned()),
        Some(other) => Some(tame(other, 40)),
        None => None,
    };
    let scale = object.number("Scale").unwrap_or(0.0).clamp(-12.0, 12.0);
    // Divided, since 0.001 is no exact number and 1000 is.
    let value = object.number("Value").map(|value| match scale < 0.0 {
        true => value / 10_f64.powf(-scale),
        false => value * 10_f64.powf(scale),
    });
    let alarms = |level: &str| {
        ["High", "Low"]
            .iter()
            .any(|side| is_true(object.at(&format!("{level}Alarm{side}"))))
    };
    let told = [
        "CriticalAlarmHigh",
        "WarningAlarmHigh",
        "CriticalAlarmLow",
        "WarningAlarmLow",
    ];
    let health = match () {
        () if alarms("Critical") => Health::Critical,
        () if alarms("Warning") => Health::Warning,
        () if told.iter().any(|name| object.at(name).is_some()) => Health::Ok,
        () => Health::Unknown,
    };
    Sensor {
        name: tame(&end(object).replace('_', " "), 100),
        kind: Some(match folder {
            "fan_tach" | "fan_pwm" => "fan".to_owned(),
            other => tame(other, 40),
        }),
        value,
        unit: unit.filter(|_| value.is_some()),
        health,
        state: None,
    }
}

fn event(entry: &Resource) -> LogEvent {
    let severity = match word(entry, "Severity") {
        Some("Emergency" | "Alert" | "Critical" | "Error") => Health::Critical,
        Some("Warning" | "Notice") => Health::Warning,
        Some("Informational" | "Debug") => Health::Ok,
        _ => Health::Unknown,
    };
    let source = entry.texts("AdditionalData").into_iter().find_map(|text| {
        let (name, value) = text.split_once('=')?;
        ["CALLOUT_INVENTORY_PATH", "SENSOR", "SENSOR_PATH"]
            .contains(&name)
            .then(|| tame(value.rsplit('/').next().unwrap_or_default(), 100))
    });
    LogEvent {
        id: tame(end(entry), 40),
        time: entry.count("Timestamp").map(|ms| time::rfc3339(ms / 1000)),
        severity,
        source: source.filter(|source| !source.is_empty()),
        message: tame(entry.text("Message").unwrap_or_default(), 400),
    }
}

fn add(report: &mut Inventory, object: &Resource) {
    let name = tame(end(object), 100);
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match kind {
        "system" => {
            report.manufacturer = object.words("Manufacturer");
            report.model = object.words("Model");
            report.serial = object.words("SerialNumber");
            report.part_number = object.words("PartNumber");
            report.asset_tag = object.words("AssetTag");
            report.uuid = object.words("UUID").map(|uuid| uuid.to_lowercase());
        }
        "cpu" => report.processors.push(Processor {
            name,
            model: object.words("Model").or_else(|| object.words("PrettyName")),
            ..Processor::default()
        }),
        "dimm" => report.memory.push(MemoryModule {
            slot: name,
            manufacturer: object.words("Manufacturer"),
            part_number: object.words("PartNumber"),
            serial: object.words("SerialNumber"),
            ..MemoryModule::default()
        }),
        "ethernet" if object.path.contains("/bmc/") => {
            report.bmc.get_or_insert_default().mac = mac(object);
        }
        "ethernet" => report.nics.push(HardwareNic {
            name,
            mac: mac(object),
            ..HardwareNic::default()
        }),
        "bmc" => {
            let bmc: &mut BmcFacts = report.bmc.get_or_insert_default();
            bmc.manufacturer = object.words("Manufacturer");
            bmc.model = object.words("Model");
        }
        _ if object.text("SerialNumber").is_some() => report.boards.push(Board {
            name,
            manufacturer: object.words("Manufacturer"),
            product: object.words("PrettyName"),
            serial: object.words("SerialNumber"),
            part_number: object.words("PartNumber"),
            version: object.words("Version"),
            fields: Vec::new(),
        }),
        _ => {}
    }
}

fn mac(object: &Resource) -> Option<String> {
    object.words("MACAddress").map(|mac| mac.to_lowercase())
}

/// The firmware that runs; what lies in wait beside it does not.
fn add_software(report: &mut Inventory, software: &[Resource]) {
    let is_active = |image: &&Resource| matches!(word(image, "Activation"), None | Some("Active"));
    for image in software.iter().filter(is_active) {
        let (Some(purpose), Some(version)) = (word(image, "Purpose"), image.words("Version"))
        else {
            continue;
        };
        match purpose {
            "BMC" => report.bmc.get_or_insert_default().firmware = Some(version.clone()),
            "Host" => report.bios_version = Some(version.clone()),
            _ => {}
        }
        report.firmware.push(Firmware {
            name: tame(purpose, 40),
            version: Some(version),
        });
    }
}
