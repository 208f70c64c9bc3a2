//! Entries of the log (IPMI v2.0, 32.1 to 32.3) and what they say.

use super::Timestamp;
use crate::command::firmware_words;
use crate::command::sdr::{Key, Sensor};
use crate::command::states::{SensorType, Severity, words};
use crate::command::text::hexadecimal;
use crate::command::{Malformed, cut};
use crate::wire::Reader;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: u16,
    /// When it was written; nothing for entries that have no time.
    pub time: Option<Timestamp>,
    /// What it says.
    pub event: EventKind,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An event of a sensor.
    Sensor(Event),
    /// Something that only the maker of the machine can read.
    Maker {
        /// Type of the entry, 0xc0 to 0xff.
        kind: u8,
        /// Whose it is (private enterprise number), where it says that.
        manufacturer: Option<u32>,
        /// What is in it.
        data: Vec<u8>,
    },
}

/// An event of a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which sensor of whom.
    pub key: Key,
    /// What it watches.
    pub sensor_type: SensorType,
    /// How its offset is to be read, as in [`Sensor::event_type`].
    pub event_type: u8,
    /// It is over again.
    pub deasserted: bool,
    /// Which threshold or state.
    pub offset: u8,
    /// The second byte of the event.
    pub second: Data,
    /// The third byte.
    pub third: Data,
}

/// One of the two bytes that tell more of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Nothing.
    Unspecified,
    /// For thresholds: the reading (second byte), or the threshold (third). Otherwise a state before
    /// or a severity.
    Standard(u8),
    /// As its maker defines it.
    Maker(u8),
    /// As the sensor's type defines it.
    BySensorType(u8),
}

/// Bytes of an entry.
const LENGTH: usize = 16;
const SENSOR_EVENT: u8 = 0x02;
const THRESHOLD: u8 = 0x01;

impl Entry {
    /// Reads an entry of sixteen bytes.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes.get(..LENGTH).unwrap_or_default());
        let (id, kind) = match (reader.u16(), reader.u8()) {
            (Ok(id), Ok(kind)) => (id, kind),
            _ => {
                return Err(Malformed::new(format!(
                    "an entry of the event log has {} bytes, not {LENGTH}",
                    bytes.len()
                )));
            }
        };
        let cut = cut("an entry of the event log");
        let time = reader;
        let timestamp = Timestamp(reader.u32().map_err(&cut)?);
        let (time, event) = match kind {
            // Without a time.
            0xe0..=0xff => (None, maker(kind, None, time)),
            0xc0..=0xdf => {
                let [low, middle, high] = reader.array().map_err(&cut)?;
                let manufacturer = u32::from_le_bytes([low, middle, high, 0]);
                (Some(timestamp), maker(kind, Some(manufacturer), reader))
            }
            SENSOR_EVENT => (
                Some(timestamp),
                EventKind::Sensor(Event::parse(reader).map_err(&cut)?),
            ),
            _ => (Some(timestamp), maker(kind, None, reader)),
        };
        Ok(Self { id, time, event })
    }

    /// What it says, in words, `sensor` being the record of the sensor where that is known.
    #[must_use]
    pub fn message(&self, sensor: Option<&Sensor>) -> String {
        match &self.event {
            EventKind::Sensor(event) => event.message(sensor),
            EventKind::Maker {
                kind,
                manufacturer,
                data,
            } => {
                let whose = manufacturer.map(|number| format!(" of manufacturer {number}"));
                let data = hexadecimal(data);
                format!(
                    "entry of type {kind:#04x}{}: {data}",
                    whose.unwrap_or_default()
                )
            }
        }
    }

    /// How bad it is; nothing where that is not known.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        match &self.event {
            EventKind::Sensor(event) => event.severity(),
            EventKind::Maker { .. } => None,
        }
    }

    /// The sensor it is of, where it is of one.
    #[must_use]
    pub fn sensor(&self) -> Option<Key> {
        match &self.event {
            EventKind::Sensor(event) => Some(event.key),
            EventKind::Maker { .. } => None,
        }
    }
}

