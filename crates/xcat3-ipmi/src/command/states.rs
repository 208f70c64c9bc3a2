//! Names of sensor types and sensor states (IPMI v2.0, tables 42-1 to 42-3).
//!
//! The specification gives few states a severity; the others have the one that an operator would give them.

use std::fmt;

use super::state_table;

/// Severity of a state or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Normal, or informational.
    Ok,
    /// Needs attention soon.
    Warning,
    /// Needs attention now.
    Critical,
}

/// The type of a sensor (table 42-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SensorType(pub u8);

const TYPES: [&str; 0x2d] = [
    "reserved",
    "temperature",
    "voltage",
    "current",
    "fan",
    "physical security",
    "platform security",
    "processor",
    "power supply",
    "power unit",
    "cooling device",
    "other units",
    "memory",
    "drive slot",
    "memory resize",
    "system firmware",
    "event logging",
    "watchdog 1",
    "system event",
    "critical interrupt",
    "button",
    "board",
    "microcontroller",
    "add-in card",
    "chassis",
    "chip set",
    "other FRU",
    "cable",
    "terminator",
    "system boot",
    "boot error",
    "OS boot",
    "OS critical stop",
    "slot",
    "system ACPI power state",
    "watchdog 2",
    "platform alert",
    "entity presence",
    "monitor ASIC",
    "LAN",
    "management subsystem health",
    "battery",
    "session audit",
    "version change",
    "FRU state",
];

impl SensorType {
    /// The name: "temperature", "fan", "memory"; "type 0xc0" for OEM types.
    #[must_use]
    pub fn name(self) -> String {
        match TYPES.get(usize::from(self.0)) {
            Some(name) => (*name).to_owned(),
            None => format!("type {:#04x}", self.0),
        }
    }
}

impl fmt::Display for SensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Text and severity of a state.
pub type NamedState = (&'static str, Severity);

/// The state for a bit of a sensor's states (0 to 14) or for the offset of an event; `None` for OEM and
/// undefined states.
#[must_use]
pub fn named_state(sensor_type: SensorType, event_type: u8, offset: u8) -> Option<NamedState> {
    let states = match event_type {
        0x01..=0x0c => state_table::GENERIC.get(usize::from(event_type) - 1)?,
        0x6f => state_table::specific(sensor_type.0),
        _ => return None,
    };
    let state = states.get(usize::from(offset)).copied();
    state.filter(|(text, _)| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_offsets_of_specification() {
        // (sensor type, event type, offset, text, severity)
        let cases = [
            (
                0x01,
                0x01,
                9,
                "upper critical, going high",
                Severity::Critical,
            ),
            (
                0x01,
                0x01,
                7,
                "upper non-critical, going high",
                Severity::Warning,
            ),
            (
                0x04,
                0x01,
                2,
                "lower critical, going low",
                Severity::Critical,
            ),
            (0x0d, 0x08, 1, "device present", Severity::Ok),
            (0x08, 0x0b, 1, "redundancy lost", Severity::Critical),
            (0x07, 0x6f, 0, "internal error (IERR)", Severity::Critical),
            (0x07, 0x6f, 7, "processor present", Severity::Ok),
            (0x08, 0x6f, 3, "input lost (AC or DC)", Severity::Critical),
            (0x0c, 0x6f, 0, "correctable ECC error", Severity::Warning),
            (
                0x0c,
                0x6f,
                5,
                "correctable ECC error logging limit reached",
                Severity::Warning,
            ),
            (0x0d, 0x6f, 1, "drive fault", Severity::Critical),
            (0x10, 0x6f, 2, "log cleared", Severity::Ok),
            (0x13, 0x6f, 10, "fatal bus error", Severity::Critical),
            (0x14, 0x6f, 2, "reset button pressed", Severity::Ok),
            (
                0x1f,
                0x6f,
                6,
                "boot completed, device not specified",
                Severity::Ok,
            ),
            (0x22, 0x6f, 5, "S4/S5 soft off", Severity::Ok),
            (0x23, 0x6f, 3, "watchdog power cycle", Severity::Critical),
            (0x29, 0x6f, 1, "battery failed", Severity::Critical),
            (0x2c, 0x6f, 4, "FRU active", Severity::Ok),
        ];
        for (sensor_type, event_type, offset, text, severity) in cases {
            let found = named_state(SensorType(sensor_type), event_type, offset);
            assert_eq!(
                found,
                Some((text, severity)),
                "{sensor_type:#x} {event_type:#x} {offset}"
            );
        }
    }

    #[test]
    fn state_undefined_has_no_name() {
        assert_eq!(named_state(SensorType(0xc0), 0x6f, 0), None);
        assert_eq!(named_state(SensorType(1), 0x01, 12), None);
        assert_eq!(named_state(SensorType(1), 0x70, 0), None);
        assert_eq!(named_state(SensorType(0x07), 0x6f, 15), None);
        assert_eq!(SensorType(0xc0).name(), "type 0xc0");
        assert_eq!(SensorType(0x2c).name(), "FRU state");
        assert_eq!(SensorType(0x23).name(), "watchdog 2");
    }
}
