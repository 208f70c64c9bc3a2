use proptest::prelude::*;

use super::*;

/// A full record as the specification lays it out: "CPU Temp", degrees C, M 1.
pub(crate) fn full(id: u16, number: u8, name: &str) -> Vec<u8> {
    let mut content = vec![0x20, 0x00, number, 0x03, 0x01, 0x7f, 0x68, 0x01, 0x01];
    // Masks: assertion, deassertion, readable and settable thresholds (all upper, lower critical).
    content.extend_from_slice(&[0x95, 0x7a, 0x95, 0x7a, 0x3f, 0x3f]);
    // Two's complement, degrees C; linear; M 1.
    content.extend_from_slice(&[0x80, 0x01, 0x00, 0x00]);
    content.extend_from_slice(&[0x01, 0x00, 0x00, 0x00, 0x00, 0x00]);
    // Flags, nominal, normal, maximum, minimum.
    content.extend_from_slice(&[0x07, 40, 70, 10, 127, 0x80]);
    // Upper non-recoverable, critical, non-critical; lower ones.
    content.extend_from_slice(&[95, 90, 85, 0xf6, 0xfb, 0x00]);
    content.extend_from_slice(&[2, 2, 0, 0, 0]);
    push_name(&mut content, name);
    record(id, 0x01, &content)
}

pub(crate) fn record(id: u16, kind: u8, content: &[u8]) -> Vec<u8> {
    let [low, high] = id.to_le_bytes();
    let length = u8::try_from(content.len()).unwrap();
    [&[low, high, 0x51, kind, length], content].concat()
}

fn push_name(content: &mut Vec<u8>, name: &str) {
    content.push(0xc0 | u8::try_from(name.len()).unwrap());
    content.extend_from_slice(name.as_bytes());
}

/// A compact record of a discrete sensor.
pub(crate) fn compact(sensor_type: u8, event_type: u8, sharing: [u8; 2], name: &str) -> Vec<u8> {
    let mut content = vec![
        0x20,
        0x00,
        0x50,
        0x0a,
        0x01,
        0x67,
        0x40,
        sensor_type,
        event_type,
    ];
    content.extend_from_slice(&[0xff, 0x07, 0, 0, 0xff, 0x07]);
    content.extend_from_slice(&[0xc0, 0x00, 0x00]);
    content.extend_from_slice(&sharing);
    content.extend_from_slice(&[0; 6]);
    push_name(&mut content, name);
    record(7, 0x02, &content)
}

pub(crate) fn sensor(bytes: &[u8]) -> Sensor {
    match Record::parse(bytes).unwrap().kind {
        Kind::Sensor(sensor) => *sensor,
        other => panic!("{other:?} is no sensor"),
    }
}

#[test]
fn a_full_record_describes_a_sensor() {
    let sensor = sensor(&full(0x0102, 0x30, "CPU Temp"));
    assert_eq!(sensor.name, "CPU Temp");
    assert_eq!(
        (sensor.key.owner, sensor.key.lun, sensor.key.number),
        (0x20, 0, 0x30)
    );
    assert_eq!(sensor.entity, (3, 1));
    assert_eq!(sensor.sensor_type.words(), "temperature");
    assert_eq!(sensor.units.words(), "degrees C");
    assert!(sensor.is_threshold());
    let conversion = sensor.conversion.unwrap();
    assert_eq!(conversion.value(0xfb), Some(-5.0));
    let thresholds = sensor.thresholds.unwrap().converted(&conversion);
    assert_eq!(thresholds.upper_fatal, Some(95.0));
    assert_eq!(thresholds.upper_critical, Some(90.0));
    assert_eq!(thresholds.upper_warning, Some(85.0));
    assert_eq!(thresholds.lower_warning, Some(0.0));
    assert_eq!(thresholds.lower_critical, Some(-5.0));
    assert_eq!(thresholds.lower_fatal, Some(-10.0));
    assert_eq!(sensor.each(), [sensor]);
}

