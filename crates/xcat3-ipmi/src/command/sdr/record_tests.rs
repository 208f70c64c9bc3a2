//! Tests of sensor data records, and records for other tests.

use proptest::prelude::*;

use super::*;

/// A full record in the layout of the specification: degrees C, M 1.
pub(crate) fn full(id: u16, number: u8, name: &str) -> Vec<u8> {
    let mut content = vec![0x20, 0x00, number, 0x03, 0x01, 0x7f, 0x68, 0x01, 0x01];
    // Masks: assertion, deassertion, readable and settable thresholds.
    content.extend_from_slice(&[0x95, 0x7a, 0x95, 0x7a, 0x3f, 0x3f]);
    // Two's complement, degrees C; linear; M 1.
    content.extend_from_slice(&[0x80, 0x01, 0x00, 0x00]);
    content.extend_from_slice(&[0x01, 0x00, 0x00, 0x00, 0x00, 0x00]);
    // Flags, nominal, normal maximum and minimum, maximum, minimum.
    content.extend_from_slice(&[0x07, 40, 70, 10, 127, 0x80]);
    // Upper non-recoverable, critical, non-critical; lower ones.
    content.extend_from_slice(&[95, 90, 85, 0xf6, 0xfb, 0x00]);
    content.extend_from_slice(&[2, 2, 0, 0, 0]);
    push_name(&mut content, name);
    record(id, 0x01, &content)
}

pub(crate) fn record(id: u16, record_type: u8, content: &[u8]) -> Vec<u8> {
    let [low, high] = id.to_le_bytes();
    let length = u8::try_from(content.len()).unwrap();
    [&[low, high, 0x51, record_type, length], content].concat()
}

fn push_name(content: &mut Vec<u8>, name: &str) {
    content.push(0xc0 | u8::try_from(name.len()).unwrap());
    content.extend_from_slice(name.as_bytes());
}

/// A compact record of a discrete sensor.
pub(crate) fn compact(sensor_type: u8, event_type: u8, sharing: [u8; 2], name: &str) -> Vec<u8> {
    let mut content = vec![0x20, 0x00, 0x50, 0x0a, 0x01, 0x67, 0x40];
    content.extend_from_slice(&[sensor_type, event_type]);
    content.extend_from_slice(&[0xff, 0x07, 0, 0, 0xff, 0x07]);
    content.extend_from_slice(&[0xc0, 0x00, 0x00]);
    content.extend_from_slice(&sharing);
    content.extend_from_slice(&[0; 6]);
    push_name(&mut content, name);
    record(7, 0x02, &content)
}

pub(crate) fn sensor(bytes: &[u8]) -> Sensor {
    match Record::parse(bytes).unwrap() {
        Record::Sensor(sensor) => *sensor,
        other => panic!("{other:?} is no sensor"),
    }
}

#[test]
fn full_record_describes_a_sensor() {
    let sensor = sensor(&full(0x0102, 0x30, "CPU Temp"));
    assert_eq!(sensor.name, "CPU Temp");
    let key = SensorKey {
        owner: 0x20,
        lun: 0,
        number: 0x30,
    };
    assert_eq!(sensor.key, key);
    assert_eq!(sensor.sensor_type.name(), "temperature");
    assert_eq!(sensor.units.name(), "degrees C");
    assert!(sensor.is_threshold());
    let conversion = sensor.conversion.unwrap();
    assert_eq!(conversion.value(0xfb), Some(-5.0));
    let thresholds = sensor.thresholds.unwrap();
    let values = [0, 1, 2, 3, 4, 5].map(|index| thresholds.value(&conversion, index));
    let expected = [0.0, -5.0, -10.0, 85.0, 90.0, 95.0];
    assert_eq!(values, expected.map(Some));
    assert_eq!(sensor.expand(), [sensor]);
}

