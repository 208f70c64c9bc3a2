use super::super::record::tests::{compact, full, sensor};
use super::*;
use crate::command::script::Script;

fn value(state: State) -> Value {
    match state {
        State::Read(value) => value,
        State::Absent(why) => panic!("{why}"),
    }
}

#[test]
fn a_reading_is_a_number_and_what_it_passed() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let fine = value(State::parse(&cpu, &[42, 0xc0, 0xc0]).unwrap());
    assert_eq!(
        (fine.number, fine.severity),
        (Some(42.0), Some(Severity::Ok))
    );
    assert!(fine.states.is_empty());
    let hot = value(State::parse(&cpu, &[91, 0xc0, 0xd8, 0x80]).unwrap());
    assert_eq!(hot.severity, Some(Severity::Critical));
    assert_eq!(
        hot.states,
        ["above upper non-critical", "above upper critical"]
    );
    let cold = value(State::parse(&cpu, &[0xff, 0xc0, 0xc1]).unwrap());
    assert_eq!(
        (cold.number, cold.severity),
        (Some(-1.0), Some(Severity::Warning))
    );
    assert_eq!(cold.states, ["below lower non-critical"]);
    // Where the BMC leaves the states out, the record's thresholds say it.
    let computed = value(State::parse(&cpu, &[96, 0xc0]).unwrap());
    assert_eq!(computed.severity, Some(Severity::Critical));
    assert_eq!(computed.states.len(), 3);
}

#[test]
fn a_sensor_that_does_not_read_says_why() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let absent = |answer: &[u8]| State::parse(&cpu, answer).unwrap();
    assert_eq!(
        absent(&[0, 0xe0, 0]),
        State::Absent("reading unavailable".into())
    );
    assert_eq!(
        absent(&[0, 0x80, 0]),
        State::Absent("scanning disabled".into())
    );
    let short = State::parse(&cpu, &[0]).unwrap_err();
    assert_eq!(
        short.to_string(),
        "sensor 0x30 (CPU Temp): the reading is cut off"
    );
}

#[test]
fn discrete_states_are_words() {
    let supply = sensor(&compact(0x08, 0x6f, [0, 0], "PS1 Status"));
    let read = |answer: &[u8]| value(State::parse(&supply, answer).unwrap());
    let fine = read(&[0, 0xc0, 0x01, 0x80]);
    assert_eq!((fine.number, fine.severity), (None, Some(Severity::Ok)));
    assert_eq!(fine.states, ["power supply present"]);
    let lost = read(&[0, 0xc0, 0x09, 0x80]);
    assert_eq!(lost.severity, Some(Severity::Critical));
    assert_eq!(
        lost.states,
        ["power supply present", "input lost (AC or DC)"]
    );
    assert!(read(&[0, 0xc0]).states.is_empty());
    let own = sensor(&compact(0xc0, 0x70, [0, 0], "OEM"));
    let own = value(State::parse(&own, &[0, 0xc0, 0x02, 0x81]).unwrap());
    assert_eq!(
        own.states,
        ["state 1 (of its maker)", "state 8 (of its maker)"]
    );
    assert_eq!(own.severity, None);
}

#[tokio::test]
async fn what_a_bmc_refuses_to_read_is_absent() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let mut bmc = Script::new(&[(&[0x04, 0x2d, 0x30], Err(0xcb))]);
    assert_eq!(
        read(&mut bmc, &cpu).await.unwrap(),
        State::Absent("not there".into())
    );
    let mut other = cpu.clone();
    other.key.owner = 0x2c;
    let state = read(&mut Script::new(&[]), &other).await.unwrap();
    assert_eq!(state, State::Absent("owned by controller 0x2c".into()));
}

#[tokio::test]
async fn a_curve_of_no_function_is_asked_for() {
    let mut cpu = sensor(&full(1, 0x30, "CPU Temp"));
    if let Some(conversion) = &mut cpu.conversion {
        conversion.linearisation = 0x70;
    }
    let mut bmc = Script::new(&[
        (&[0x04, 0x2d, 0x30], Ok(&[10, 0xc0, 0xc0])),
        (&[0x04, 0x23, 0x30, 10], Ok(&[11, 5, 0, 3, 0, 0, 0])),
    ]);
    let state = read(&mut bmc, &cpu).await.unwrap();
    assert_eq!(value(state).number, Some(53.0));
}

#[tokio::test]
async fn thresholds_are_the_bmcs_or_the_records() {
    let cpu = sensor(&full(1, 0x30, "CPU Temp"));
    let mut bmc = Script::new(&[(&[0x04, 0x27, 0x30], Ok(&[0x18, 0, 0, 0, 80, 85, 0]))]);
    let now = thresholds(&mut bmc, &cpu).await.unwrap();
    assert_eq!(
        (now.upper_warning, now.upper_critical),
        (Some(80.0), Some(85.0))
    );
    assert_eq!((now.lower_critical, now.upper_fatal), (None, None));
    let mut bmc = Script::new(&[(&[0x04, 0x27, 0x30], Err(0xc1))]);
    let recorded = thresholds(&mut bmc, &cpu).await.unwrap();
    assert_eq!(recorded.upper_critical, Some(90.0));
}
