//! Sensor data records and readings (33, 35, 43), made of the machine's sensors and then of the states of
//! its parts: number n of the records and of the sensors is the n-th of these.

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE};
use crate::bmc::machine::{Part, Sensor, SensorKind, State};

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
pub(super) struct Scale {
    pub(super) sensor_type: u8,
    unit: u8,
    entity: u8,
    multiplier: u8,
    offset: u8,
    /// K2 in the high four bits, K1 in the low ones.
    exponents: u8,
}

/// Values of the model are told exactly: whole degrees, tenths of volts, forties of revolutions, even
/// watts.
pub(super) const fn scale(kind: SensorKind) -> Scale {
    let (sensor_type, unit, entity, multiplier, offset, exponents) = match kind {
        SensorKind::Temperature => (0x01, 1, 0x07, 1, 0, 0),
        SensorKind::Fan => (0x04, 18, 0x1d, 40, 0, 0),
        SensorKind::Voltage => (0x02, 4, 0x07, 1, 0, 0xf0),
        SensorKind::Power => (0x0b, 6, 0x13, 2, 0, 0),
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
pub(super) fn raw(kind: SensorKind, value: f64) -> u8 {
    let raw = match kind {
        SensorKind::Temperature => value,
        SensorKind::Power => value / 2.0,
        SensorKind::Fan => value / 40.0,
        SensorKind::Voltage => value * 10.0,
    };
    raw.round().clamp(0.0, 255.0) as u8
}

/// Get SDR Repository Info.
pub(super) fn repository(ask: &mut Ask<'_>) -> Answer {
    let count = {
        let machine = ask.machine();
        machine.sensors.len() + machine.states.len()
    };
    let count = u16::try_from(count).unwrap_or(0);
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
        return Err(Completion::RESERVATION_CANCELLED);
    }
    let machine = ask.machine();
    let all = machine.sensors.len() + machine.states.len();
    let place = match u16::from_le_bytes([id, id_high]) {
        0 => 0,
        LAST => all.saturating_sub(1),
        id => usize::from(id) - 1,
    };
    let bytes = match machine.sensors.get(place) {
        Some(sensor) => {
            let earlier = machine.sensors[..place].iter();
            let instance = 1 + earlier.filter(|one| one.kind == sensor.kind).count();
            full(sensor, place, u8::try_from(instance).unwrap_or(0x7f))
        }
        None => {
            let state = machine.states.get(place - machine.sensors.len());
            compact(state.ok_or(Completion::NOT_PRESENT)?, place)
        }
    };
    let next = match u16::try_from(place + 2) {
        Ok(next) if usize::from(next) <= all => next,
        _ => LAST,
    };
    let rest = bytes.get(usize::from(from)..).ok_or(OUT_OF_RANGE)?;
    let count = match count {
        WHOLE => rest.len(),
        count => rest.len().min(count.into()),
    };
    Ok([&next.to_le_bytes(), &rest[..count]].concat())
}

/// A full sensor record (43.1).
fn full(sensor: &Sensor, place: usize, instance: u8) -> Vec<u8> {
    let number = number(place);
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
    record_of(number, 0x01, body, sensor.name)
}

/// A compact sensor record (43.2): the state of a part.
fn compact(state: &State, place: usize) -> Vec<u8> {
    let number = number(place);
    let entity = match state.part {
        Part::PowerSupply => 0x0a,
        Part::Drive => 0x04,
        Part::Chassis => 0x17,
    };
    let instance = u8::try_from(state.number).unwrap_or(0x7f);
    let (sensor_type, _) = part(state.part);
    let told = (present(state.part) | fault(state.part)).to_le_bytes();
    let mut body = vec![0x20, 0, number, entity, instance];
    // Initialised with events; states of the sensor's type, those told by events and when asked.
    body.extend_from_slice(&[0x63, 0x40, sensor_type, 0x6f]);
    body.extend_from_slice(&[told, told, told].concat());
    // No number; one sensor; hysteresis, reserved, maker.
    body.extend_from_slice(&[0xc0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    record_of(number, 0x02, body, &state.name)
}

/// The record with its header, and its name at the end.
fn record_of(number: u8, kind: u8, mut body: Vec<u8>, name: &str) -> Vec<u8> {
    let name = &name.as_bytes()[..name.len().min(16)];
    body.push(0xc0 | u8::try_from(name.len()).unwrap_or(0));
    body.extend_from_slice(name);
    let id = u16::from(number).to_le_bytes();
    let length = u8::try_from(body.len()).unwrap_or(0);
    [&id[..], &[VERSION, kind, length], &body].concat()
}

/// The sensor's number, by its place among all.
pub(super) fn number(place: usize) -> u8 {
    u8::try_from(place + 1).unwrap_or(u8::MAX)
}

/// The sensor's number of a state, by its place among the states.
pub(super) fn number_of_state(place: usize) -> u8 {
    number(crate::bmc::machine::SENSORS + place)
}

/// Type of the sensor of a part, and the number of the state that says that it is faulty (42.2).
pub(super) const fn part(part: Part) -> (u8, u8) {
    match part {
        // Its input is lost.
        Part::PowerSupply => (0x08, 3),
        Part::Drive => (0x0d, 1),
        // General chassis intrusion.
        Part::Chassis => (0x05, 0),
    }
}

const fn fault(part_of: Part) -> u16 {
    1 << part(part_of).1
}

/// The bit that says that the part is there, where there is one.
const fn present(part: Part) -> u16 {
    match part {
        Part::PowerSupply | Part::Drive => 1,
        Part::Chassis => 0,
    }
}

/// Get Sensor Reading.
pub(super) fn reading(ask: &mut Ask<'_>) -> Answer {
    let [number] = ask.bytes()?;
    let machine = ask.machine();
    let place = usize::from(number)
        .checked_sub(1)
        .ok_or(Completion::NOT_PRESENT)?;
    // Scanned, with events.
    if let Some(sensor) = machine.sensors.get(place) {
        let state = if sensor.is_above() { UPPER_CRITICAL } else { 0 };
        return Ok(vec![raw(sensor.kind, sensor.value), 0xc0, 0xc0 | state]);
    }
    let state = machine.states.get(place - machine.sensors.len());
    let state = state.ok_or(Completion::NOT_PRESENT)?;
    let faulty = if state.faulty { fault(state.part) } else { 0 };
    let [low, high] = (present(state.part) | faulty).to_le_bytes();
    Ok(vec![0, 0xc0, low, 0x80 | high])
}

/// Get Sensor Thresholds.
pub(super) fn thresholds(ask: &mut Ask<'_>) -> Answer {
    let [number] = ask.bytes()?;
    let machine = ask.machine();
    let place = usize::from(number).checked_sub(1);
    let sensor = place.and_then(|place| machine.sensors.get(place));
    let sensor = sensor.ok_or(Completion::NOT_PRESENT)?;
    Ok(match sensor.upper {
        Some(upper) => vec![UPPER_CRITICAL, 0, 0, 0, 0, raw(sensor.kind, upper), 0],
        None => vec![0; 7],
    })
}
