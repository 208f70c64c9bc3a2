//! Readings of sensors (IPMI v2.0, 35.5 and 35.14).

use super::record::Sensor;
use crate::client::Error;
use crate::command::conversion::Conversion;
use crate::command::states::{Severity, named_state};
use crate::command::{Malformed, truncated};
use crate::message::{BMC, Command, Completion};
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Sensor Reading Factors.
const FACTORS: Command = Command::new(0x04, 0x23);
/// Get Sensor Reading.
const READING: Command = Command::new(0x04, 0x2d);

/// Flag: scanning is enabled.
const SCANNING: u8 = 0x40;
/// Flag: the reading is unavailable.
const UNAVAILABLE: u8 = 0x20;

/// The state of a sensor.
#[derive(Clone, Debug, PartialEq)]
pub enum SensorState {
    /// The sensor has a reading.
    Reading(Reading),
    /// The sensor has none, for this reason: "not present", "reading unavailable", "scanning disabled", "owned
    /// by controller 0x2c".
    Absent(String),
}

/// The reading of a sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The value in the sensor's unit; `None` for a sensor without numeric readings, or if the conversion has
    /// no result.
    pub value: Option<f64>,
    /// The exceeded thresholds or the present states. OEM states are "OEM state 3".
    pub states: Vec<String>,
    /// The worst severity of the states; `None` if it is unknown.
    pub severity: Option<Severity>,
}

/// Texts for the bits of exceeded thresholds, from the lowest bit.
const EXCEEDED: [(&str, Severity); 6] = [
    ("below lower non-critical", Severity::Warning),
    ("below lower critical", Severity::Critical),
    ("below lower non-recoverable", Severity::Critical),
    ("above upper non-critical", Severity::Warning),
    ("above upper critical", Severity::Critical),
    ("above upper non-recoverable", Severity::Critical),
];

impl SensorState {
    /// Parses a response of Get Sensor Reading for this sensor.
    ///
    /// # Errors
    /// The response is truncated.
    pub fn parse(sensor: &Sensor, response: &[u8]) -> Result<Self, Malformed> {
        Self::parse_with(sensor, sensor.conversion.as_ref(), response)
    }

    fn parse_with(
        sensor: &Sensor,
        conversion: Option<&Conversion>,
        response: &[u8],
    ) -> Result<Self, Malformed> {
        let mut reader = Reader::new(response);
        let [raw, flags] = reader.array().map_err(|short| {
            let (number, name) = (sensor.key.number, &sensor.name);
            let sensor = format!("sensor {number:#04x} ({name})");
            truncated("the reading")(short).within(sensor)
        })?;
        if flags & UNAVAILABLE != 0 {
            return Ok(Self::Absent("reading unavailable".to_owned()));
        }
        if flags & SCANNING == 0 {
            return Ok(Self::Absent("scanning disabled".to_owned()));
        }
        // Quirk: one or both state bytes may be missing.
        let low = reader.u8().ok();
        let high = reader.u8().unwrap_or_default() & 0x7f;
        let (states, severity) = if sensor.is_threshold() {
            exceeded(low.unwrap_or_else(|| sensor.exceeded_bits(raw)))
        } else {
            discrete(sensor, u16::from_le_bytes([low.unwrap_or_default(), high]))
        };
        Ok(Self::Reading(Reading {
            value: conversion.and_then(|conversion| conversion.value(raw)),
            states,
            severity,
        }))
    }
}

impl Sensor {
    /// The bits of the record's thresholds that a raw reading exceeds.
    fn exceeded_bits(&self, raw: u8) -> u8 {
        let (Some(thresholds), Some(conversion)) = (self.thresholds, self.conversion) else {
            return 0;
        };
        let Some(value) = conversion.value(raw) else {
            return 0;
        };
        let is_exceeded = |index: usize| {
            let limit = thresholds.value(&conversion, index);
            limit.is_some_and(|limit| {
                if index < 3 {
                    value <= limit
                } else {
                    value >= limit
                }
            })
        };
        (0..6)
            .filter(|index| is_exceeded(*index))
            .fold(0, |bits, index| bits | 1 << index)
    }
}

/// Texts and worst severity of exceeded thresholds.
fn exceeded(bits: u8) -> (Vec<String>, Option<Severity>) {
    let (mut states, mut severity) = (Vec::new(), Severity::Ok);
    for (index, (text, worse)) in EXCEEDED.iter().enumerate() {
        if bits & 1 << index != 0 {
            states.push((*text).to_owned());
            severity = severity.max(*worse);
        }
    }
    (states, Some(severity))
}

/// Texts and worst severity of discrete states.
fn discrete(sensor: &Sensor, bits: u16) -> (Vec<String>, Option<Severity>) {
    let state = |offset| named_state(sensor.sensor_type, sensor.event_type, offset);
    let (mut states, mut severity) = (Vec::new(), None);
    for offset in (0..15).filter(|offset| bits & 1 << offset != 0) {
        match state(offset) {
            Some((text, worse)) => {
                states.push(text.to_owned());
                severity = severity.max(Some(worse));
            }
            None => states.push(format!("OEM state {offset}")),
        }
    }
    if bits == 0 && state(0).is_some() {
        severity = Some(Severity::Ok);
    }
    (states, severity)
}

/// Reads a sensor. A sensor that is not present or has another owner is no error.
///
/// # Errors
/// There is no response, or it is truncated.
pub async fn read(bmc: &mut impl Requester, sensor: &Sensor) -> Result<SensorState, Error> {
    if let Some(owner) = other_owner(sensor) {
        return Ok(SensorState::Absent(owner));
    }
    let response = match bmc.request(READING, &[sensor.key.number]).await {
        Ok(response) => response,
        Err(Error::Refused(Completion::NOT_PRESENT)) => {
            return Ok(SensorState::Absent("not present".to_owned()));
        }
        Err(Error::Refused(refused)) => {
            return Ok(SensorState::Absent(format!("cannot be read: {refused}")));
        }
        Err(error) => return Err(error),
    };
    let conversion = match (&sensor.conversion, response.first()) {
        (Some(conversion), Some(raw)) if conversion.is_nonlinear() => {
            Some(factors(bmc, sensor, *conversion, *raw).await?)
        }
        (conversion, _) => *conversion,
    };
    Ok(SensorState::parse_with(
        sensor,
        conversion.as_ref(),
        &response,
    )?)
}

/// Describes the owner of a sensor that the BMC itself cannot read.
fn other_owner(sensor: &Sensor) -> Option<String> {
    let key = sensor.key;
    match (key.owner, key.lun) {
        (BMC, 0) => None,
        (BMC, lun) => Some(format!("on logical unit {lun} of the BMC")),
        (owner, _) if owner & 1 == 0 => Some(format!("owned by controller {owner:#04x}")),
        (owner, _) => Some(format!("owned by software {owner:#04x}")),
    }
}

/// Reads M, B and exponents for one reading of a nonlinear sensor. If the BMC has none, those of the record
/// apply.
async fn factors(
    bmc: &mut impl Requester,
    sensor: &Sensor,
    recorded: Conversion,
    raw: u8,
) -> Result<Conversion, Error> {
    match bmc.request(FACTORS, &[sensor.key.number, raw]).await {
        Ok(response) => {
            let mut reader = Reader::new(&response);
            let factors = reader.u8().and_then(|_next| reader.array());
            let factors = factors.map_err(truncated("the reading factors"))?;
            Ok(Conversion::from_bytes(recorded.format, factors, 0))
        }
        Err(Error::Refused(_)) => Ok(recorded),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
