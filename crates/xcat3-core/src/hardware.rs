//! What control drivers report of machines: inventory, sensors, event log, BIOS attributes and virtual
//! media, in one shape whatever the driver.
//!
//! All of it is what a BMC said. A field that the BMC does not have is left out; what could not be
//! read, and why, is in the `notes`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest report, in bytes of JSON.
pub const LONGEST_REPORT: usize = 1 << 20;

/// A report as JSON text, of one of the shapes of this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(Box<str>);

/// It can't be a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    /// More than [`LONGEST_REPORT`].
    #[error("what it reports is too long: {0} bytes, where {LONGEST_REPORT} are allowed")]
    TooLong(usize),
    /// It is no JSON.
    #[error("what it reports cannot be told: {0}")]
    NoJson(String),
}

impl Report {
    /// The report that says this.
    ///
    /// # Errors
    /// It is longer than [`LONGEST_REPORT`], or can't be JSON.
    pub fn of(what: &impl Serialize) -> Result<Self, NoReport> {
        let json =
            serde_json::to_string(what).map_err(|error| NoReport::NoJson(error.to_string()))?;
        Self::fitting(json)
    }

    /// The report with this text.
    ///
    /// # Errors
    /// It is no JSON, or too long.
    pub fn parse(json: String) -> Result<Self, NoReport> {
        serde_json::from_str::<serde::de::IgnoredAny>(&json)
            .map_err(|error| NoReport::NoJson(error.to_string()))?;
        Self::fitting(json)
    }

    fn fitting(json: String) -> Result<Self, NoReport> {
        if json.len() > LONGEST_REPORT {
            return Err(NoReport::TooLong(json.len()));
        }
        Ok(Self(json.into_boxed_str()))
    }

    /// Its text.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.0
    }
}

/// How something is, by the BMC's own judgement.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It didn't say.
    #[default]
    Unknown,
    /// As it should be.
    Ok,
    /// Needs attention.
    Warning,
    /// Needs attention now.
    Critical,
}

/// What a machine is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its part number or stock-keeping unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// What its owner wrote on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_tag: Option<String>,
    /// Its UUID, as the operating system sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Version of its BIOS or UEFI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bios_version: Option<String>,
    /// Its BMC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bmc: Option<BmcFacts>,
    /// Memory in all, in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Its processors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<Processor>,
    /// Its memory modules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<MemoryModule>,
    /// Its disks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drives: Vec<Drive>,
    /// Its network interfaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<HardwareNic>,
    /// What firmware is on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub firmware: Vec<Firmware>,
    /// UEFI Secure Boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_boot: Option<SecureBoot>,
    /// Its replaceable units (FRU), as IPMI tells them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub boards: Vec<Board>,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BmcFacts {
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its firmware's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// The MAC address of its LAN channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// A processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Processor {
    /// Its socket.
    pub name: String,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Highest clock rate, in MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mhz: Option<u32>,
}

/// A memory module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryModule {
    /// Its slot.
    pub slot: String,
    /// Its size in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mib: Option<u64>,
    /// `DDR5`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Clock rate, in MHz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mhz: Option<u32>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Its part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Drive {
    /// Its place.
    pub name: String,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// `SSD`, `HDD`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// `NVMe`, `SAS`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HardwareNic {
    /// What the BMC calls it.
    pub name: String,
    /// Its MAC address, lower-case with colons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Whether it has a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<bool>,
    /// Its speed in Mbit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbps: Option<u64>,
}

/// A firmware.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Firmware {
    /// Of what.
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// UEFI Secure Boot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecureBoot {
    /// Whether it was in force at the last boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `UserMode`, `SetupMode`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

/// A field-replaceable unit (FRU).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Board {
    /// What the BMC calls it.
    pub name: String,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its part number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_number: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whatever else it says of itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

/// A BMC that was found at an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FoundBmc {
    /// Where.
    pub address: String,
    /// What it speaks: `IPMI 2.0`, `Redfish 1.15`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Who made the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Its UUID, as the operating system sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The BMC itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bmc: Option<BmcFacts>,
    /// SHA-256 of the certificate that it showed, where that is trusted because it was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// MAC addresses of the machine's network interfaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<String>,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The sensors of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sensors {
    /// In the BMC's order.
    pub sensors: Vec<Sensor>,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A sensor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sensor {
    /// What the BMC calls it.
    pub name: String,
    /// `temperature`, `fan`, `voltage`, `current`, `power`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What it reads, in `unit`. None of a discrete sensor, or where there is no reading now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// `degrees C`, `RPM`, `V`, `A`, `W`, `%`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Against its thresholds.
    pub health: Health,
    /// The state of a discrete sensor, or why there is no reading, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The event log of a machine (IPMI: SEL).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventLog {
    /// The oldest first.
    pub events: Vec<LogEvent>,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// An entry of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogEvent {
    /// The BMC's own name of the entry.
    pub id: String,
    /// When, by the BMC's clock (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How bad.
    pub severity: Health,
    /// What it is about: a sensor, a component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What happened.
    pub message: String,
}

/// The BIOS attributes of a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bios {
    /// As they are in force.
    pub attributes: BTreeMap<String, Value>,
    /// Those that change at the next boot, and to what.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pending: BTreeMap<String, Value>,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The virtual drives of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Media {
    /// In the BMC's order.
    pub slots: Vec<MediaSlot>,
    /// What could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A virtual drive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MediaSlot {
    /// What the BMC calls it.
    pub name: String,
    /// What may be in it: `CD`, `DVD`, `USBStick`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The image in it, without what may be secret in its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether something is in it.
    pub inserted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_only_what_is_known() {
        let inventory = Inventory {
            serial: Some("S1".to_owned()),
            ..Inventory::default()
        };
        let report = Report::of(&inventory).unwrap();
        assert_eq!(report.json(), r#"{"serial":"S1"}"#);
        assert_eq!(Report::parse(report.json().to_owned()), Ok(report));
    }

    #[test]
    fn what_is_too_long_or_no_json_is_no_report() {
        let long = "x".repeat(LONGEST_REPORT);
        assert_eq!(
            Report::of(&long),
            Err(NoReport::TooLong(LONGEST_REPORT + 2))
        );
        assert!(matches!(
            Report::parse("{".to_owned()),
            Err(NoReport::NoJson(_))
        ));
    }
}
