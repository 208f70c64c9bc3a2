//! Commands of the chassis: its state, its power, its LED (28.1 to 28.5).

use std::time::{Duration, Instant};

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE, PRESENT_STATE};

/// How long the LED blinks where the request does not say, seconds (28.5).
const BLINKS: u8 = 15;
/// After a loss of power the machine is as it was before.
const AS_BEFORE: u8 = 0x20;
/// The BMC tells the state of the LED.
const TELLS_LED: u8 = 0x40;

/// Get Chassis Capabilities.
pub(super) fn capabilities(_: &mut Ask<'_>) -> Answer {
    Ok(vec![0, 0x20, 0x20, 0x20, 0x20])
}

/// Get Chassis Status.
pub(super) fn status(ask: &mut Ask<'_>) -> Answer {
    let machine = ask.machine();
    let led = match (machine.beacon, machine.beacon_until) {
        (false, _) => 0,
        (true, Some(_)) => 0x10,
        (true, None) => 0x20,
    };
    let power = AS_BEFORE | u8::from(machine.power);
    Ok(vec![power, 0, TELLS_LED | led])
}

/// Chassis Control.
pub(super) fn control(ask: &mut Ask<'_>) -> Answer {
    let [what] = ask.bytes()?;
    let mut machine = ask.machine();
    match (what & 0x0f, machine.power) {
        (0, _) => machine.turn_off(),
        (1, _) => machine.turn_on(),
        // Cycle and reset.
        (2 | 3, true) => machine.restart(),
        // A diagnostic interrupt: nothing runs that would take it.
        (4, true) => {}
        (5, true) => machine.turn_off(),
        (2..=5, false) => return Err(PRESENT_STATE),
        _ => return Err(OUT_OF_RANGE),
    }
    Ok(Vec::new())
}

/// Chassis Identify.
pub(super) fn identify(ask: &mut Ask<'_>) -> Answer {
    let (seconds, forced) = match ask.data {
        [] => (BLINKS, false),
        [seconds] => (*seconds, false),
        [seconds, force] => (*seconds, force & 1 != 0),
        _ => return Err(Completion::WRONG_LENGTH),
    };
    let mut machine = ask.machine();
    if forced {
        machine.blink(None);
    } else if seconds == 0 {
        machine.beacon = false;
    } else {
        machine.blink(Some(Instant::now() + Duration::from_secs(seconds.into())));
    }
    Ok(Vec::new())
}
