//! What sensors read now (IPMI v2.0, 35.5, 35.9, 35.14).

use super::record::{Sensor, ThresholdBytes};
use crate::client::Error;
use crate::command::conversion::Conversion;
use crate::command::states::{Severity, words};
use crate::command::{Malformed, cut};
use crate::message::Command;
use crate::requester::Requester;
use crate::wire::Reader;

/// Get Sensor Reading Factors.
const FACTORS: Command = Command::new(0x04, 0x23);
/// Get Sensor Thresholds.
const THRESHOLDS: Command = Command::new(0x04, 0x27);
/// Get Sensor Reading.
const READING: Command = Command::new(0x04, 0x2d);

/// Address of the BMC.
const BMC: u8 = 0x20;
/// Event messages and scanning are on, and the reading is available.
const SCANNING: u8 = 0x40;
const UNAVAILABLE: u8 = 0x20;

/// What a sensor tells.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It reads.
    Read(Value),
    /// It does not, and why: "not there", "reading unavailable", "scanning disabled", "owned by
    /// controller 0x2c".
    Absent(String),
}

/// What a sensor reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// The number, in the sensor's units; nothing for a sensor of states, or where the conversion
    /// gives no number.
    pub number: Option<f64>,
    /// What holds, in words: which thresholds are passed, or which states a discrete sensor is in.
    /// States that only its maker knows are "state 3 (of its maker)".
    pub states: Vec<String>,
    /// The worst of what holds; nothing where nothing is known of it.
    pub severity: Option<Severity>,
}

/// Thresholds of a sensor in its units; nothing where it has none or they can't be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// Lower non-critical.
    pub lower_warning: Option<f64>,
    /// Lower critical.
    pub lower_critical: Option<f64>,
    /// Lower non-recoverable.
    pub lower_fatal: Option<f64>,
    /// Upper non-critical.
    pub upper_warning: Option<f64>,
    /// Upper critical.
    pub upper_critical: Option<f64>,
    /// Upper non-recoverable.
    pub upper_fatal: Option<f64>,
}

/// Words for the bits of passed thresholds, from the lowest.
const PASSED: [(&str, Severity); 6] = [
    ("below lower non-critical", Severity::Warning),
    ("below lower critical", Severity::Critical),
    ("below lower non-recoverable", Severity::Critical),
    ("above upper non-critical", Severity::Warning),
    ("above upper critical", Severity::Critical),
    ("above upper non-recoverable", Severity::Critical),
];

impl State {
    /// Reads the answer of Get Sensor Reading for this sensor.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(sensor: &Sensor, answer: &[u8]) -> Result<Self, Malformed> {
        Self::converted(sensor, sensor.conversion.as_ref(), answer)
    }

    fn converted(
        sensor: &Sensor,
        conversion: Option<&Conversion>,
        answer: &[u8],
    ) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let short = |short| {
            let problem = cut("the reading")(short);
            problem.within(format!(
                "sensor {:#04x} ({})",
                sensor.key.number, sensor.name
            ))
        };
        let [raw, flags] = reader.array().map_err(short)?;
        if flags & UNAVAILABLE != 0 {
            return Ok(Self::Absent("reading unavailable".to_owned()));
        }
        if flags & SCANNING == 0 {
            return Ok(Self::Absent("scanning disabled".to_owned()));
        }
        let number = conversion.and_then(|conversion| conversion.value(raw));
        // Quirk: BMCs leave out one byte of states, or both.
        let low = reader.u8().ok();
        let high = reader.u8().unwrap_or_default() & 0x7f;
        let (states, severity) = if sensor.is_threshold() {
            passed(low.unwrap_or_else(|| sensor.passed(raw)))
        } else {
            discrete(sensor, u16::from_le_bytes([low.unwrap_or_default(), high]))
        };
        Ok(Self::Read(Value {
            number,
            states,
            severity,
        }))
    }
}

impl Sensor {
    /// Which thresholds of the record a raw reading has passed.
    fn passed(&self, raw: u8) -> u8 {
        let (Some(thresholds), Some(conversion)) = (self.thresholds, self.conversion) else {
            return 0;
        };
        let Some(value) = conversion.value(raw) else {
            return 0;
        };
        let has_passed = |at: usize| {
            let limit = thresholds.value(&conversion, at);
            limit.is_some_and(|limit| {
                if at < 3 {
                    value <= limit
                } else {
                    value >= limit
                }
            })
        };
        (0..6)
            .filter(|at| has_passed(*at))
            .fold(0, |bits, at| bits | 1 << at)
    }
}

fn passed(bits: u8) -> (Vec<String>, Option<Severity>) {
    let holds = PASSED
        .iter()
        .enumerate()
        .filter(|(at, _)| bits & 1 << at != 0);
    let holds: Vec<_> = holds.map(|(_, words)| *words).collect();
    let worst = holds.iter().map(|words| words.1).max();
    let states = holds.iter().map(|words| words.0.to_owned()).collect();
    (states, Some(worst.unwrap_or(Severity::Ok)))
}