fn maker(kind: u8, manufacturer: Option<u32>, rest: Reader<'_>) -> EventKind {
    EventKind::Maker {
        kind,
        manufacturer,
        data: rest.rest().to_vec(),
    }
}

impl Event {
    fn parse(mut reader: Reader<'_>) -> Result<Self, crate::wire::Short> {
        let [owner, channel_lun, _format, sensor_type, number] = reader.array()?;
        let [direction_type, first, second, third] = reader.array()?;
        Ok(Self {
            key: Key {
                owner,
                lun: channel_lun & 3,
                number,
            },
            sensor_type: SensorType(sensor_type),
            event_type: direction_type & 0x7f,
            deasserted: direction_type & 0x80 != 0,
            offset: first & 0x0f,
            second: Data::new(first >> 6, second),
            third: Data::new(first >> 4 & 3, third),
        })
    }

    /// How bad it is; nothing where that is not known. What is over is fine.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        let severity = words(self.sensor_type, self.event_type, self.offset).map(|words| words.1);
        severity.map(|severity| {
            if self.deasserted {
                Severity::Ok
            } else {
                severity
            }
        })
    }

    fn message(&self, sensor: Option<&Sensor>) -> String {
        let who = match sensor {
            Some(sensor) => sensor.name.clone(),
            None => format!("{} sensor {:#04x}", self.sensor_type, self.key.number),
        };
        let what = match words(self.sensor_type, self.event_type, self.offset) {
            Some((text, _)) => text.to_owned(),
            None => format!("event {} of type {:#04x}", self.offset, self.event_type),
        };
        let over = if self.deasserted { ", no longer" } else { "" };
        format!("{who}: {what}{over}{}", self.more(sensor))
    }

    /// What the other bytes tell.
    fn more(&self, sensor: Option<&Sensor>) -> String {
        if self.event_type == THRESHOLD {
            return self.limits(sensor);
        }
        if let Some(words) = self.firmware() {
            return format!(" ({words})");
        }
        let bytes = [self.second, self.third];
        let shown = bytes.iter().filter_map(|byte| match byte {
            Data::Maker(byte) | Data::BySensorType(byte) => Some(format!("{byte:#04x}")),
            Data::Unspecified | Data::Standard(_) => None,
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() {
            String::new()
        } else {
            format!(" (data {})", shown.join(" "))
        }
    }

    fn firmware(&self) -> Option<&'static str> {
        match (self.sensor_type.0, self.event_type, self.second) {
            (0x0f, 0x6f, Data::BySensorType(code)) => firmware_words::words(self.offset, code),
            _ => None,
        }
    }

    /// Reading and threshold, in the sensor's units where they are known.
    fn limits(&self, sensor: Option<&Sensor>) -> String {
        let unit = sensor
            .map(|sensor| sensor.units.words())
            .unwrap_or_default();
        let value = |name: &str, data: Data| {
            let Data::Standard(raw) = data else {
                return None;
            };
            let number = sensor.and_then(|sensor| sensor.conversion?.value(raw));
            Some(match number {
                Some(number) => format!("{name} {} {unit}", Shown(number)),
                None => format!("{name} {raw:#04x}"),
            })
        };
        let values = [
            value("reading", self.second),
            value("threshold", self.third),
        ];
        let values: Vec<String> = values.into_iter().flatten().collect();
        if values.is_empty() {
            String::new()
        } else {
            format!(" ({})", values.join(", "))
        }
    }
}

/// A number with three decimals at most.
struct Shown(f64);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.3}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Data {
    /// By the two bits that tell what the byte is.
    fn new(bits: u8, byte: u8) -> Self {
        match bits & 3 {
            0 => Self::Unspecified,
            1 => Self::Standard(byte),
            2 => Self::Maker(byte),
            _ => Self::BySensorType(byte),
        }
    }
}

#[cfg(test)]
#[path = "entry_tests.rs"]
pub(crate) mod tests;
