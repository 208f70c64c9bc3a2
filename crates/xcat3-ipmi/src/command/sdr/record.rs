//! The records themselves (IPMI v2.0, 43).

use crate::command::conversion::Conversion;
use crate::command::states::SensorType;
use crate::command::text::{Encoding, decode, wide};
use crate::command::units::Units;
use crate::command::{Malformed, cut};
use crate::wire::{Reader, Short};

/// A record of the repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number.
    pub id: u16,
    /// What it is about.
    pub kind: Kind,
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A sensor that can be read (full or compact record).
    Sensor(Box<Sensor>),
    /// A sensor that only tells events.
    EventOnly(EventOnly),
    /// A replaceable unit of which there is an inventory.
    Fru(FruLocator),
    /// Another management controller.
    Controller(ControllerLocator),
    /// Something else, by its type.
    Other(u8),
}

/// Whose sensor it is, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Address of the controller that has it, or number of the software; 0x20 is the BMC.
    pub owner: u8,
    /// The owner's logical unit, 0 to 3.
    pub lun: u8,
    /// The sensor's number there.
    pub number: u8,
}

/// A sensor that can be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Its name.
    pub name: String,
    /// Which it is.
    pub key: Key,
    /// What it belongs to: a kind of part, and which of them (43.14).
    pub entity: (u8, u8),
    /// What it watches.
    pub sensor_type: SensorType,
    /// How its states are to be read: 1 by thresholds, 0x6f by its type, else by 42.1.
    pub event_type: u8,
    /// In what it measures.
    pub units: Units,
    /// How its readings become values, where it gives numbers.
    pub conversion: Option<Conversion>,
    /// Thresholds as they stand in the record, raw (full records only).
    pub thresholds: Option<ThresholdBytes>,
    /// How many sensors the record stands for, this one first.
    shared: Option<Sharing>,
}

/// Thresholds as raw readings, and which of them there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThresholdBytes {
    /// A bit for each: lower non-critical, critical, non-recoverable, then the upper ones.
    pub readable: u8,
    /// In the same order.
    pub raw: [u8; 6],
}

/// A record that stands for several sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sharing {
    count: u8,
    letters: bool,
    offset: u8,
    entities_count_up: bool,
}

/// A sensor that only tells events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventOnly {
    /// Its name.
    pub name: String,
    /// Which it is.
    pub key: Key,
    /// What it watches.
    pub sensor_type: SensorType,
    /// How its states are to be read.
    pub event_type: u8,
}

/// A replaceable unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FruLocator {
    /// Its name.
    pub name: String,
    /// Address of the controller that has its inventory; 0x20 is the BMC.
    pub controller: u8,
    /// Number of the unit there, or (where it is not logical) the address of its memory.
    pub id: u8,
    /// It is read by the command Read FRU Data, not by talking to the memory.
    pub logical: bool,
    /// What it is part of.
    pub entity: (u8, u8),
}

/// Another management controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerLocator {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: u8,
    /// Its channel.
    pub channel: u8,
}

const FULL: u8 = 0x01;
const COMPACT: u8 = 0x02;
const EVENT_ONLY: u8 = 0x03;
const FRU_LOCATOR: u8 = 0x11;
const CONTROLLER_LOCATOR: u8 = 0x12;

/// Bytes before the contents of a record: number, version, type, length.
pub(crate) const HEADER: usize = 5;

impl Record {
    /// Reads a record, header and all.
    ///
    /// # Errors
    /// It is shorter than it says, or than its type has to be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let head = cut("the header of a sensor data record");
        let id = reader.u16().map_err(&head)?;
        let [_version, kind, length] = reader.array().map_err(&head)?;
        let place = |problem: Malformed| problem.within(format!("sensor data record {id:#06x}"));
        let content = reader.take(length.into()).map_err(|Short| {
            let there = bytes.len() - HEADER;
            place(Malformed::new(format!(
                "it says {length} bytes and has {there}"
            )))
        })?;
        let kind = Kind::parse(kind, content).map_err(|Short| {
            let sentence = format!("{length} bytes are too few for type {kind:#04x}");
            place(Malformed::new(sentence))
        })?;
        Ok(Self { id, kind })
    }
}

impl Kind {
    fn parse(kind: u8, content: &[u8]) -> Result<Self, Short> {
        Ok(match kind {
            FULL => Self::Sensor(Box::new(Sensor::full(content)?)),
            COMPACT => Self::Sensor(Box::new(Sensor::compact(content)?)),
            EVENT_ONLY => Self::EventOnly(EventOnly::parse(content)?),
            FRU_LOCATOR => Self::Fru(FruLocator::parse(content)?),
            CONTROLLER_LOCATOR => Self::Controller(ControllerLocator::parse(content)?),
            other => Self::Other(other),
        })
    }
}

impl Key {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Short> {
        let [owner, lun, number] = reader.array()?;
        let lun = lun & 3;
        Ok(Self { owner, lun, number })
    }
}