fn discrete(sensor: &Sensor, bits: u16) -> (Vec<String>, Option<Severity>) {
    let (mut states, mut severity) = (Vec::new(), None);
    for offset in (0..15).filter(|offset| bits & 1 << offset != 0) {
        match words(sensor.sensor_type, sensor.event_type, offset) {
            Some((text, worse)) => {
                states.push(text.to_owned());
                severity = severity.max(Some(worse));
            }
            None => states.push(format!("state {offset} (of its maker)")),
        }
    }
    if bits == 0 && words(sensor.sensor_type, sensor.event_type, 0).is_some() {
        severity = Some(Severity::Ok);
    }
    (states, severity)
}

impl ThresholdBytes {
    fn value(&self, conversion: &Conversion, at: usize) -> Option<f64> {
        let readable = self.readable & 1 << at != 0;
        readable.then(|| conversion.value(self.raw[at])).flatten()
    }

    /// In the sensor's units.
    #[must_use]
    pub fn converted(&self, conversion: &Conversion) -> Thresholds {
        let value = |at| self.value(conversion, at);
        Thresholds {
            lower_warning: value(0),
            lower_critical: value(1),
            lower_fatal: value(2),
            upper_warning: value(3),
            upper_critical: value(4),
            upper_fatal: value(5),
        }
    }

    /// Reads the answer of Get Sensor Thresholds.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(answer: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(answer);
        let cut = cut("the thresholds");
        let readable = reader.u8().map_err(&cut)? & 0x3f;
        let raw = reader.array().map_err(&cut)?;
        Ok(Self { readable, raw })
    }
}

/// Reads a sensor. That it is not there, or another controller's, is no error.
///
/// # Errors
/// The BMC does not answer, or its answer is cut off.
pub async fn read(bmc: &mut impl Requester, sensor: &Sensor) -> Result<State, Error> {
    if let Some(elsewhere) = elsewhere(sensor) {
        return Ok(State::Absent(elsewhere));
    }
    let answer = match bmc.request(READING, &[sensor.key.number]).await {
        Ok(answer) => answer,
        Err(Error::Refused(refused)) => {
            let why = match refused.0 {
                0xcb => "not there".to_owned(),
                _ => format!("can't be read: {refused}"),
            };
            return Ok(State::Absent(why));
        }
        Err(error) => return Err(error),
    };
    let conversion = match (&sensor.conversion, answer.first()) {
        (Some(conversion), Some(raw)) if conversion.is_nonlinear() => {
            Some(factors(bmc, sensor, *conversion, *raw).await?)
        }
        (conversion, _) => *conversion,
    };
    Ok(State::converted(sensor, conversion.as_ref(), &answer)?)
}

/// Asks for the thresholds of a sensor as they are now. A BMC that does not tell them has those of the
/// record.
///
/// # Errors
/// The BMC does not answer, or its answer is cut off.
pub async fn thresholds(bmc: &mut impl Requester, sensor: &Sensor) -> Result<Thresholds, Error> {
    let Some(conversion) = sensor.conversion.filter(|_| sensor.is_threshold()) else {
        return Ok(Thresholds::default());
    };
    let recorded = sensor.thresholds.map(|bytes| bytes.converted(&conversion));
    if elsewhere(sensor).is_some() {
        return Ok(recorded.unwrap_or_default());
    }
    match bmc.request(THRESHOLDS, &[sensor.key.number]).await {
        Ok(answer) => Ok(ThresholdBytes::parse(&answer)?.converted(&conversion)),
        Err(Error::Refused(_)) => Ok(recorded.unwrap_or_default()),
        Err(error) => Err(error),
    }
}

/// Why a sensor can't be asked of the BMC itself.
fn elsewhere(sensor: &Sensor) -> Option<String> {
    let key = sensor.key;
    match (key.owner, key.lun) {
        (BMC, 0) => None,
        (BMC, lun) => Some(format!("of the BMC's logical unit {lun}")),
        (owner, _) if owner & 1 == 0 => Some(format!("owned by controller {owner:#04x}")),
        (owner, _) => Some(format!("owned by software {owner:#04x}")),
    }
}

/// M, B and exponents for one reading of a sensor whose curve no function describes. Where the BMC
/// has none, those of the record.
async fn factors(
    bmc: &mut impl Requester,
    sensor: &Sensor,
    recorded: Conversion,
    raw: u8,
) -> Result<Conversion, Error> {
    match bmc.request(FACTORS, &[sensor.key.number, raw]).await {
        Ok(answer) => {
            let mut reader = Reader::new(&answer);
            let factors = reader.u8().and_then(|_next| reader.array());
            let factors = factors.map_err(cut("the reading factors"))?;
            Ok(Conversion::from_bytes(recorded.format, factors, 0))
        }
        Err(Error::Refused(_)) => Ok(recorded),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
