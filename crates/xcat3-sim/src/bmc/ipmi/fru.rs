//! The inventory of the machine (34), made of its facts: FRU 0 with chassis, board and product, by the
//! "Platform Management FRU Information Storage Definition" 1.3.

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask};
use crate::bmc::machine::Machine;

/// Format of areas and of the header.
const FORMAT: u8 = 1;
/// English.
const LANGUAGE: u8 = 0x19;
/// No more fields.
const END: u8 = 0xc1;
/// A chassis for a rack.
const RACK: u8 = 0x17;
/// The most that is read at once, bytes.
const AT_ONCE: u8 = 128;

/// Get FRU Inventory Area Info.
pub(super) fn area(ask: &mut Ask<'_>) -> Answer {
    let bytes = inventory(ask)?;
    let [low, high] = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    Ok(vec![low, high, 0])
}

/// Read FRU Data.
pub(super) fn read(ask: &mut Ask<'_>) -> Answer {
    let bytes = inventory(ask)?;
    let [_, low, high, count] = ask.bytes()?;
    let from = usize::from(u16::from_le_bytes([low, high]));
    let rest = bytes.get(from..).filter(|rest| !rest.is_empty());
    let rest = rest.ok_or(super::commands::OUT_OF_RANGE)?;
    let count = rest.len().min(count.min(AT_ONCE).into());
    let said = u8::try_from(count).unwrap_or(AT_ONCE);
    Ok([&[said], &rest[..count]].concat())
}

fn inventory(ask: &Ask<'_>) -> Answer {
    match ask.bytes()? {
        [0] => Ok(bytes(&ask.machine())),
        [_] => Err(Completion::NOT_PRESENT),
    }
}

fn bytes(machine: &Machine) -> Vec<u8> {
    let chassis = area_of(&[RACK], &[&machine.part_number, &machine.serial]);
    // The time of making is not told.
    let board = area_of(
        &[LANGUAGE, 0, 0, 0],
        &[
            &machine.manufacturer,
            &machine.model,
            &machine.serial,
            &machine.part_number,
            "",
        ],
    );
    let product = area_of(
        &[LANGUAGE],
        &[
            &machine.manufacturer,
            &machine.model,
            &machine.part_number,
            &machine.bios_version,
            &machine.serial,
            &machine.asset_tag,
            "",
        ],
    );
    let eighths = |bytes: usize| u8::try_from(bytes / 8).unwrap_or(0);
    let after_chassis = 8 + chassis.len();
    let mut header = vec![
        FORMAT,
        0,
        1,
        eighths(after_chassis),
        eighths(after_chassis + board.len()),
        0,
        0,
    ];
    header.push(checksum(&header));
    [header, chassis, board, product].concat()
}

/// An area: its length in eighths, what it begins with, its fields, and a sum that is zero.
fn area_of(head: &[u8], fields: &[&str]) -> Vec<u8> {
    let mut bytes = [&[FORMAT, 0], head].concat();
    for field in fields {
        let field = &field.as_bytes()[..field.len().min(63)];
        bytes.push(0xc0 | u8::try_from(field.len()).unwrap_or(0));
        bytes.extend_from_slice(field);
    }
    bytes.push(END);
    while bytes.len() % 8 != 7 {
        bytes.push(0);
    }
    bytes[1] = u8::try_from(bytes.len() / 8 + 1).unwrap_or(0);
    bytes.push(checksum(&bytes));
    bytes
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_sub(*byte))
}
