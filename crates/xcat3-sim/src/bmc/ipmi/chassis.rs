//! Commands of the chassis: its state, its power, its LED (28.1 to 28.5).

use std::time::{Duration, Instant};

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask, OUT_OF_RANGE, PRESENT_STATE};
use crate::bmc::machine::{Part, RestartCause, RestorePolicy, Sensor};

/// How long the LED blinks where the request does not say, seconds (28.5).
const BLINKS: u8 = 15;
/// Power fault, of the first byte of the status.
const POWER_FAULT: u8 = 0x08;
/// The last power-on was by a command.
const ON_BY_COMMAND: u8 = 0x10;
/// Of the third byte: intrusion, a drive and the cooling.
const OPEN: u8 = 0x01;
const DRIVE_FAULT: u8 = 0x04;
const COOLING_FAULT: u8 = 0x08;
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
    let bit = |part, bit: u8| if machine.has_fault(part) { bit } else { 0 };
    let supply = bit(Part::PowerSupply, POWER_FAULT);
    let power = policy_number(machine.restore) << 5 | supply | u8::from(machine.power);
    let event = match machine.restart_cause {
        RestartCause::Command => ON_BY_COMMAND,
        _ => 0,
    };
    let too_hot = machine.sensors.iter().any(Sensor::is_above);
    let cooling = if too_hot { COOLING_FAULT } else { 0 };
    let other = bit(Part::Drive, DRIVE_FAULT) | bit(Part::Chassis, OPEN) | cooling;
    Ok(vec![power, event, TELLS_LED | led | other])
}

const fn policy_number(policy: RestorePolicy) -> u8 {
    match policy {
        RestorePolicy::Off => 0,
        RestorePolicy::Previous => 1,
        RestorePolicy::On => 2,
    }
}

/// Set Power Restore Policy; 3 asks only what can be set.
pub(super) fn set_policy(ask: &mut Ask<'_>) -> Answer {
    let [policy] = ask.bytes()?;
    let policy = match policy & 7 {
        0 => Some(RestorePolicy::Off),
        1 => Some(RestorePolicy::Previous),
        2 => Some(RestorePolicy::On),
        3 => None,
        _ => return Err(OUT_OF_RANGE),
    };
    if let Some(policy) = policy {
        ask.machine().restore = policy;
    }
    // All three.
    Ok(vec![7])
}

/// Get System Restart Cause, with the channel that it came by.
pub(super) fn restart_cause(ask: &mut Ask<'_>) -> Answer {
    let cause = match ask.machine().restart_cause {
        RestartCause::Unknown => 0,
        RestartCause::Command => 1,
        RestartCause::Button => 3,
    };
    Ok(vec![cause, super::device::CHANNEL])
}

/// Get POH Counter: hours.
pub(super) fn hours_on(ask: &mut Ask<'_>) -> Answer {
    let hours = ask.machine().time_on().as_secs() / 3600;
    let hours = u32::try_from(hours).unwrap_or(u32::MAX);
    Ok([&[60][..], &hours.to_le_bytes()].concat())
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
        (5, true) => machine.shut_down(),
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
