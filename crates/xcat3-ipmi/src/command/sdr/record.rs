//! The records themselves (IPMI v2.0, 43).

use crate::command::conversion::Conversion;
use crate::command::states::SensorType;
use crate::command::text::{Encoding, decode, decode_utf16};
use crate::command::units::Units;
use crate::command::{Malformed, truncated};
use crate::wire::{Reader, Truncated};

/// A sensor data record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A sensor with readings (full or compact record).
    Sensor(Box<Sensor>),
    /// A sensor without readings, which only generates events.
    EventOnly(Box<Sensor>),
    /// A replaceable unit with an inventory.
    Fru(FruLocator),
    /// Another record, by its type.
    Other(u8),
}

/// Identifies a sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SensorKey {
    /// Address of the controller or number of the software that owns the sensor; 0x20 is the BMC.
    pub owner: u8,
    /// Logical unit of the owner, 0 to 3.
    pub lun: u8,
    /// Number of the sensor.
    pub number: u8,
}

/// A sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Name.
    pub name: String,
    /// Owner and number.
    pub key: SensorKey,
    /// What the sensor monitors.
    pub sensor_type: SensorType,
    /// Event/reading type (42.1): 1 for thresholds, 0x6f for states of the sensor type.
    pub event_type: u8,
    /// Unit of the values.
    pub units: Units,
    /// Conversion of raw readings, if the sensor is numeric.
    pub conversion: Option<Conversion>,
    /// Thresholds of the record (full records only).
    pub(super) thresholds: Option<Thresholds>,
    /// Set if the record describes several sensors, of which this is the first.
    sharing: Option<Sharing>,
}

/// Thresholds as raw readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Bit n: threshold n exists.
    readable: u8,
    /// Lower non-critical, critical, non-recoverable, then the upper ones.
    raw: [u8; 6],
}

/// How several sensors share a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sharing {
    count: u8,
    letters: bool,
    offset: u8,
}

/// Locates the inventory of a replaceable unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FruLocator {
    /// Name of the unit.
    pub name: String,
    /// Address of the controller with the inventory; 0x20 is the BMC.
    pub controller: u8,
    /// Number of the unit or, if it is not logical, address of its memory.
    pub id: u8,
    /// The inventory is read with Read FRU Data, not from the memory directly.
    pub logical: bool,
}

const FULL: u8 = 0x01;
const COMPACT: u8 = 0x02;
const EVENT_ONLY: u8 = 0x03;
const FRU_LOCATOR: u8 = 0x11;

/// Bytes before the content of a record: number, version, type, length.
pub(crate) const HEADER: usize = 5;

impl Record {
    /// Parses a record with its header.
    ///
    /// # Errors
    /// The record is shorter than its header says or its type needs.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let truncated = truncated("the header of a sensor data record");
        let id = reader.u16().map_err(&truncated)?;
        let [_version, record_type, length] = reader.array().map_err(&truncated)?;
        let in_record =
            |sentence: String| Malformed::new(sentence).within(format!("SDR {id:#06x}"));
        let content = reader.bytes(length.into()).map_err(|Truncated| {
            let available = bytes.len() - HEADER;
            in_record(format!("length is {length} bytes, but {available} follow"))
        })?;
        Self::parse_content(record_type, content).map_err(|Truncated| {
            in_record(format!(
                "{length} bytes are too few for record type {record_type:#04x}"
            ))
        })
    }

    fn parse_content(record_type: u8, content: &[u8]) -> Result<Self, Truncated> {
        Ok(match record_type {
            FULL => Self::Sensor(Box::new(Sensor::full(content)?)),
            COMPACT => Self::Sensor(Box::new(Sensor::compact(content)?)),
            EVENT_ONLY => Self::EventOnly(Box::new(Sensor::event_only(content)?)),
            FRU_LOCATOR => Self::Fru(FruLocator::parse(content)?),
            other => Self::Other(other),
        })
    }
}

impl SensorKey {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let [owner, lun, number] = reader.array()?;
        let lun = lun & 3;
        Ok(Self { owner, lun, number })
    }
}

/// The common beginning of full and compact records.
struct Head {
    key: SensorKey,
    sensor_type: SensorType,
    event_type: u8,
    readable: u8,
    units: Units,
}

