use proptest::prelude::*;

use super::*;
use crate::command::sdr::tests::{full, sensor};

/// An entry of a sensor's event at 2023-11-14T22:13:20Z.
pub(crate) fn entry(id: u16, event: [u8; 6]) -> Vec<u8> {
    let [low, high] = id.to_le_bytes();
    let head = [low, high, 0x02, 0x00, 0xf1, 0x53, 0x65, 0x20, 0x00, 0x04];
    [&head[..], &event].concat()
}

fn said(event: [u8; 6], sensor: Option<&Sensor>) -> (String, Option<Severity>) {
    let entry = Entry::parse(&entry(1, event)).unwrap();
    (entry.message(sensor), entry.severity())
}

#[test]
fn a_threshold_event_tells_reading_and_threshold() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let over = [0x01, 0x30, 0x01, 0x59, 91, 90];
    let (message, severity) = said(over, Some(&cpu));
    let sentence = "CPU Temp: upper critical, going high \
                    (reading 91 degrees C, threshold 90 degrees C)";
    assert_eq!(message, sentence);
    assert_eq!(severity, Some(Severity::Critical));
    let (message, _) = said(over, None);
    let sentence = "temperature sensor 0x30: upper critical, going high \
                    (reading 0x5b, threshold 0x5a)";
    assert_eq!(message, sentence);
    let (message, severity) = said([0x01, 0x30, 0x81, 0x09, 0xff, 0xff], Some(&cpu));
    assert_eq!(message, "CPU Temp: upper critical, going high, no longer");
    assert_eq!(severity, Some(Severity::Ok));
}

#[test]
fn discrete_events_are_words() {
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
    for (event, message) in cases {
        assert_eq!(said(event, None).0, message);
    }
}

#[test]
fn entries_have_their_time_or_none() {
    let event = Entry::parse(&entry(0x1234, [1, 2, 1, 0, 0, 0])).unwrap();
    assert_eq!(event.id, 0x1234);
    let time = event.time.and_then(Timestamp::rfc3339);
    assert_eq!(time.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(
        event.sensor().map(|key| (key.owner, key.number)),
        Some((0x20, 2))
    );

    let mut timed = entry(2, [1, 2, 3, 4, 5, 6]);
    timed[2] = 0xc1;
    timed[7..10].copy_from_slice(&[0x7c, 0x2a, 0x00]);
    let timed = Entry::parse(&timed).unwrap();
    assert!(timed.time.is_some() && timed.severity().is_none());
    assert_eq!(
        timed.message(None),
        "entry of type 0xc1 of manufacturer 10876: 010203040506"
    );
    let mut bare = entry(2, [1, 2, 3, 4, 5, 6]);
    bare[2] = 0xe0;
    let bare = Entry::parse(&bare).unwrap();
    assert_eq!(bare.time, None);
    assert_eq!(
        bare.message(None),
        "entry of type 0xe0: 00f15365200004010203040506"
    );
    let short = Entry::parse(&[0; 15]).unwrap_err();
    assert_eq!(
        short.to_string(),
        "an entry of the event log has 15 bytes, not 16"
    );
}

proptest! {
    #[test]
    fn any_entry_says_something(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
        let cpu = sensor(&full(1, 0x30, "CPU Temp"));
        if let Ok(entry) = Entry::parse(&bytes) {
            prop_assert!(!entry.message(None).is_empty());
            prop_assert!(!entry.message(Some(&cpu)).is_empty());
        }
    }
}