#[test]
fn compact_record_shared_expands_to_several_sensors() {
    let one = sensor(&compact(0x08, 0x6f, [0x00, 0x00], "PS1 Status"));
    assert_eq!((one.name.as_str(), one.conversion), ("PS1 Status", None));
    assert_eq!(one.expand().len(), 1);
    let shared = sensor(&compact(0x0d, 0x6f, [0x03, 0x84], "Drive ")).expand();
    let names: Vec<_> = shared.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Drive4", "Drive5", "Drive6"]);
    let numbers: Vec<_> = shared.iter().map(|one| one.key.number).collect();
    assert_eq!(numbers, [0x50, 0x51, 0x52]);
    let letters = sensor(&compact(0x0d, 0x6f, [0x12, 0x00], "Bay")).expand();
    let names: Vec<_> = letters.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["BayA", "BayB"]);
}

#[test]
fn event_only_record_describes_a_sensor_without_readings() {
    let mut content = vec![0x20, 0x00, 0x51, 0x17, 0x01, 0x23, 0x6f, 0, 0, 0, 0];
    push_name(&mut content, "Intrusion");
    let Record::EventOnly(sensor) = Record::parse(&record(1, 3, &content)).unwrap() else {
        panic!("no event-only record");
    };
    assert_eq!(
        (sensor.name.as_str(), sensor.key.number),
        ("Intrusion", 0x51)
    );
    assert_eq!((sensor.sensor_type.0, sensor.event_type), (0x23, 0x6f));
    assert_eq!((sensor.units.format(), sensor.conversion), (None, None));
}

#[test]
fn fru_locator_names_unit_and_controller() {
    let mut content = vec![0x20, 0x03, 0x80, 0x00, 0x00, 0x10, 0x01, 0x0a, 0x02, 0x00];
    push_name(&mut content, "PSU 2");
    let Record::Fru(fru) = Record::parse(&record(1, 0x11, &content)).unwrap() else {
        panic!("no FRU locator");
    };
    assert_eq!((fru.name.as_str(), fru.id, fru.logical), ("PSU 2", 3, true));
    assert_eq!(fru.controller, 0x20);
}

#[test]
fn record_of_other_type_is_kept_as_its_type() {
    let other = Record::parse(&record(1, 0xc0, &[1, 2, 3])).unwrap();
    assert_eq!(other, Record::Other(0xc0));
}

#[test]
fn record_with_wrong_length_is_an_error_that_names_it() {
    let bytes = full(0x0102, 1, "CPU");
    let short = Record::parse(&bytes[..20]).unwrap_err();
    assert_eq!(
        short.to_string(),
        "SDR 0x0102: length is 46 bytes, but 15 follow"
    );
    let few = Record::parse(&record(9, 1, &[0x20, 0, 1])).unwrap_err();
    let sentence = "SDR 0x0009: 3 bytes are too few for record type 0x01";
    assert_eq!(few.to_string(), sentence);
    assert!(Record::parse(&bytes[..4]).is_err());
}

#[test]
fn name_longer_than_record_ends_with_record() {
    let mut long = full(1, 1, "CPU");
    let type_length = long.len() - 4;
    long[type_length] = 0xc0 | 16;
    assert_eq!(sensor(&long).name, "CPU");
}

proptest! {
    #[test]
    fn record_arbitrary_is_parsed_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        if let Ok(Record::Sensor(sensor)) = Record::parse(&bytes) {
            prop_assert!(sensor.expand().len() <= 15);
        }
    }

    #[test]
    fn record_damaged_never_panics(index in 0_usize..50, byte: u8) {
        let mut bytes = full(1, 1, "CPU Temp");
        let index = index % bytes.len();
        bytes[index] = byte;
        let _ = Record::parse(&bytes);
        let mut bytes = compact(0x0d, 0x6f, [0x0f, 0xff], "Drive");
        let index = index % bytes.len();
        bytes[index] = byte;
        if let Ok(Record::Sensor(sensor)) = Record::parse(&bytes) {
            prop_assert!(!sensor.expand().is_empty());
        }
    }
}