impl Head {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let key = SensorKey::parse(reader)?;
        let [_entity, _instance, _initialisation, _capabilities] = reader.array()?;
        let [sensor_type, event_type] = reader.array()?;
        let [_assert, _assert_high, _deassert, _deassert_high] = reader.array()?;
        let [readable, _settable] = reader.array()?;
        Ok(Self {
            key,
            sensor_type: SensorType(sensor_type),
            event_type,
            readable: readable & 0x3f,
            units: Units::new(reader.array()?),
        })
    }

    fn sensor(self, name: String) -> Sensor {
        Sensor {
            name,
            key: self.key,
            sensor_type: self.sensor_type,
            event_type: self.event_type,
            units: self.units,
            conversion: None,
            thresholds: None,
            sharing: None,
        }
    }
}

impl Sensor {
    fn full(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let head = Head::parse(&mut reader)?;
        let linearisation = reader.u8()?;
        let factors = reader.array()?;
        let [_flags, _nominal, _most, _least, _maximum, _minimum] = reader.array()?;
        let [unr, uc, unc, lnr, lc, lnc] = reader.array()?;
        // Two bytes of hysteresis, two reserved, one OEM.
        let _: [u8; 5] = reader.array()?;
        let name = name(&mut reader)?;
        let is_threshold = head.event_type == 1;
        let thresholds = is_threshold.then_some(Thresholds {
            readable: head.readable,
            raw: [lnc, lc, lnr, unc, uc, unr],
        });
        let format = head.units.format();
        let conversion =
            format.map(|format| Conversion::from_bytes(format, factors, linearisation));
        Ok(Self {
            conversion,
            thresholds,
            ..head.sensor(name)
        })
    }

    fn compact(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let head = Head::parse(&mut reader)?;
        let sharing = reader.array()?;
        // Two bytes of hysteresis, three reserved, one OEM.
        let _: [u8; 6] = reader.array()?;
        let name = name(&mut reader)?;
        Ok(Self {
            sharing: Sharing::parse(sharing),
            ..head.sensor(name)
        })
    }

    fn event_only(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let key = SensorKey::parse(&mut reader)?;
        let [_entity, _instance, sensor_type, event_type] = reader.array()?;
        // Two bytes of sharing, one reserved, one OEM.
        let _: [u8; 4] = reader.array()?;
        let head = Head {
            key,
            sensor_type: SensorType(sensor_type),
            event_type,
            readable: 0,
            units: Units::NONE,
        };
        Ok(head.sensor(name(&mut reader)?))
    }

    /// Whether the states of the sensor are thresholds.
    #[must_use]
    pub fn is_threshold(&self) -> bool {
        self.event_type == 1
    }

    /// The sensors that the record describes: this one, or one for each shared number with its own name.
    #[must_use]
    pub fn expand(&self) -> Vec<Self> {
        let Some(sharing) = self.sharing else {
            return vec![self.clone()];
        };
        let one = |step: u8| {
            let mut sensor = self.clone();
            sensor.sharing = None;
            sensor.key.number = self.key.number.wrapping_add(step);
            sensor.name.push_str(&sharing.suffix(step));
            sensor
        };
        (0..sharing.count).map(one).collect()
    }
}

impl Thresholds {
    /// The value of threshold `index`; `None` if it does not exist.
    pub(super) fn value(&self, conversion: &Conversion, index: usize) -> Option<f64> {
        let is_readable = self.readable & 1 << index != 0;
        is_readable
            .then(|| conversion.value(self.raw[index]))
            .flatten()
    }
}

impl Sharing {
    fn parse([first, second]: [u8; 2]) -> Option<Self> {
        let count = first & 0x0f;
        (count > 1).then_some(Self {
            count,
            letters: first >> 4 & 3 == 1,
            offset: second & 0x7f,
        })
    }

    fn suffix(self, step: u8) -> String {
        let number = self.offset + step;
        if self.letters {
            char::from(b'A' + number % 26).to_string()
        } else {
            number.to_string()
        }
    }
}

impl FruLocator {
    fn parse(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let [controller, id, access, _channel, _reserved] = reader.array()?;
        let [_type, _modifier, _entity, _instance, _oem] = reader.array()?;
        Ok(Self {
            name: name(&mut reader)?,
            controller: controller & 0xfe,
            id,
            logical: access & 0x80 != 0,
        })
    }
}

/// The name at the end of a record. If its length exceeds the record (quirk), the name ends with the record.
fn name(reader: &mut Reader<'_>) -> Result<String, Truncated> {
    let type_length = reader.u8()?;
    let length = usize::from(type_length & 0x1f);
    let rest = reader.rest();
    let bytes = &rest[..rest.len().min(length)];
    Ok(match Encoding::from_type_length(type_length) {
        Encoding::Unspecified => decode_utf16(bytes),
        encoding => decode(encoding, bytes),
    })
}

#[cfg(test)]
#[path = "record_tests.rs"]
pub(crate) mod tests;
