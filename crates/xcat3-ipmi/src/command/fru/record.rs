//! Records that are not text (FRU Information Storage Definition, 16 to 18).

use super::sum;
use crate::command::Malformed;
use crate::wire::{Reader, Short};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiRecord {
    /// What it is, by its number.
    pub kind: u8,
    /// What is in it.
    pub content: Vec<u8>,
}

/// The last one.
const LAST: u8 = 0x80;
/// The most that are read.
const MOST: usize = 64;

const POWER_SUPPLY: u8 = 0x00;
const MANAGEMENT_ACCESS: u8 = 0x03;

impl MultiRecord {
    /// What a power supply can give, in watts.
    #[must_use]
    pub fn watts(&self) -> Option<u16> {
        let bytes = self
            .content
            .first_chunk()
            .filter(|_| self.kind == POWER_SUPPLY)?;
        // Twelve bits.
        Some(u16::from_le_bytes(*bytes) & 0x0fff)
    }

    /// How the machine is managed: what it says (a URL, a name, a UUID), by the kind of it (1 to 7).
    #[must_use]
    pub fn management_access(&self) -> Option<(u8, &[u8])> {
        let (kind, rest) = self.content.split_first()?;
        (self.kind == MANAGEMENT_ACCESS).then_some((*kind, rest))
    }
}

/// All records, up to the last that is whole.
pub(super) fn parse(bytes: &[u8], problems: &mut Vec<Malformed>) -> Vec<MultiRecord> {
    let mut reader = Reader::new(bytes);
    let mut records = Vec::new();
    for number in 1..=MOST {
        match one(&mut reader) {
            Ok((record, is_last)) => {
                records.push(record);
                if is_last {
                    break;
                }
            }
            Err(what) => {
                problems.push(Malformed::new(format!(
                    "record {number} of the inventory {what}"
                )));
                break;
            }
        }
    }
    records
}

/// A record, and whether it is the last.
fn one(reader: &mut Reader<'_>) -> Result<(MultiRecord, bool), &'static str> {
    let short = |Short| "is cut off";
    let header: [u8; 5] = reader.array().map_err(short)?;
    let [kind, format, length, content_sum, _] = header;
    if sum(&header) != 0 {
        return Err("has a wrong checksum of its header");
    }
    let content = reader.take(length.into()).map_err(short)?;
    if sum(content).wrapping_add(content_sum) != 0 {
        return Err("has a wrong checksum");
    }
    let content = content.to_vec();
    Ok((MultiRecord { kind, content }, format & LAST != 0))
}
