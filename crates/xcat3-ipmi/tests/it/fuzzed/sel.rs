//! Fuzz target: entries of the event log, what they say, and reading the log from a BMC.

use xcat3_ipmi::command::sdr::{Kind, Record};
use xcat3_ipmi::command::sel::{self, Entry, LogInfo};

use super::answers::{Answers, outcome};

/// Takes `bytes` as an entry with the record of its sensor after it, and as the answers of a BMC.
pub fn run(bytes: &[u8]) {
    let _ = LogInfo::parse(bytes);
    if let Ok(entry) = Entry::parse(bytes) {
        let record = Record::parse(bytes.get(16..).unwrap_or_default());
        let sensor = match record.map(|record| record.kind) {
            Ok(Kind::Sensor(sensor)) => Some(sensor),
            _ => None,
        };
        let message = entry.message(sensor.as_deref());
        assert!(!message.is_empty() && message.len() < 1_000);
        let _ = (entry.severity(), entry.sensor());
        if let Some(time) = entry.time {
            assert_eq!(time.rfc3339().is_some(), time.unix().is_some());
        }
    }
    if let Ok(log) = outcome(sel::list(&mut Answers(bytes), 10)) {
        assert!(log.entries.len() <= 10);
    }
}
