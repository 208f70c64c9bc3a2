//! The chassis, board and product areas (FRU Information Storage Definition, 10 to 12).

use super::UNIT;
use crate::command::Malformed;
use crate::command::text::{Encoding, decode, decode_utf16};
use crate::wire::{Reader, Truncated, checksum};

/// A chassis. Missing fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChassisArea {
    /// Chassis type of SMBIOS.
    pub chassis_type: u8,
    /// Part number.
    pub part_number: String,
    /// Serial number.
    pub serial: String,
    /// Fields of the manufacturer.
    pub custom: Vec<String>,
}

/// A board. Missing fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardArea {
    /// Manufacturer.
    pub manufacturer: String,
    /// Product name.
    pub product: String,
    /// Serial number.
    pub serial: String,
    /// Part number.
    pub part_number: String,
    /// Fields of the manufacturer.
    pub custom: Vec<String>,
}

/// A product. Missing fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductArea {
    /// Manufacturer.
    pub manufacturer: String,
    /// Product name.
    pub name: String,
    /// Part or model number.
    pub part_number: String,
    /// Version.
    pub version: String,
    /// Serial number.
    pub serial: String,
    /// Asset tag of the owner.
    pub asset_tag: String,
    /// Fields of the manufacturer.
    pub custom: Vec<String>,
}

/// Type/length byte after the last field.
const END: u8 = 0xc1;
/// The two language codes of English. In other languages a character has two bytes.
const ENGLISH: [u8; 2] = [0, 25];
/// The shortest field with two bytes per character. A shorter one is ASCII (quirk).
const MIN_UTF16: usize = 4;

/// Names of the chassis types.
const CHASSIS_TYPES: [&str; 37] = [
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
    /// Name of the chassis type; empty if it is unknown.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        let name = CHASSIS_TYPES.get(usize::from(self.chassis_type));
        name.copied().unwrap_or("")
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let chassis_type = reader.u8()?;
        let mut fields = Fields::new(reader, ENGLISH[0]);
        Ok(Self {
            chassis_type,
            part_number: fields.next()?,
            serial: fields.next()?,
            custom: fields.rest(),
        })
    }
}

impl BoardArea {
    pub(super) fn parse(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let language = reader.u8()?;
        let _manufacturing_date: [u8; 3] = reader.array()?;
        let mut fields = Fields::new(reader, language);
        let (manufacturer, product) = (fields.next()?, fields.next()?);
        let (serial, part_number) = (fields.next()?, fields.next()?);
        let _file_id = fields.next()?;
        Ok(Self {
            manufacturer,
            product,
            serial,
            part_number,
            custom: fields.rest(),
        })
    }
}

impl ProductArea {
    pub(super) fn parse(content: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(content);
        let language = reader.u8()?;
        let mut fields = Fields::new(reader, language);
        let (manufacturer, name) = (fields.next()?, fields.next()?);
        let (part_number, version) = (fields.next()?, fields.next()?);
        let (serial, asset_tag) = (fields.next()?, fields.next()?);
        let _file_id = fields.next()?;
        Ok(Self {
            manufacturer,
            name,
            part_number,
            version,
            serial,
            asset_tag,
            custom: fields.rest(),
        })
    }
}

/// An area of an inventory.
pub(super) struct Area<'a> {
    name: &'static str,
    /// The bytes after version and length.
    content: &'a [u8],
}

impl<'a> Area<'a> {
    /// Finds the area at this offset and checks its length and checksum; `None` if there is no area.
    pub(super) fn find(
        name: &'static str,
        image: &'a [u8],
        offset: usize,
        problems: &mut Vec<Malformed>,
    ) -> Option<Self> {
        if offset == 0 {
            return None;
        }
        let mut report = |problem: String| {
            problems.push(Malformed::new(format!("the {name} area {problem}")));
        };
        let rest = image.get(offset..).unwrap_or_default();
        let Some([_version, units]) = rest.first_chunk() else {
            let size = image.len();
            report(format!(
                "starts at byte {offset} of an inventory of {size} bytes"
            ));
            return None;
        };
        let length = usize::from(*units) * UNIT;
        let area = &rest[..rest.len().min(length)];
        if area.len() < length {
            let available = area.len();
            report(format!("has length {length}, but {available} bytes follow"));
        } else if checksum(area) != 0 {
            report("has a wrong checksum".to_owned());
        }
        let content = area.get(2..).unwrap_or_default();
        Some(Self { name, content })
    }

    /// Parses the content of the area; `None` and a problem if it is truncated.
    pub(super) fn parse<T>(
        &self,
        parse: impl Fn(&[u8]) -> Result<T, Truncated>,
        problems: &mut Vec<Malformed>,
    ) -> Option<T> {
        let result = parse(self.content);
        if result.is_err() {
            let sentence = format!("the {} area is truncated", self.name);
            problems.push(Malformed::new(sentence));
        }
        result.ok()
    }
}

/// The fields of an area.
struct Fields<'a> {
    reader: Reader<'a>,
    utf16: bool,
    ended: bool,
}

impl<'a> Fields<'a> {
    fn new(reader: Reader<'a>, language: u8) -> Self {
        Self {
            reader,
            utf16: !ENGLISH.contains(&language),
            ended: false,
        }
    }

    /// The next field; empty after the last one.
    fn next(&mut self) -> Result<String, Truncated> {
        if self.ended {
            return Ok(String::new());
        }
        let type_length = self.reader.u8()?;
        if type_length == END {
            self.ended = true;
            return Ok(String::new());
        }
        let bytes = self.reader.bytes(usize::from(type_length & 0x3f))?;
        Ok(match Encoding::from_type_length(type_length) {
            Encoding::EightBit if self.is_utf16(bytes) => decode_utf16(bytes),
            encoding => decode(encoding, bytes),
        })
    }

    /// Whether a field has two bytes per character. Some boards have a language code and ASCII text all the
    /// same (quirk).
    fn is_utf16(&self, bytes: &[u8]) -> bool {
        let is_ascii = bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
        self.utf16 && bytes.len() >= MIN_UTF16 && bytes.len().is_multiple_of(2) && !is_ascii
    }

    /// The remaining fields that are not empty.
    fn rest(mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Ok(field) = self.next() {
            if self.ended {
                break;
            }
            fields.push(field);
        }
        fields.retain(|field| !field.is_empty());
        fields
    }
}
