//! The system event log (31, 32): the events of the machine's log as entries of sixteen bytes. An entry has
//! no room for the event's sentence: it tells a kind of part and how bad it is.

use std::time::{SystemTime, UNIX_EPOCH};

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE};
use crate::bmc::machine::{Event, Severity};

const VERSION: u8 = 0x51;
const RESERVES: u8 = 0x02;
/// The most entries of a log; where there are more, the latest are told.
const MOST: usize = 4096;
const LENGTH: usize = 16;
const LAST: u16 = 0xffff;
const WHOLE: u8 = 0xff;
/// An event of a sensor, in the format of IPMI v2.0.
const SENSOR_EVENT: u8 = 0x02;
const FORMAT: u8 = 0x04;
/// States are those of the sensor's type.
const BY_TYPE: u8 = 0x6f;
/// States are how bad it is.
const BY_SEVERITY: u8 = 0x07;
const OVER: u8 = 0x80;

fn now() -> u32 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
}

/// Get SEL Info.
pub(super) fn log(ask: &mut Ask<'_>) -> Answer {
    let (count, added) = {
        let machine = ask.machine();
        let last = machine.events.last().map_or(0, |event| event.time);
        (machine.events.len().min(MOST), last)
    };
    let le = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes();
    let mut data = vec![VERSION];
    data.extend_from_slice(&le(count));
    data.extend_from_slice(&le((MOST - count) * LENGTH));
    let added = u32::try_from(added).unwrap_or(u32::MAX);
    data.extend_from_slice(&added.to_le_bytes());
    data.extend_from_slice(&ask.keeps.log_erased.to_le_bytes());
    data.push(RESERVES);
    Ok(data)
}

/// Reserve SEL.
pub(super) fn reserve(ask: &mut Ask<'_>) -> Answer {
    let number = &mut ask.keeps.log_reservation;
    *number = number.wrapping_add(1).max(1);
    Ok(number.to_le_bytes().to_vec())
}

/// Get SEL Time.
pub(super) fn time(_: &mut Ask<'_>) -> Answer {
    Ok(now().to_le_bytes().to_vec())
}

/// Get SEL Entry.
pub(super) fn entry(ask: &mut Ask<'_>) -> Answer {
    let [reserved, reserved_high, id, id_high, from, count] = ask.bytes()?;
    let reservation = u16::from_le_bytes([reserved, reserved_high]);
    if reservation != ask.keeps.log_reservation && (reservation != 0 || from != 0) {
        return Err(Completion::RESERVATION);
    }
    let machine = ask.machine();
    let events = &machine.events[machine.events.len().saturating_sub(MOST)..];
    let place = match u16::from_le_bytes([id, id_high]) {
        0 => Some(0),
        LAST => events.len().checked_sub(1),
        id => events.iter().position(|event| number(event) == id),
    };
    let place = place.ok_or(Completion::ABSENT)?;
    let event = events.get(place).ok_or(Completion::ABSENT)?;
    let next = events.get(place + 1).map_or(LAST, number);
    let bytes = bytes(event);
    let rest = bytes.get(usize::from(from)..).ok_or(OUT_OF_RANGE)?;
    let count = match count {
        WHOLE => rest.len(),
        count => rest.len().min(count.into()),
    };
    Ok([&next.to_le_bytes(), &rest[..count]].concat())
}

/// Clear SEL.
pub(super) fn clear(ask: &mut Ask<'_>) -> Answer {
    let [reserved, reserved_high, c, l, r, what] = ask.bytes()?;
    if u16::from_le_bytes([reserved, reserved_high]) != ask.keeps.log_reservation {
        return Err(Completion::RESERVATION);
    }
    if [c, l, r] != *b"CLR" {
        return Err(OUT_OF_RANGE);
    }
    match what {
        0xaa => {
            ask.machine().events.clear();
            ask.keeps.log_erased = now();
        }
        // How far it is.
        0x00 => {}
        _ => return Err(OUT_OF_RANGE),
    }
    // It is done.
    Ok(vec![1])
}

/// The number of an entry: 1 to 0xfffe.
fn number(event: &Event) -> u16 {
    let number = event.id % u32::from(LAST);
    u16::try_from(number).unwrap_or(1).max(1)
}

fn bytes(event: &Event) -> [u8; LENGTH] {
    let (sensor_type, kind, offset) = state(event);
    let mut bytes = [0xff; LENGTH];
    bytes[..2].copy_from_slice(&number(event).to_le_bytes());
    bytes[2] = SENSOR_EVENT;
    let time = u32::try_from(event.time).unwrap_or(u32::MAX);
    bytes[3..7].copy_from_slice(&time.to_le_bytes());
    bytes[7..10].copy_from_slice(&[0x20, 0x00, FORMAT]);
    // No sensor of the records: number 0.
    bytes[10..14].copy_from_slice(&[sensor_type, 0x00, kind, offset]);
    bytes
}

/// Type of the sensor, type of the event (with the bit for "over"), and which state.
fn state(event: &Event) -> (u8, u8, u8) {
    let is_ok = event.severity == Severity::Ok;
    if event.source == "SEL" && is_ok {
        // Event logging disabled: the log was cleared.
        return (0x10, BY_TYPE, 0x02);
    }
    if event.source.starts_with("PS") {
        // Power supply: its input is lost.
        let over = if is_ok { OVER } else { 0 };
        return (0x08, BY_TYPE | over, 0x03);
    }
    // A system event: fine, not so fine, critical.
    let how = match event.severity {
        Severity::Ok => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
    };
    (0x12, BY_SEVERITY, how)
}
