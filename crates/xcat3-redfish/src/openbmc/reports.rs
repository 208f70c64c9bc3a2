//! Sensors, inventory and event log, each from one `enumerate`.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use xcat3_core::hardware::{
    BmcFacts, Board, EventLog, Firmware, HardwareNic, Health, Inventory, LogEvent, MemoryModule,
    Processor, Sensor, Sensors,
};

use super::Rest;
use super::operations::{enum_value, is_true};
use crate::error::{Error, or_note, sanitize};
use crate::resource::Resource;

/// The most objects in one report that are read.
const MAX_OBJECTS: usize = 2000;

impl Rest {
    /// The sensors.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn sensors(&mut self) -> Result<Sensors, Error> {
        let objects = self.enumerate("/sensors").await?;
        Ok(Sensors {
            sensors: objects.iter().map(sensor).collect(),
            notes: Vec::new(),
        })
    }

    /// The event log, the oldest entry first.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn event_log(&mut self) -> Result<EventLog, Error> {
        let objects = match self.enumerate("/logging/entry").await {
            // An empty log does not exist.
            Err(error) if error.is_not_found() => Vec::new(),
            objects => objects?,
        };
        let mut entries: Vec<&Resource> = objects.iter().collect();
        entries.sort_by_key(|entry| entry.count("Id"));
        Ok(EventLog {
            events: entries.into_iter().map(event).collect(),
            notes: Vec::new(),
        })
    }

    /// The inventory.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn inventory(&mut self) -> Result<Inventory, Error> {
        let objects = self.enumerate("/inventory").await?;
        let mut report = Inventory::default();
        for object in &objects {
            if object.value_at("Present").is_none() || is_true(object.value_at("Present")) {
                add(&mut report, object);
            }
        }
        let software = self.enumerate("/software").await;
        let software = or_note(software, &mut report.notes)?;
        add_software(&mut report, &software.unwrap_or_default());
        Ok(report)
    }

    /// The objects below `object`, each with its path.
    async fn enumerate(&mut self, object: &str) -> Result<Vec<Resource>, Error> {
        let all = self.get(&format!("{object}/enumerate")).await?;
        let objects = all.value().as_object().into_iter().flatten();
        let objects = objects.filter(|(_, object)| object.is_object());
        let with_path = |(path, object): (&String, &Value)| {
            Resource::from_value(object.clone()).with_path(path)
        };
        Ok(objects.take(MAX_OBJECTS).map(with_path).collect())
    }
}

/// The last component of the object's path.
fn last_component(object: &Resource) -> &str {
    object.path.rsplit('/').next().unwrap_or_default()
}

fn sensor(object: &Resource) -> Sensor {
    let folder = object.path.rsplit('/').nth(1).unwrap_or_default();
    let unit = match enum_value(object, "Unit") {
        Some("DegreesC") => Some("degrees C".to_owned()),
        Some("RPMS") => Some("RPM".to_owned()),
        Some("Volts") => Some("V".to_owned()),
        Some("Amperes") => Some("A".to_owned()),
        Some("Watts") => Some("W".to_owned()),
        Some("Percent") => Some("%".to_owned()),
        Some(other) => Some(sanitize(other, 40)),
        None => None,
    };
    let scale = object.number("Scale").unwrap_or(0.0).clamp(-12.0, 12.0);
    // A division, since 1000 is an exact number and 0.001 is not.
    let value = object.number("Value").map(|value| match scale < 0.0 {
        true => value / 10_f64.powf(-scale),
        false => value * 10_f64.powf(scale),
    });
    let alarms = |level: &str| {
        ["High", "Low"]
            .iter()
            .any(|side| is_true(object.value_at(&format!("{level}Alarm{side}"))))
    };
    let alarm_properties = [
        "CriticalAlarmHigh",
        "WarningAlarmHigh",
        "CriticalAlarmLow",
        "WarningAlarmLow",
    ];
    let health = match () {
        () if alarms("Critical") => Health::Critical,
        () if alarms("Warning") => Health::Warning,
        () if alarm_properties
            .iter()
            .any(|name| object.value_at(name).is_some()) =>
        {
            Health::Ok
        }
        () => Health::Unknown,
    };
    Sensor {
        name: sanitize(&last_component(object).replace('_', " "), 100),
        kind: Some(match folder {
            "fan_tach" | "fan_pwm" => "fan".to_owned(),
            other => sanitize(other, 40),
        }),
        value,
        unit: unit.filter(|_| value.is_some()),
        health,
        state: None,
    }
}

