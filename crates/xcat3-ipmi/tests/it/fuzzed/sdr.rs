//! Fuzz target: sensor data records, readings of their sensors, and reading records from a BMC.

use xcat3_ipmi::command::sdr::{self, Record, Repository, SensorState};

use super::responses::{Responses, now};

/// Takes `bytes` as a record followed by a reading, and as the responses of a BMC.
pub fn run(bytes: &[u8]) {
    if let Ok(Record::Sensor(sensor)) = Record::parse(bytes) {
        let after = 5 + usize::from(bytes[4]);
        let reading = bytes.get(after..).unwrap_or_default();
        let sensors = sensor.expand();
        assert!((1..=15).contains(&sensors.len()));
        for sensor in sensors {
            assert!(!sensor.name.contains(char::is_control));
            let _ = sensor.units.name();
            if let Ok(SensorState::Reading(reading)) = SensorState::parse(&sensor, reading) {
                assert!(reading.value.is_none_or(f64::is_finite));
                assert!(reading.states.len() <= 15);
            }
        }
    }
    let mut bmc = Responses(bytes);
    if let Ok((records, _)) = now(sdr::list(&mut bmc, Repository::Machine)) {
        for record in records {
            if let Record::Sensor(sensor) = record {
                let _ = now(sdr::read(&mut bmc, &sensor));
            }
        }
    }
}
