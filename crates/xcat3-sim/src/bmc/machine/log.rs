//! The event log of a machine: bounded, as that of a BMC; where it is full the oldest event makes room.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Machine;
use super::sensors::{Part, SensorKind};

/// The most events of a log.
pub const MOST_EVENTS: usize = 512;

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// Something should be looked at.
    Warning,
    /// Something is broken.
    Critical,
}

/// What happened, for interfaces that have no room for a sentence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Happening {
    /// The log was cleared.
    Cleared,
    /// The machine went on or off.
    Power(bool),
    /// It was restarted.
    Restarted,
    /// A reading went above its upper critical threshold, or came back.
    Threshold {
        /// Its place among the machine's sensors.
        sensor: usize,
        /// What it measures.
        kind: SensorKind,
        /// What it measured.
        reading: f64,
        /// The threshold.
        upper: f64,
        /// Whether it went above.
        above: bool,
    },
    /// A part failed, or is well again.
    Fault {
        /// Its place among the machine's states.
        state: usize,
        /// What it is.
        part: Part,
        /// Whether it failed.
        begins: bool,
    },
    /// Something else.
    Other,
}

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number.
    pub id: u32,
    /// When, as seconds since 1970.
    pub time: u64,
    /// How bad it is.
    pub severity: Severity,
    /// Which sensor or part.
    pub source: String,
    /// What happened, as a sentence.
    pub message: String,
    /// What happened.
    pub what: Happening,
}

/// The time, as seconds since 1970.
pub(super) fn now() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |time| time.as_secs())
}

impl Machine {
    /// Notes an event.
    pub fn event(&mut self, severity: Severity, source: &str, message: &str) {
        self.note(
            now(),
            severity,
            source,
            message.to_owned(),
            Happening::Other,
        );
    }

    /// Notes an event of that time.
    pub(super) fn note(
        &mut self,
        time: u64,
        severity: Severity,
        source: &str,
        message: String,
        what: Happening,
    ) {
        if self.events.len() >= MOST_EVENTS {
            self.events.drain(..=self.events.len() - MOST_EVENTS);
            self.events_lost = true;
        }
        self.events.push(Event {
            id: self.events.last().map_or(0, |last| last.id).wrapping_add(1),
            time,
            severity,
            source: source.to_owned(),
            message,
            what,
        });
    }

    /// Clears the log.
    pub fn clear_log(&mut self) {
        self.events.clear();
        self.events_lost = false;
    }
}

/// The log of a machine from the factory.
pub(super) fn events() -> Vec<Event> {
    let event = |id, time, severity, source: &str, message: &str, what| Event {
        id,
        time,
        severity,
        source: source.to_owned(),
        message: message.to_owned(),
        what,
    };
    let lost = |begins| Happening::Fault {
        state: 1,
        part: Part::PowerSupply,
        begins,
    };
    vec![
        event(
            1,
            1_767_225_600,
            Severity::Ok,
            "SEL",
            "The log was cleared.",
            Happening::Cleared,
        ),
        event(
            2,
            1_767_225_660,
            Severity::Warning,
            "PS2",
            "Power supply 2 lost its input.",
            lost(true),
        ),
        event(
            3,
            1_767_225_720,
            Severity::Ok,
            "PS2",
            "Power supply 2 has its input again.",
            lost(false),
        ),
    ]
}
