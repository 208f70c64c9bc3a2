//! Fuzz target: sensor data records, what sensors read by them, and reading them from a BMC.

use xcat3_ipmi::command::sdr::{self, Kind, Record, Repository, State, ThresholdBytes};

use super::answers::{Answers, outcome};

/// Takes `bytes` as a record with a reading after it, and as the answers of a BMC.
pub fn run(bytes: &[u8]) {
    if let Ok(record) = Record::parse(bytes)
        && let Kind::Sensor(sensor) = record.kind
    {
        let after = 5 + usize::from(bytes[4]);
        let reading = bytes.get(after..).unwrap_or_default();
        let each = sensor.each();
        assert!((1..=15).contains(&each.len()));
        for sensor in each {
            assert!(!sensor.name.contains(char::is_control));
            let _ = sensor.units.words();
            if let Ok(State::Read(value)) = State::parse(&sensor, reading) {
                assert!(value.number.is_none_or(f64::is_finite));
                assert!(value.states.len() <= 15);
            }
            if let (Ok(limits), Some(conversion)) =
                (ThresholdBytes::parse(reading), sensor.conversion)
            {
                let _ = limits.converted(&conversion);
            }
        }
    }
    let mut bmc = Answers(bytes);
    if let Ok((records, _)) = outcome(sdr::list(&mut bmc, Repository::Machine)) {
        for record in records {
            if let Kind::Sensor(sensor) = record.kind {
                let _ = outcome(sdr::read(&mut bmc, &sensor));
                let _ = outcome(sdr::thresholds(&mut bmc, &sensor));
            }
        }
    }
}
