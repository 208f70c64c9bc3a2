//! Fuzz target: entries of the event log, their messages, and reading the log from a BMC.

use xcat3_ipmi::command::sdr::Record;
use xcat3_ipmi::command::sel::{self, Entry};

use super::responses::{Responses, now};

/// Takes `bytes` as an entry followed by the record of its sensor, and as the responses of a BMC.
pub fn run(bytes: &[u8]) {
    if let Ok(entry) = Entry::parse(bytes) {
        let record = Record::parse(bytes.get(16..).unwrap_or_default());
        let sensor = match record {
            Ok(Record::Sensor(sensor)) => Some(sensor),
            _ => None,
        };
        let message = entry.message(sensor.as_deref());
        assert!(!message.is_empty() && message.len() < 1_000);
        let _ = (entry.severity(), entry.sensor());
        if let Some(time) = entry.time {
            assert_eq!(time.rfc3339().is_some(), time.unix().is_some());
        }
    }
    if let Ok(log) = now(sel::list(&mut Responses(bytes), 10)) {
        assert!(log.entries.len() <= 10);
    }
}
