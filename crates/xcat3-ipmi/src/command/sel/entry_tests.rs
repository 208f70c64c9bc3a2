//! Tests of log entries, and entries for other tests.

use proptest::prelude::*;

use super::*;
use crate::command::sdr::tests::{full, sensor};

/// An entry with a sensor event at 2023-11-14T22:13:20Z.
pub(crate) fn entry(id: u16, event: [u8; 6]) -> Vec<u8> {
    let [low, high] = id.to_le_bytes();
    let head = [low, high, 0x02, 0x00, 0xf1, 0x53, 0x65, 0x20, 0x00, 0x04];
    [&head[..], &event].concat()
}

fn message(event: [u8; 6], sensor: Option<&Sensor>) -> (String, Option<Severity>) {
    let entry = Entry::parse(&entry(1, event)).unwrap();
    (entry.message(sensor), entry.severity())
}

#[test]
fn threshold_event_shows_reading_and_threshold() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let exceeded = [0x01, 0x30, 0x01, 0x59, 91, 90];
    let (text, severity) = message(exceeded, Some(&cpu));
    let sentence = "CPU Temp: upper critical, going high \
                    (reading 91 degrees C, threshold 90 degrees C)";
    assert_eq!((&*text, severity), (sentence, Some(Severity::Critical)));
    let (text, _) = message(exceeded, None);
    let sentence = "temperature sensor 0x30: upper critical, going high \
                    (reading 0x5b, threshold 0x5a)";
    assert_eq!(text, sentence);
}

#[test]
fn event_deasserted_has_severity_ok() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let (text, severity) = message([0x01, 0x30, 0x81, 0x09, 0xff, 0xff], Some(&cpu));
    assert_eq!(text, "CPU Temp: upper critical, going high, no longer");
    assert_eq!(severity, Some(Severity::Ok));
}

#[test]
fn discrete_event_has_text_of_its_state() {
    let cases = [
        (
            [0x0c, 0x87, 0x6f, 0xa0, 0x01, 0x12],
            "memory sensor 0x87: correctable ECC error (data 0x01 0x12)",
        ),
        (
            [0x08, 0x51, 0x6f, 0x03, 0xff, 0xff],
            "power supply sensor 0x51: input lost (AC or DC)",
        ),
        (
            [0x0f, 0x06, 0x6f, 0xc2, 0x13, 0xff],
            "system firmware sensor 0x06: firmware progress (starting the OS)",
        ),
        (
            [0x0f, 0x06, 0x6f, 0xc0, 0x01, 0xff],
            "system firmware sensor 0x06: firmware error (POST) (no memory)",
        ),
        (
            [0x10, 0x09, 0x6f, 0x02, 0xff, 0xff],
            "event logging sensor 0x09: log cleared",
        ),
        (
            [0xc8, 0x09, 0x70, 0x05, 0xff, 0xff],
            "type 0xc8 sensor 0x09: event 5 of type 0x70",
        ),
    ];
    for (event, text) in cases {
        assert_eq!(message(event, None).0, text);
    }
}

#[test]
fn sensor_entry_has_time_and_sensor() {
    let entry = Entry::parse(&entry(0x1234, [1, 2, 1, 0, 0, 0])).unwrap();
    assert_eq!(entry.id, 0x1234);
    let time = entry.time.and_then(Timestamp::rfc3339);
    assert_eq!(time.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(
        entry.sensor().map(|key| (key.owner, key.number)),
        Some((0x20, 2))
    );
}

#[test]
fn oem_entry_shows_its_data() {
    let mut timed = entry(2, [1, 2, 3, 4, 5, 6]);
    timed[2] = 0xc1;
    timed[7..10].copy_from_slice(&[0x7c, 0x2a, 0x00]);
    let timed = Entry::parse(&timed).unwrap();
    assert!(timed.time.is_some() && timed.severity().is_none());
    assert_eq!(
        timed.message(None),
        "OEM entry of type 0xc1 of manufacturer 10876: 010203040506"
    );
    let mut untimed = entry(2, [1, 2, 3, 4, 5, 6]);
    untimed[2] = 0xe0;
    let untimed = Entry::parse(&untimed).unwrap();
    assert_eq!(untimed.time, None);
    assert_eq!(
        untimed.message(None),
        "OEM entry of type 0xe0: 00f15365200004010203040506"
    );
}

#[test]
fn entry_truncated_is_an_error() {
    let error = Entry::parse(&[0; 15]).unwrap_err();
    assert_eq!(error.to_string(), "the entry has 15 bytes, not 16");
}

proptest! {
    #[test]
    fn entry_arbitrary_has_a_message(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let cpu = sensor(&full(1, 0x30, "CPU Temp"));
        if let Ok(entry) = Entry::parse(&bytes) {
            prop_assert!(!entry.message(None).is_empty());
            prop_assert!(!entry.message(Some(&cpu)).is_empty());
        }
    }
}
