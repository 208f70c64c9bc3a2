//! Tests of readings.

use super::super::record::tests::{compact, full, sensor};
use super::*;
use crate::command::script::Script;

fn reading(state: SensorState) -> Reading {
    match state {
        SensorState::Reading(reading) => reading,
        SensorState::Absent(reason) => panic!("{reason}"),
    }
}

#[test]
fn threshold_exceeded_is_a_state() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let normal = reading(SensorState::parse(&cpu, &[42, 0xc0, 0xc0]).unwrap());
    assert_eq!(
        (normal.value, normal.severity),
        (Some(42.0), Some(Severity::Ok))
    );
    assert!(normal.states.is_empty());
    let hot = reading(SensorState::parse(&cpu, &[91, 0xc0, 0xd8, 0x80]).unwrap());
    assert_eq!(hot.severity, Some(Severity::Critical));
    assert_eq!(
        hot.states,
        ["above upper non-critical", "above upper critical"]
    );
    let cold = reading(SensorState::parse(&cpu, &[0xff, 0xc0, 0xc1]).unwrap());
    assert_eq!(
        (cold.value, cold.severity),
        (Some(-1.0), Some(Severity::Warning))
    );
    assert_eq!(cold.states, ["below lower non-critical"]);
}

#[test]
fn reading_without_states_is_compared_with_thresholds_of_record() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let hot = reading(SensorState::parse(&cpu, &[96, 0xc0]).unwrap());
    assert_eq!(hot.severity, Some(Severity::Critical));
    assert_eq!(hot.states.len(), 3);
    // 0xf6 is -10: at the lower non-recoverable threshold.
    let cold = reading(SensorState::parse(&cpu, &[0xf6, 0xc0]).unwrap());
    assert_eq!(cold.states.len(), 3);
    assert_eq!(cold.states[2], "below lower non-recoverable");
}

#[test]
fn sensor_without_reading_says_why() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let absent = |response: &[u8]| SensorState::parse(&cpu, response).unwrap();
    assert_eq!(
        absent(&[0, 0xe0, 0]),
        SensorState::Absent("reading unavailable".into())
    );
    assert_eq!(
        absent(&[0, 0x80, 0]),
        SensorState::Absent("scanning disabled".into())
    );
    let error = SensorState::parse(&cpu, &[0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "sensor 0x30 (CPU Temp): the reading is truncated"
    );
}

#[test]
fn discrete_states_have_texts_and_severity() {
    let supply = sensor(&compact(0x08, 0x6f, [0, 0], "PS1 Status"));
    let read = |response: &[u8]| reading(SensorState::parse(&supply, response).unwrap());
    let normal = read(&[0, 0xc0, 0x01, 0x80]);
    assert_eq!((normal.value, normal.severity), (None, Some(Severity::Ok)));
    assert_eq!(normal.states, ["power supply present"]);
    let lost = read(&[0, 0xc0, 0x09, 0x80]);
    assert_eq!(lost.severity, Some(Severity::Critical));
    assert_eq!(
        lost.states,
        ["power supply present", "input lost (AC or DC)"]
    );
    assert!(read(&[0, 0xc0]).states.is_empty());
}

#[test]
fn discrete_state_of_oem_has_no_severity() {
    let oem = sensor(&compact(0xc0, 0x70, [0, 0], "OEM"));
    let oem = reading(SensorState::parse(&oem, &[0, 0xc0, 0x02, 0x81]).unwrap());
    assert_eq!(oem.states, ["OEM state 1", "OEM state 8"]);
    assert_eq!(oem.severity, None);
}

#[tokio::test]
async fn sensor_refused_or_of_other_owner_is_absent() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let mut bmc = Script::new(&[
        (&[0x04, 0x2d, 0x30], Err(0xcb)),
        (&[0x04, 0x2d, 0x30], Err(0xc1)),
    ]);
    assert_eq!(
        read(&mut bmc, &cpu).await.unwrap(),
        SensorState::Absent("not present".into())
    );
    assert_eq!(
        read(&mut bmc, &cpu).await.unwrap(),
        SensorState::Absent(
            "cannot be read: the BMC does not have this command (completion code 0xc1)".into()
        )
    );
    let mut other = cpu.clone();
    other.key.owner = 0x2c;
    let state = read(&mut Script::new(&[]), &other).await.unwrap();
    assert_eq!(
        state,
        SensorState::Absent("owned by controller 0x2c".into())
    );
}

#[tokio::test]
async fn sensor_nonlinear_is_converted_with_factors_of_the_reading() {
    let mut cpu = sensor(&full(1, 0x30, "CPU Temp"));
    if let Some(conversion) = &mut cpu.conversion {
        conversion.linearisation = 0x70;
    }
    let mut bmc = Script::new(&[
        (&[0x04, 0x2d, 0x30], Ok(&[10, 0xc0, 0xc0])),
        (&[0x04, 0x23, 0x30, 10], Ok(&[11, 5, 0, 3, 0, 0, 0])),
    ]);
    let state = read(&mut bmc, &cpu).await.unwrap();
    assert_eq!(reading(state).value, Some(53.0));
}
