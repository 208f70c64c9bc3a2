//! The event log of a machine (SEL), its entries with the names that the BMC's records have for sensors.

use std::collections::HashMap;

use xcat3_core::Outcome;
use xcat3_core::hardware::{EventLog, Health, LogEvent};
use xcat3_ipmi::command::sdr::{Record, Sensor, SensorKey};
use xcat3_ipmi::command::{device, sel};
use xcat3_ipmi::{Error, Requester};

use super::super::Lease;
use super::super::bmc::Failure;
use super::exchange::failure;
use super::sensors::{each, health, records, told};

/// The most entries that are told: a report has an end.
const MOST: usize = 3_000;

/// Reads it.
pub async fn report(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let log = sel::list(bmc, MOST).await.map_err(failure)?;
    let mut report = EventLog {
        notes: log.problems.iter().map(ToString::to_string).collect(),
        ..EventLog::default()
    };
    if log.older > 0 {
        let note = format!("{} older entries are not shown", log.older);
        report.notes.push(note);
    }
    let sensors = match log.entries.is_empty() {
        true => HashMap::new(),
        false => names(bmc, &mut report.notes).await?,
    };
    report.events = log
        .entries
        .iter()
        .map(|entry| event(entry, &sensors))
        .collect();
    told(&report)
}

/// The sensors that events may be of. Without them events are told all the same.
async fn names(
    bmc: &mut impl Requester,
    notes: &mut Vec<String>,
) -> Result<HashMap<SensorKey, Sensor>, Failure> {
    let id = device::id(bmc).await.map_err(failure)?;
    match records(bmc, &id).await {
        Ok((records, _)) => {
            let events = records.iter().filter_map(|record| match record {
                Record::EventOnly(sensor) => Some((**sensor).clone()),
                _ => None,
            });
            let sensors = each(&records).into_iter().chain(events);
            Ok(sensors.map(|sensor| (sensor.key, sensor)).collect())
        }
        Err(error @ (Error::Refused(_) | Error::Malformed(_))) => {
            notes.push(format!("names of sensors: {error}"));
            Ok(HashMap::new())
        }
        Err(error) => Err(failure(error)),
    }
}

fn event(entry: &sel::Entry, sensors: &HashMap<SensorKey, Sensor>) -> LogEvent {
    let sensor = entry.sensor().and_then(|key| sensors.get(&key));
    let number = |key: SensorKey| format!("sensor {:#04x}", key.number);
    let name = sensor.map(|sensor| sensor.name.clone());
    LogEvent {
        id: format!("{:x}", entry.id),
        time: entry.time.and_then(sel::Timestamp::rfc3339),
        severity: entry.severity().map_or(Health::Unknown, health),
        source: name.or_else(|| entry.sensor().map(number)),
        message: entry.message(sensor),
    }
}

/// Empties it.
pub async fn clear(bmc: &mut impl Requester, lease: &Lease) -> Result<Outcome, Failure> {
    if !lease.holds().await {
        return Err(Failure::lease_lost());
    }
    sel::clear(bmc).await.map_err(failure)?;
    Ok(Outcome::OK)
}
