//! The three areas of text (FRU Information Storage Definition, 10 to 12).

use super::{STEP, sum};
use crate::command::Malformed;
use crate::command::text::{Encoding, decode, wide};
use crate::wire::{Reader, Short};

/// About a chassis. Fields that are not there are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChassisArea {
    /// What it is, as SMBIOS numbers it.
    pub kind: u8,
    /// Part number.
    pub part_number: String,
    /// Serial number.
    pub serial: String,
    /// What its maker added.
    pub custom: Vec<String>,
}

/// About a board. Fields that are not there are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardArea {
    /// When it was made, in seconds since 1970.
    pub made: Option<u64>,
    /// Who made it.
    pub manufacturer: String,
    /// What it is.
    pub product: String,
    /// Serial number.
    pub serial: String,
    /// Part number.
    pub part_number: String,
    /// Which file the inventory was made from.
    pub file: String,
    /// What its maker added.
    pub custom: Vec<String>,
}

/// About a product. Fields that are not there are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductArea {
    /// Who made it.
    pub manufacturer: String,
    /// What it is.
    pub name: String,
    /// Part number or model.
    pub part_number: String,
    /// Version.
    pub version: String,
    /// Serial number.
    pub serial: String,
    /// What its owner wrote on it.
    pub asset_tag: String,
    /// Which file the inventory was made from.
    pub file: String,
    /// What its maker added.
    pub custom: Vec<String>,
}

/// 1996-01-01, from which the minutes of a board count, in seconds since 1970.
const EPOCH: u64 = 820_454_400;
/// No more fields.
const END: u8 = 0xc1;
/// English, by two numbers. In all other languages a character is two bytes.
const ENGLISH: [u8; 2] = [0, 25];
/// A field of two bytes a character has at least this many; less is ASCII all the same (quirk).
const WIDE: usize = 4;

const CHASSIS: [&str; 37] = [
    "",
    "other",
    "unknown",
    "desktop",
    "low-profile desktop",
    "pizza box",
    "mini tower",
    "tower",
    "portable",
    "laptop",
    "notebook",
    "hand-held",
    "docking station",
    "all in one",
    "sub-notebook",
    "space-saving",
    "lunch box",
    "main server chassis",
    "expansion chassis",
    "sub-chassis",
    "bus expansion chassis",
    "peripheral chassis",
    "RAID chassis",
    "rack-mount chassis",
    "sealed-case PC",
    "multi-system chassis",
    "CompactPCI",
    "AdvancedTCA",
    "blade",
    "blade enclosure",
    "tablet",
    "convertible",
    "detachable",
    "IoT gateway",
    "embedded PC",
    "mini PC",
    "stick PC",
];

impl ChassisArea {
    /// What it is, in words; empty where it does not say.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        CHASSIS.get(usize::from(self.kind)).copied().unwrap_or("")
    }

    pub(super) fn parse(area: &Area<'_>) -> Result<Self, Short> {
        let mut reader = Reader::new(area.content);
        let kind = reader.u8()?;
        let mut fields = Fields::new(reader, 0);
        Ok(Self {
            kind,
            part_number: fields.next()?,
            serial: fields.next()?,
            custom: fields.rest(),
        })
    }
}

impl BoardArea {
    pub(super) fn parse(area: &Area<'_>) -> Result<Self, Short> {
        let mut reader = Reader::new(area.content);
        let language = reader.u8()?;
        let [low, middle, high] = reader.array()?;
        let minutes = u32::from_le_bytes([low, middle, high, 0]);
        let is_set = !matches!(minutes, 0 | 0x00ff_ffff);
        let mut fields = Fields::new(reader, language);
        Ok(Self {
            made: is_set.then(|| EPOCH + 60 * u64::from(minutes)),
            manufacturer: fields.next()?,
            product: fields.next()?,
            serial: fields.next()?,
            part_number: fields.next()?,
            file: fields.next()?,
            custom: fields.rest(),
        })
    }
}

impl ProductArea {
    pub(super) fn parse(area: &Area<'_>) -> Result<Self, Short> {
        let mut reader = Reader::new(area.content);
        let language = reader.u8()?;
        let mut fields = Fields::new(reader, language);
        Ok(Self {
            manufacturer: fields.next()?,
            name: fields.next()?,
            part_number: fields.next()?,
            version: fields.next()?,
            serial: fields.next()?,
            asset_tag: fields.next()?,
            file: fields.next()?,
            custom: fields.rest(),
        })
    }
}

/// An area of the image.
pub(super) struct Area<'a> {
    name: &'static str,
    /// What follows version and length, up to where the area ends.
    content: &'a [u8],
}

impl<'a> Area<'a> {
    /// The area at this offset; nothing where there is none.
    pub(super) fn find(
        name: &'static str,
        image: &'a [u8],
        at: usize,
        problems: &mut Vec<Malformed>,
    ) -> Option<Self> {
        if at == 0 {
            return None;
        }
        let mut tell =
            |what: String| problems.push(Malformed::new(format!("the {name} area {what}")));
        let rest = image.get(at..).unwrap_or_default();
        let Some([_version, steps]) = rest.first_chunk() else {
            tell(format!(
                "begins at byte {at} of an inventory of {} bytes",
                image.len()
            ));
            return None;
        };
        let length = usize::from(*steps) * STEP;
        let area = &rest[..rest.len().min(length)];
        if area.len() < length {
            tell(format!("says {length} bytes and has {}", area.len()));
        } else if sum(area) != 0 {
            tell("has a wrong checksum".to_owned());
        }
        let content = area.get(2..).unwrap_or_default();
        Some(Self { name, content })
    }

    /// What was read, or a problem more.
    pub(super) fn keep<T>(
        &self,
        read: Result<T, Short>,
        problems: &mut Vec<Malformed>,
    ) -> Option<T> {
        let problem = || Malformed::new(format!("the {} area is cut off", self.name));
        read.map_err(|Short| problems.push(problem())).ok()
    }
}

/// The fields of an area.
struct Fields<'a> {
    reader: Reader<'a>,
    wide: bool,
    over: bool,
}

impl<'a> Fields<'a> {
    fn new(reader: Reader<'a>, language: u8) -> Self {
        Self {
            reader,
            wide: !ENGLISH.contains(&language),
            over: false,
        }
    }

    /// The next field; empty after the last.
    fn next(&mut self) -> Result<String, Short> {
        if self.over {
            return Ok(String::new());
        }
        let type_length = self.reader.u8()?;
        if type_length == END {
            self.over = true;
            return Ok(String::new());
        }
        let bytes = self.reader.take(usize::from(type_length & 0x3f))?;
        Ok(match Encoding::of(type_length) {
            Encoding::EightBit if self.is_wide(bytes) => wide(bytes),
            encoding => decode(encoding, bytes),
        })
    }

    /// Quirk: boards say a language and are in ASCII all the same, so a field counts as two bytes a
    /// character only where that makes sense.
    fn is_wide(&self, bytes: &[u8]) -> bool {
        let is_ascii = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
        self.wide && bytes.len() >= WIDE && bytes.len().is_multiple_of(2) && !is_ascii
    }

    /// What is left of them.
    fn rest(mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Ok(field) = self.next() {
            if self.over {
                break;
            }
            fields.push(field);
        }
        fields.retain(|field| !field.is_empty());
        fields
    }
}
