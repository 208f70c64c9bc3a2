//! What sensors watch, and what their states mean, in words (IPMI v2.0, tables 42-1 to 42-3).
//!
//! How bad a state is, the specification leaves open for most; here it is what an operator would say.

use std::fmt;

use super::state_words;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// As it should be, or just news.
    Ok,
    /// Needs attention.
    Warning,
    /// Needs attention now.
    Critical,
}

/// What a sensor watches (table 42-3).
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
    /// In words: "temperature", "fan", "memory"; "type 0xc0" where its maker defines it.
    #[must_use]
    pub fn words(self) -> String {
        match TYPES.get(usize::from(self.0)) {
            Some(words) => (*words).to_owned(),
            None => format!("type {:#04x}", self.0),
        }
    }
}

impl fmt::Display for SensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

/// A state and how bad it is.
pub type Words = (&'static str, Severity);

/// What a bit of a sensor's states (0 to 14), or the offset of an event, means. Nothing where its maker
/// defines it, or nobody.
#[must_use]
pub fn words(sensor_type: SensorType, event_type: u8, offset: u8) -> Option<Words> {
    let states = match event_type {
        0x01..=0x0c => state_words::GENERIC.get(usize::from(event_type) - 1)?,
        0x6f => state_words::specific(sensor_type.0),
        _ => return None,
    };
    let words = states.get(usize::from(offset)).copied();
    words.filter(|words| !words.0.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stand_at_their_offsets() {
        // (sensor type, event type, offset, word): as the tables of the specification number them.
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
            let found = words(SensorType(sensor_type), event_type, offset);
            assert_eq!(
                found,
                Some((text, severity)),
                "{sensor_type:#x} {event_type:#x} {offset}"
            );
        }
    }

    #[test]
    fn what_is_not_defined_has_no_words() {
        assert_eq!(words(SensorType(0xc0), 0x6f, 0), None);
        assert_eq!(words(SensorType(1), 0x01, 12), None);
        assert_eq!(words(SensorType(1), 0x70, 0), None);
        assert_eq!(words(SensorType(0x07), 0x6f, 15), None);
        assert_eq!(SensorType(0xc0).words(), "type 0xc0");
        assert_eq!(SensorType(0x2c).words(), "FRU state");
        assert_eq!(SensorType(0x23).words(), "watchdog 2");
    }
}
