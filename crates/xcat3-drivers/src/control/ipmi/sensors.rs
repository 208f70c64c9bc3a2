//! The sensors of a machine, by the BMC's own records of them (SDR).

use xcat3_core::Outcome;
use xcat3_core::hardware::{self, Health, Report};
use xcat3_ipmi::command::device::{self, DeviceId};
use xcat3_ipmi::command::sdr::{self, Record, Repository, SensorState};
use xcat3_ipmi::command::{Malformed, Severity};
use xcat3_ipmi::{Error, Requester};

use super::super::bmc::Failure;
use super::exchange::failure;

/// The most sensors that are read: a record may stand for several.
const MOST: usize = 4_096;

/// Reads all of them.
pub async fn report(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let id = device::id(bmc).await.map_err(failure)?;
    let (records, problems) = records(bmc, &id).await.map_err(failure)?;
    let mut report = hardware::Sensors {
        notes: problems.iter().map(Malformed::to_string).collect(),
        ..hardware::Sensors::default()
    };
    for sensor in each(&records) {
        match sdr::read(bmc, &sensor).await {
            Ok(state) => report.sensors.push(reading(&sensor, state)),
            Err(Error::Malformed(problem)) => report.notes.push(problem.to_string()),
            Err(error) => return Err(failure(error)),
        }
    }
    told(&report)
}

/// The sensors that `records` are of.
pub fn each(records: &[Record]) -> Vec<sdr::Sensor> {
    let sensors = records.iter().filter_map(|record| match record {
        Record::Sensor(sensor) => Some(sensor.expand()),
        _ => None,
    });
    sensors.flatten().take(MOST).collect()
}

/// The records that a BMC has of its machine, and what is wrong with others.
pub async fn records(
    bmc: &mut impl Requester,
    id: &DeviceId,
) -> Result<(Vec<Record>, Vec<Malformed>), Error> {
    if id.has_sdr_repository {
        sdr::list(bmc, Repository::Machine).await
    } else if id.has_device_sdrs {
        sdr::list(bmc, Repository::Device).await
    } else {
        let none = Malformed::new("the BMC has no records of sensors and other parts (SDR)");
        Ok((Vec::new(), vec![none]))
    }
}

/// A report as an outcome.
pub fn told(report: &impl serde::Serialize) -> Result<Outcome, Failure> {
    let report = Report::of(report).map_err(Failure::refused)?;
    Ok(Outcome::Report(report))
}

fn reading(sensor: &sdr::Sensor, state: SensorState) -> hardware::Sensor {
    let mut reading = hardware::Sensor {
        name: sensor.name.clone(),
        kind: Some(sensor.sensor_type.name()),
        ..hardware::Sensor::default()
    };
    match state {
        SensorState::Absent(reason) => reading.state = Some(reason),
        SensorState::Reading(value) => {
            reading.value = value.value.and_then(rounded);
            let unit = sensor.units.name();
            reading.unit = reading.value.map(|_| unit).filter(|unit| !unit.is_empty());
            reading.health = value.severity.map_or(Health::Unknown, health);
            reading.state = Some(value.states.join(", ")).filter(|words| !words.is_empty());
        }
    }
    reading
}

/// As JSON can tell it, and without digits that the conversion made up.
fn rounded(number: f64) -> Option<f64> {
    let rounded = (number * 1e4).round() / 1e4;
    rounded.is_finite().then_some(rounded)
}

/// The same in core's words.
pub fn health(severity: Severity) -> Health {
    match severity {
        Severity::Ok => Health::Ok,
        Severity::Warning => Health::Warning,
        Severity::Critical => Health::Critical,
    }
}