#[test]
fn a_compact_record_can_stand_for_several_sensors() {
    let one = sensor(&compact(0x08, 0x6f, [0x00, 0x00], "PS1 Status"));
    assert_eq!((one.name.as_str(), one.conversion), ("PS1 Status", None));
    assert_eq!(one.each().len(), 1);
    let shared = sensor(&compact(0x0d, 0x6f, [0x03, 0x84], "Drive ")).each();
    let names: Vec<_> = shared.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Drive4", "Drive5", "Drive6"]);
    let numbers: Vec<_> = shared.iter().map(|one| one.key.number).collect();
    assert_eq!(numbers, [0x50, 0x51, 0x52]);
    assert_eq!(shared[2].entity, (10, 3));
    let letters = sensor(&compact(0x0d, 0x6f, [0x12, 0x00], "Bay")).each();
    let names: Vec<_> = letters.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["BayA", "BayB"]);
}

#[test]
fn other_records_tell_what_they_locate() {
    let mut content = vec![0x20, 0x00, 0x51, 0x17, 0x01, 0x23, 0x6f, 0, 0, 0, 0];
    push_name(&mut content, "Intrusion");
    let Kind::EventOnly(event) = Record::parse(&record(1, 3, &content)).unwrap().kind else {
        panic!("no event-only record");
    };
    assert_eq!((event.name.as_str(), event.key.number), ("Intrusion", 0x51));
    assert_eq!((event.sensor_type.0, event.event_type), (0x23, 0x6f));
    let named = event.as_sensor();
    assert_eq!(
        (named.name, named.key, named.units.format()),
        (event.name, event.key, None)
    );

    let mut content = vec![0x20, 0x03, 0x80, 0x00, 0x00, 0x10, 0x01, 0x0a, 0x02, 0x00];
    push_name(&mut content, "PSU 2");
    let Kind::Fru(fru) = Record::parse(&record(1, 0x11, &content)).unwrap().kind else {
        panic!("no FRU locator");
    };
    assert_eq!((fru.name.as_str(), fru.id, fru.logical), ("PSU 2", 3, true));
    assert_eq!((fru.controller, fru.entity), (0x20, (10, 2)));

    let mut content = vec![0x2c, 0x06, 0, 0xff, 0, 0, 0, 0x2e, 1, 0];
    push_name(&mut content, "ME");
    let Kind::Controller(one) = Record::parse(&record(1, 0x12, &content)).unwrap().kind else {
        panic!("no controller locator");
    };
    assert_eq!(
        (one.name.as_str(), one.address, one.channel),
        ("ME", 0x2c, 6)
    );
    let other = Record::parse(&record(1, 0xc0, &[1, 2, 3])).unwrap();
    assert_eq!(other.kind, Kind::Other(0xc0));
}

#[test]
fn lying_lengths_are_told_with_the_record() {
    let bytes = full(0x0102, 1, "CPU");
    let cut = Record::parse(&bytes[..20]).unwrap_err();
    assert_eq!(
        cut.to_string(),
        "sensor data record 0x0102: it says 46 bytes and has 15"
    );
    let few = Record::parse(&record(9, 1, &[0x20, 0, 1])).unwrap_err();
    let sentence = "sensor data record 0x0009: 3 bytes are too few for type 0x01";
    assert_eq!(few.to_string(), sentence);
    assert!(Record::parse(&bytes[..4]).is_err());
    // A name that claims to be longer than the record is what is there.
    let mut long = full(1, 1, "CPU");
    let at = long.len() - 4;
    long[at] = 0xc0 | 16;
    assert_eq!(sensor(&long).name, "CPU");
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_a_sentence(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(Record { kind: Kind::Sensor(sensor), .. }) = Record::parse(&bytes) {
            prop_assert!(sensor.each().len() <= 15);
        }
    }

    #[test]
    fn damaged_records_never_panic(at in 0_usize..50, byte: u8) {
        let mut bytes = full(1, 1, "CPU Temp");
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Record::parse(&bytes);
        let mut bytes = compact(0x0d, 0x6f, [0x0f, 0xff], "Drive");
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(Record { kind: Kind::Sensor(sensor), .. }) = Record::parse(&bytes) {
            prop_assert!(!sensor.each().is_empty());
        }
    }
}
