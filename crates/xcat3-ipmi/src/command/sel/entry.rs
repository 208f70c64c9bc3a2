//! Entries of the event log (IPMI v2.0, 32.1 to 32.3) and their texts.

use super::Timestamp;
use crate::command::firmware;
use crate::command::sdr::{Sensor, SensorKey};
use crate::command::states::{NamedState, SensorType, Severity, named_state};
use crate::command::{Malformed, truncated};
use crate::wire::{Reader, Truncated};

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of the entry.
    pub id: u16,
    /// When the entry was written; `None` for entry types without a timestamp.
    pub time: Option<Timestamp>,
    /// What happened.
    pub body: EntryBody,
}

/// The content of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryBody {
    /// An event of a sensor.
    Sensor(SensorEvent),
    /// An entry of the manufacturer.
    Oem {
        /// Type of the entry, 0xc0 to 0xff.
        entry_type: u8,
        /// Private enterprise number of the manufacturer, if the entry has one.
        manufacturer: Option<u32>,
        /// Data of the entry.
        data: Vec<u8>,
    },
}

/// An event of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SensorEvent {
    /// The sensor.
    pub key: SensorKey,
    /// Type of the sensor.
    pub sensor_type: SensorType,
    /// Event type, as in [`Sensor::event_type`].
    pub event_type: u8,
    /// The state ended.
    pub deasserted: bool,
    /// The threshold or state.
    pub offset: u8,
    /// Second byte of the event data.
    pub second: EventData,
    /// Third byte of the event data.
    pub third: EventData,
}

/// A byte of event data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventData {
    /// No data.
    Unspecified,
    /// For thresholds: the reading (second byte) or the threshold (third byte). Otherwise a previous state or
    /// a severity.
    Standard(u8),
    /// Defined by the manufacturer.
    Oem(u8),
    /// Defined by the sensor type.
    BySensorType(u8),
}

/// Length of an entry in bytes.
const LENGTH: usize = 16;
const SENSOR_EVENT: u8 = 0x02;
const THRESHOLD: u8 = 0x01;

impl Entry {
    /// Parses an entry.
    ///
    /// # Errors
    /// The entry has fewer than 16 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some(entry) = bytes.get(..LENGTH) else {
            return Err(Malformed::new(format!(
                "the entry has {} bytes, not {LENGTH}",
                bytes.len()
            )));
        };
        Self::parse_whole(entry).map_err(truncated("the entry"))
    }

    fn parse_whole(entry: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(entry);
        let (id, entry_type) = (reader.u16()?, reader.u8()?);
        let untimed = reader;
        let time = Some(Timestamp(reader.u32()?));
        let (time, body) = match entry_type {
            0xe0..=0xff => (None, oem(entry_type, None, untimed)),
            0xc0..=0xdf => {
                let [low, middle, high] = reader.array()?;
                let manufacturer = u32::from_le_bytes([low, middle, high, 0]);
                (time, oem(entry_type, Some(manufacturer), reader))
            }
            SENSOR_EVENT => (time, EntryBody::Sensor(SensorEvent::parse(reader)?)),
            _ => (time, oem(entry_type, None, reader)),
        };
        Ok(Self { id, time, body })
    }

    /// The text of the entry. `sensor` is the record of the sensor, if there is one.
    #[must_use]
    pub fn message(&self, sensor: Option<&Sensor>) -> String {
        match &self.body {
            EntryBody::Sensor(event) => event.message(sensor),
            EntryBody::Oem {
                entry_type,
                manufacturer,
                data,
            } => {
                let manufacturer = manufacturer
                    .map(|number| format!(" of manufacturer {number}"))
                    .unwrap_or_default();
                let data = hex::encode(data);
                format!("OEM entry of type {entry_type:#04x}{manufacturer}: {data}")
            }
        }
    }

    /// The severity; `None` if it is unknown.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        match &self.body {
            EntryBody::Sensor(event) => event.severity(),
            EntryBody::Oem { .. } => None,
        }
    }

    /// The sensor, if the entry is an event of one.
    #[must_use]
    pub fn sensor(&self) -> Option<SensorKey> {
        match &self.body {
            EntryBody::Sensor(event) => Some(event.key),
            EntryBody::Oem { .. } => None,
        }
    }
}

