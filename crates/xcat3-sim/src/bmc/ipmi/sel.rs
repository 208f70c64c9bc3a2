//! The system event log (31, 32): the events of the machine's log as entries of sixteen bytes. An entry has
//! no room for the event's sentence: it tells a kind of part and how bad it is.

use std::time::{SystemTime, UNIX_EPOCH};

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE};
use super::sdr;
use crate::bmc::machine::{Event, Happening, MOST_EVENTS, Severity};

const VERSION: u8 = 0x51;
const RESERVES: u8 = 0x02;
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
/// States are those of thresholds.
const BY_THRESHOLD: u8 = 0x01;
const OVER: u8 = 0x80;
/// "Upper critical, going high", with reading and threshold told.
const WENT_HIGH: u8 = 0x50 | 0x09;
/// Of what the log can: old entries make room, one entry can be deleted.
const OVERFLOW: u8 = 0x80;
const DELETES: u8 = 0x08;

fn now() -> u32 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
}

/// Get SEL Info.
pub(super) fn log(ask: &mut Ask<'_>) -> Answer {
    let (count, added, overflow) = {
        let machine = ask.machine();
        let last = machine.events.last().map_or(0, |event| event.time);
        let overflow = if machine.events_lost { OVERFLOW } else { 0 };
        (machine.events.len(), last, overflow)
    };
    let le = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes();
    let mut data = vec![VERSION];
    data.extend_from_slice(&le(count));
    data.extend_from_slice(&le((MOST_EVENTS - count) * LENGTH));
    let added = u32::try_from(added).unwrap_or(u32::MAX);
    data.extend_from_slice(&added.to_le_bytes());
    data.extend_from_slice(&ask.keeps.log_erased.to_le_bytes());
    data.push(RESERVES | DELETES | overflow);
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
        return Err(Completion::RESERVATION_CANCELLED);
    }
    let machine = ask.machine();
    let events = &machine.events;
    let place = place(events, [id, id_high])?;
    let event = events.get(place).ok_or(Completion::NOT_PRESENT)?;
    let next = events.get(place + 1).map_or(LAST, number);
    let bytes = bytes(event);
    let rest = bytes.get(usize::from(from)..).ok_or(OUT_OF_RANGE)?;
    let count = match count {
        WHOLE => rest.len(),
        count => rest.len().min(count.into()),
    };
    Ok([&next.to_le_bytes(), &rest[..count]].concat())
}

/// Delete SEL Entry.
pub(super) fn delete(ask: &mut Ask<'_>) -> Answer {
    let [reserved, reserved_high, id, id_high] = ask.bytes()?;
    let reservation = u16::from_le_bytes([reserved, reserved_high]);
    if reservation != ask.keeps.log_reservation && reservation != 0 {
        return Err(Completion::RESERVATION_CANCELLED);
    }
    let mut machine = ask.machine();
    let place = place(&machine.events, [id, id_high])?;
    let deleted = machine.events.remove(place);
    Ok(number(&deleted).to_le_bytes().to_vec())
}

/// Where the entry of that number is; 0 is the first, 0xffff the last.
fn place(events: &[Event], id: [u8; 2]) -> Result<usize, Completion> {
    let place = match u16::from_le_bytes(id) {
        0 => Some(0).filter(|_| !events.is_empty()),
        LAST => events.len().checked_sub(1),
        id => events.iter().position(|event| number(event) == id),
    };
    place.ok_or(Completion::NOT_PRESENT)
}

/// Clear SEL.
pub(super) fn clear(ask: &mut Ask<'_>) -> Answer {
    let [reserved, reserved_high, c, l, r, what] = ask.bytes()?;
    if u16::from_le_bytes([reserved, reserved_high]) != ask.keeps.log_reservation {
        return Err(Completion::RESERVATION_CANCELLED);
    }
    if [c, l, r] != *b"CLR" {
        return Err(OUT_OF_RANGE);
    }
    match what {
        0xaa => {
            ask.machine().clear_log();
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
    let mut bytes = [0xff; LENGTH];
    bytes[..2].copy_from_slice(&number(event).to_le_bytes());
    bytes[2] = SENSOR_EVENT;
    let time = u32::try_from(event.time).unwrap_or(u32::MAX);
    bytes[3..7].copy_from_slice(&time.to_le_bytes());
    bytes[7..10].copy_from_slice(&[0x20, 0x00, FORMAT]);
    bytes[10..].copy_from_slice(&told(event));
    bytes
}

/// Type and number of the sensor (0: none of the records), type of the event (with the bit for "over"),
/// which state, and more of it.
fn told(event: &Event) -> [u8; 6] {
    let over = |is_over: bool| if is_over { OVER } else { 0 };
    match event.what {
        // Event logging disabled: the log was cleared.
        Happening::Cleared => [0x10, 0, BY_TYPE, 0x02, 0xff, 0xff],
        // System ACPI power state: S0, or S4 or S5 without a difference.
        Happening::Power(true) => [0x22, 0, BY_TYPE, 0x00, 0xff, 0xff],
        Happening::Power(false) => [0x22, 0, BY_TYPE, 0x06, 0xff, 0xff],
        // System boot initiated: by a restart.
        Happening::Restarted => [0x1d, 0, BY_TYPE, 0x07, 0xff, 0xff],
        Happening::Threshold {
            sensor,
            kind,
            reading,
            upper,
            above,
        } => {
            let [reading, upper] = [reading, upper].map(|value| sdr::raw(kind, value));
            let direction = BY_THRESHOLD | over(!above);
            let sensor = sdr::number(sensor);
            let sensor_type = sdr::scale(kind).sensor_type;
            [sensor_type, sensor, direction, WENT_HIGH, reading, upper]
        }
        Happening::Fault {
            state,
            part,
            begins,
        } => {
            let (sensor_type, fault) = sdr::part(part);
            let sensor = sdr::number_of_state(state);
            let direction = BY_TYPE | over(!begins);
            [sensor_type, sensor, direction, fault, 0xff, 0xff]
        }
        // A system event: fine, not so fine, critical.
        Happening::Other => {
            let how = match event.severity {
                Severity::Ok => 0,
                Severity::Warning => 1,
                Severity::Critical => 2,
            };
            [0x12, 0, BY_SEVERITY, how, 0xff, 0xff]
        }
    }
}