fn event(entry: &Resource) -> LogEvent {
    let severity = match enum_value(entry, "Severity") {
        Some("Emergency" | "Alert" | "Critical" | "Error") => Health::Critical,
        Some("Warning" | "Notice") => Health::Warning,
        Some("Informational" | "Debug") => Health::Ok,
        _ => Health::Unknown,
    };
    let source = entry.texts("AdditionalData").into_iter().find_map(|text| {
        let (name, value) = text.split_once('=')?;
        ["CALLOUT_INVENTORY_PATH", "SENSOR", "SENSOR_PATH"]
            .contains(&name)
            .then(|| sanitize(value.rsplit('/').next().unwrap_or_default(), 100))
    });
    LogEvent {
        id: sanitize(last_component(entry), 40),
        time: entry.count("Timestamp").and_then(|ms| rfc3339(ms / 1000)),
        severity,
        source: source.filter(|source| !source.is_empty()),
        message: sanitize(entry.text("Message").unwrap_or_default(), 400),
    }
}

/// Seconds since 1970 as UTC in RFC 3339.
fn rfc3339(seconds: u64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    time.format(&Rfc3339).ok()
}

fn add(report: &mut Inventory, object: &Resource) {
    let name = sanitize(last_component(object), 100);
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match kind {
        "system" => {
            report.manufacturer = object.short_text("Manufacturer");
            report.model = object.short_text("Model");
            report.serial = object.short_text("SerialNumber");
            report.part_number = object.short_text("PartNumber");
            report.asset_tag = object.short_text("AssetTag");
            report.uuid = object.short_text("UUID").map(|uuid| uuid.to_lowercase());
        }
        "cpu" => report.processors.push(Processor {
            name,
            model: object
                .short_text("Model")
                .or_else(|| object.short_text("PrettyName")),
            ..Processor::default()
        }),
        "dimm" => report.memory.push(MemoryModule {
            slot: name,
            manufacturer: object.short_text("Manufacturer"),
            part_number: object.short_text("PartNumber"),
            serial: object.short_text("SerialNumber"),
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
            bmc.manufacturer = object.short_text("Manufacturer");
            bmc.model = object.short_text("Model");
        }
        _ if object.text("SerialNumber").is_some() => report.boards.push(Board {
            name,
            manufacturer: object.short_text("Manufacturer"),
            product: object.short_text("PrettyName"),
            serial: object.short_text("SerialNumber"),
            part_number: object.short_text("PartNumber"),
            version: object.short_text("Version"),
            fields: Vec::new(),
        }),
        _ => {}
    }
}

fn mac(object: &Resource) -> Option<String> {
    object
        .short_text("MACAddress")
        .map(|mac| mac.to_lowercase())
}

/// Adds the running firmware, without images that are only stored.
fn add_software(report: &mut Inventory, software: &[Resource]) {
    let is_active =
        |image: &&Resource| matches!(enum_value(image, "Activation"), None | Some("Active"));
    for image in software.iter().filter(is_active) {
        let (Some(purpose), Some(version)) =
            (enum_value(image, "Purpose"), image.short_text("Version"))
        else {
            continue;
        };
        match purpose {
            "BMC" => report.bmc.get_or_insert_default().firmware = Some(version.clone()),
            "Host" => report.bios_version = Some(version.clone()),
            _ => {}
        }
        report.firmware.push(Firmware {
            name: sanitize(purpose, 40),
            version: Some(version),
        });
    }
}