fn oem(entry_type: u8, manufacturer: Option<u32>, rest: Reader<'_>) -> EntryBody {
    EntryBody::Oem {
        entry_type,
        manufacturer,
        data: rest.rest().to_vec(),
    }
}

impl SensorEvent {
    fn parse(mut reader: Reader<'_>) -> Result<Self, Truncated> {
        let [owner, channel_lun, _format, sensor_type, number] = reader.array()?;
        let [direction_type, first, second, third] = reader.array()?;
        Ok(Self {
            key: SensorKey {
                owner,
                lun: channel_lun & 3,
                number,
            },
            sensor_type: SensorType(sensor_type),
            event_type: direction_type & 0x7f,
            deasserted: direction_type & 0x80 != 0,
            offset: first & 0x0f,
            second: EventData::new(first >> 6, second),
            third: EventData::new(first >> 4 & 3, third),
        })
    }

    fn state(&self) -> Option<NamedState> {
        named_state(self.sensor_type, self.event_type, self.offset)
    }

    /// The severity; `None` if it is unknown. The end of a state is [`Severity::Ok`].
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        let (_, severity) = self.state()?;
        Some(if self.deasserted {
            Severity::Ok
        } else {
            severity
        })
    }

    fn message(&self, sensor: Option<&Sensor>) -> String {
        let source = match sensor {
            Some(sensor) => sensor.name.clone(),
            None => format!("{} sensor {:#04x}", self.sensor_type, self.key.number),
        };
        let state = match self.state() {
            Some((text, _)) => text.to_owned(),
            None => format!("event {} of type {:#04x}", self.offset, self.event_type),
        };
        let deasserted = if self.deasserted { ", no longer" } else { "" };
        format!("{source}: {state}{deasserted}{}", self.details(sensor))
    }

    /// The event data in parentheses; empty if there is none.
    fn details(&self, sensor: Option<&Sensor>) -> String {
        let details = if self.event_type == THRESHOLD {
            self.threshold_details(sensor)
        } else if let Some(text) = self.firmware_text() {
            text.to_owned()
        } else {
            let bytes = [self.second, self.third].into_iter();
            let shown: Vec<String> = bytes
                .filter_map(|byte| match byte {
                    EventData::Oem(byte) | EventData::BySensorType(byte) => {
                        Some(format!(" {byte:#04x}"))
                    }
                    EventData::Unspecified | EventData::Standard(_) => None,
                })
                .collect();
            if shown.is_empty() {
                String::new()
            } else {
                format!("data{}", shown.concat())
            }
        };
        if details.is_empty() {
            details
        } else {
            format!(" ({details})")
        }
    }

    fn firmware_text(&self) -> Option<&'static str> {
        match (self.sensor_type.0, self.event_type, self.second) {
            (0x0f, 0x6f, EventData::BySensorType(code)) => firmware::text(self.offset, code),
            _ => None,
        }
    }

    /// Reading and threshold, in the sensor's unit if it is known.
    fn threshold_details(&self, sensor: Option<&Sensor>) -> String {
        let unit = sensor.map(|sensor| sensor.units.name()).unwrap_or_default();
        let detail = |name: &str, data: EventData| {
            let EventData::Standard(raw) = data else {
                return None;
            };
            let value = sensor.and_then(|sensor| sensor.conversion?.value(raw));
            Some(match value {
                Some(value) => format!("{name} {} {unit}", rounded(value)),
                None => format!("{name} {raw:#04x}"),
            })
        };
        let details = [
            detail("reading", self.second),
            detail("threshold", self.third),
        ];
        let details: Vec<String> = details.into_iter().flatten().collect();
        details.join(", ")
    }
}

/// A number with at most three decimals.
fn rounded(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl EventData {
    /// `usage` is the two bits that say how the byte is used.
    fn new(usage: u8, byte: u8) -> Self {
        match usage & 3 {
            0 => Self::Unspecified,
            1 => Self::Standard(byte),
            2 => Self::Oem(byte),
            _ => Self::BySensorType(byte),
        }
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
pub(crate) mod tests;
