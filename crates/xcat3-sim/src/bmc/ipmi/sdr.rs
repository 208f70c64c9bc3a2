//! Sensor data records and readings (33, 35, 43), made of the machine's sensors: number n of the records and
//! of the sensors is the machine's n-th sensor.

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE};
use crate::bmc::machine::{Sensor, SensorKind};

const VERSION: u8 = 0x51;
/// Records can be reserved; that is all.
const RESERVES: u8 = 0x02;
/// When the records were made: 2026-01-01.
const MADE: u32 = 1_767_225_600;
const LAST: u16 = 0xffff;
/// The rest of a record.
const WHOLE: u8 = 0xff;
/// The bit of the upper critical threshold.
const UPPER_CRITICAL: u8 = 0x10;

/// How a reading is told: value = (M × raw + B × 10^K1) × 10^K2.
struct Scale {
    sensor_type: u8,
    unit: u8,
    entity: u8,
    multiplier: u8,
    offset: u8,
    /// K2 in the high four bits, K1 in the low ones.
    exponents: u8,
}

/// Values of the model are told exactly: whole degrees and watts, tenths of volts, tens of revolutions
/// from 3000 on.
const fn scale(kind: SensorKind) -> Scale {
    let (sensor_type, unit, entity, multiplier, offset, exponents) = match kind {
        SensorKind::Temperature => (0x01, 1, 0x07, 1, 0, 0),
        SensorKind::Fan => (0x04, 18, 0x1d, 10, 30, 0x02),
        SensorKind::Voltage => (0x02, 4, 0x07, 1, 0, 0xf0),
        SensorKind::Power => (0x0b, 6, 0x13, 1, 0, 0),
    };
    Scale {
        sensor_type,
        unit,
        entity,
        multiplier,
        offset,
        exponents,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn raw(kind: SensorKind, value: f64) -> u8 {
    let raw = match kind {
        SensorKind::Temperature | SensorKind::Power => value,
        SensorKind::Fan => (value - 3000.0) / 10.0,
        SensorKind::Voltage => value * 10.0,
    };
    raw.round().clamp(0.0, 255.0) as u8
}

/// Get SDR Repository Info.
pub(super) fn repository(ask: &mut Ask<'_>) -> Answer {
    let count = u16::try_from(ask.machine().sensors.len()).unwrap_or(0);
    let mut data = vec![VERSION];
    data.extend_from_slice(&count.to_le_bytes());
    // How much is free is not told.
    data.extend_from_slice(&[0xff, 0xff]);
    data.extend_from_slice(&MADE.to_le_bytes());
    data.extend_from_slice(&0_u32.to_le_bytes());
    data.push(RESERVES);
    Ok(data)
}

/// Reserve SDR Repository.
pub(super) fn reserve(ask: &mut Ask<'_>) -> Answer {
    let number = &mut ask.keeps.record_reservation;
    *number = number.wrapping_add(1).max(1);
    Ok(number.to_le_bytes().to_vec())
}

/// Get SDR.
pub(super) fn record(ask: &mut Ask<'_>) -> Answer {
    let [reserved, reserved_high, id, id_high, from, count] = ask.bytes()?;
    let reservation = u16::from_le_bytes([reserved, reserved_high]);
    if reservation != ask.keeps.record_reservation && (reservation != 0 || from != 0) {
        return Err(Completion::RESERVATION);
    }
    let machine = ask.machine();
    let sensors = &machine.sensors;
    let place = match u16::from_le_bytes([id, id_high]) {
        0 => 0,
        LAST => sensors.len().saturating_sub(1),
        id => usize::from(id) - 1,
    };
    let sensor = sensors.get(place).ok_or(Completion::ABSENT)?;
    let next = match u16::try_from(place + 2) {
        Ok(next) if usize::from(next) <= sensors.len() => next,
        _ => LAST,
    };
    let same = |earlier: &&Sensor| earlier.kind == sensor.kind;
    let instance = 1 + sensors[..place].iter().filter(same).count();
    let bytes = full(sensor, place, u8::try_from(instance).unwrap_or(0x7f));
    let rest = bytes.get(usize::from(from)..).ok_or(OUT_OF_RANGE)?;
    let count = match count {
        WHOLE => rest.len(),
        count => rest.len().min(count.into()),
    };
    Ok([&next.to_le_bytes(), &rest[..count]].concat())
}

/// A full sensor record (43.1).
fn full(sensor: &Sensor, place: usize, instance: u8) -> Vec<u8> {
    let number = u8::try_from(place + 1).unwrap_or(u8::MAX);
    let scale = scale(sensor.kind);
    let upper = sensor.upper.map(|upper| raw(sensor.kind, upper));
    let mask = upper.map_or(0, |_| UPPER_CRITICAL);
    let mut body = vec![0x20, 0, number, scale.entity, instance];
    // Initialised; readable thresholds; events: of none.
    body.extend_from_slice(&[0x7f, 0x48, scale.sensor_type, 0x01]);
    body.extend_from_slice(&[0, 0, 0, 0, mask, 0]);
    // Unsigned numbers of this unit, linear.
    body.extend_from_slice(&[0, scale.unit, 0, 0]);
    body.extend_from_slice(&[scale.multiplier, 0, scale.offset, 0, 0, scale.exponents]);
    // Neither nominal nor normal values; most and least that can be told.
    body.extend_from_slice(&[0, 0, 0, 0, 0xff, 0]);
    body.extend_from_slice(&[0, upper.unwrap_or(0), 0, 0, 0, 0]);
    // Hysteresis, reserved, maker.
    body.extend_from_slice(&[0; 5]);
    let name = &sensor.name.as_bytes()[..sensor.name.len().min(16)];
    body.push(0xc0 | u8::try_from(name.len()).unwrap_or(0));
    body.extend_from_slice(name);
    let id = u16::from(number).to_le_bytes();
    let length = u8::try_from(body.len()).unwrap_or(0);
    [&id[..], &[VERSION, 0x01, length], &body].concat()
}

/// Get Sensor Reading.
pub(super) fn reading(ask: &mut Ask<'_>) -> Answer {
    sensor(ask, |sensor| {
        let above = sensor.upper.is_some_and(|upper| sensor.value > upper);
        let state = if above { UPPER_CRITICAL } else { 0 };
        // Scanned, with events.
        vec![raw(sensor.kind, sensor.value), 0xc0, 0xc0 | state]
    })
}

/// Get Sensor Thresholds.
pub(super) fn thresholds(ask: &mut Ask<'_>) -> Answer {
    sensor(ask, |sensor| match sensor.upper {
        Some(upper) => vec![UPPER_CRITICAL, 0, 0, 0, 0, raw(sensor.kind, upper), 0],
        None => vec![0; 7],
    })
}

fn sensor(ask: &Ask<'_>, tell: impl FnOnce(&Sensor) -> Vec<u8>) -> Answer {
    let [number] = ask.bytes()?;
    let machine = ask.machine();
    let place = usize::from(number).checked_sub(1);
    let sensor = place.and_then(|place| machine.sensors.get(place));
    sensor.map(tell).ok_or(Completion::ABSENT)
}