/// What full and compact records begin with.
struct Head {
    key: Key,
    entity: (u8, u8),
    sensor_type: SensorType,
    event_type: u8,
    readable: u8,
    units: Units,
}

impl Head {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, Short> {
        let key = Key::parse(reader)?;
        let [entity, instance, _initialisation, _capabilities] = reader.array()?;
        let [sensor_type, event_type] = reader.array()?;
        let [_assert, _assert_high, _deassert, _deassert_high] = reader.array()?;
        let [readable, _settable] = reader.array()?;
        Ok(Self {
            key,
            entity: (entity, instance & 0x7f),
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
            entity: self.entity,
            sensor_type: self.sensor_type,
            event_type: self.event_type,
            units: self.units,
            conversion: None,
            thresholds: None,
            shared: None,
        }
    }
}

impl Sensor {
    fn full(content: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(content);
        let head = Head::parse(&mut reader)?;
        let linearisation = reader.u8()?;
        let factors = reader.array()?;
        let [_flags, _nominal, _most, _least, _maximum, _minimum] = reader.array()?;
        let [unr, uc, unc, lnr, lc, lnc] = reader.array()?;
        // Two of hysteresis, two reserved, one for the maker.
        let _: [u8; 5] = reader.array()?;
        let name = name(&mut reader)?;
        let is_threshold = head.event_type == 1;
        let thresholds = is_threshold.then_some(ThresholdBytes {
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

    fn compact(content: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(content);
        let head = Head::parse(&mut reader)?;
        let sharing = reader.array()?;
        // Two of hysteresis, three reserved, one for the maker.
        let _: [u8; 6] = reader.array()?;
        let name = name(&mut reader)?;
        Ok(Self {
            shared: Sharing::parse(sharing),
            ..head.sensor(name)
        })
    }

    /// Whether its states are those of thresholds.
    #[must_use]
    pub fn is_threshold(&self) -> bool {
        self.event_type == 1
    }

    /// The sensors that the record stands for: itself, or one for each number, named in their order.
    #[must_use]
    pub fn each(&self) -> Vec<Self> {
        let Some(sharing) = self.shared else {
            return vec![self.clone()];
        };
        let one = |step: u8| {
            let mut sensor = self.clone();
            sensor.shared = None;
            sensor.key.number = self.key.number.wrapping_add(step);
            sensor.name.push_str(&sharing.suffix(step));
            if sharing.entities_count_up {
                sensor.entity.1 = self.entity.1.wrapping_add(step);
            }
            sensor
        };
        (0..sharing.count).map(one).collect()
    }
}

impl Sharing {
    fn parse([first, second]: [u8; 2]) -> Option<Self> {
        let count = first & 0x0f;
        (count > 1).then_some(Self {
            count,
            letters: first >> 4 & 3 == 1,
            offset: second & 0x7f,
            entities_count_up: second & 0x80 != 0,
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

impl EventOnly {
    /// The same as a sensor that never reads, so that its events can be told by its name.
    #[must_use]
    pub fn as_sensor(&self) -> Sensor {
        Sensor {
            name: self.name.clone(),
            key: self.key,
            entity: (0, 0),
            sensor_type: self.sensor_type,
            event_type: self.event_type,
            // No numbers.
            units: Units::new([0xc0, 0, 0]),
            conversion: None,
            thresholds: None,
            shared: None,
        }
    }

    fn parse(content: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(content);
        let key = Key::parse(&mut reader)?;
        let [_entity, _instance, sensor_type, event_type] = reader.array()?;
        // Two of sharing, one reserved, one for the maker.
        let _: [u8; 4] = reader.array()?;
        Ok(Self {
            name: name(&mut reader)?,
            key,
            sensor_type: SensorType(sensor_type),
            event_type,
        })
    }
}

impl FruLocator {
    fn parse(content: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(content);
        let [controller, id, access, _channel, _reserved] = reader.array()?;
        let [_type, _modifier, entity, instance, _maker] = reader.array()?;
        Ok(Self {
            name: name(&mut reader)?,
            controller: controller & 0xfe,
            id,
            logical: access & 0x80 != 0,
            entity: (entity, instance & 0x7f),
        })
    }
}

impl ControllerLocator {
    fn parse(content: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(content);
        let [address, channel] = reader.array()?;
        // Power state, capabilities, three reserved, entity and instance, one for the maker.
        let _: [u8; 8] = reader.array()?;
        Ok(Self {
            name: name(&mut reader)?,
            address: address & 0xfe,
            channel: channel & 0x0f,
        })
    }
}

/// A name at the end of a record. One that claims more than is there (quirk) is what is there.
fn name(reader: &mut Reader<'_>) -> Result<String, Short> {
    let type_length = reader.u8()?;
    let length = usize::from(type_length & 0x1f);
    let rest = reader.rest();
    let bytes = &rest[..rest.len().min(length)];
    Ok(match Encoding::of(type_length) {
        Encoding::Unspecified => wide(bytes),
        encoding => decode(encoding, bytes),
    })
}

#[cfg(test)]
#[path = "record_tests.rs"]
pub(crate) mod tests;
