//! What a machine measures, and the states of its parts.

use super::Machine;
use super::facts::{DRIVES, SUPPLIES};

/// Sensors of a machine.
pub const SENSORS: usize = 6;

/// What a sensor measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorKind {
    /// Degrees Celsius.
    Temperature,
    /// Revolutions a minute.
    Fan,
    /// Volts.
    Voltage,
    /// Watts.
    Power,
}

/// A sensor and what it says.
#[derive(Clone, Debug)]
pub struct Sensor {
    /// Its name.
    pub name: &'static str,
    /// What it measures.
    pub kind: SensorKind,
    /// What it measures now, in the unit of its kind.
    pub value: f64,
    /// Above it something is wrong.
    pub upper: Option<f64>,
}

/// A part that is well or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A power supply: its input is there or lost.
    PowerSupply,
    /// A drive in its slot: it works or failed.
    Drive,
    /// The chassis: it is closed or open.
    Chassis,
}

/// The state of a part.
#[derive(Clone, Debug)]
pub struct State {
    /// The sensor's name.
    pub name: String,
    /// What it is of.
    pub part: Part,
    /// Which of its kind, from 1 on.
    pub number: usize,
    /// Whether something is wrong.
    pub faulty: bool,
}

impl Sensor {
    /// Whether it is above its threshold.
    #[must_use]
    pub fn is_above(&self) -> bool {
        self.upper.is_some_and(|upper| self.value > upper)
    }
}

impl Machine {
    /// Whether one of these parts is faulty.
    #[must_use]
    pub fn has_fault(&self, part: Part) -> bool {
        self.states
            .iter()
            .any(|state| state.part == part && state.faulty)
    }

    /// Whether that part is faulty.
    #[must_use]
    pub fn is_faulty(&self, part: Part, number: usize) -> bool {
        let mut states = self.states.iter();
        states.any(|state| state.part == part && state.number == number && state.faulty)
    }
}

/// The sensors of a machine, and what they say at first.
#[allow(clippy::cast_precision_loss)]
pub(super) fn sensors(index: usize) -> [Sensor; SENSORS] {
    let drift = (index % 10) as f64;
    let sensor = |name, kind, value, upper| Sensor {
        name,
        kind,
        value,
        upper,
    };
    let temperature = SensorKind::Temperature;
    [
        sensor("Inlet Temp", temperature, 22.0 + drift, Some(45.0)),
        sensor("CPU1 Temp", temperature, 48.0 + drift, Some(95.0)),
        sensor("Fan 1", SensorKind::Fan, 4200.0 + 40.0 * drift, None),
        sensor("Fan 2", SensorKind::Fan, 4320.0 + 40.0 * drift, None),
        sensor("P12V", SensorKind::Voltage, 12.1, Some(13.2)),
        sensor("Total Power", SensorKind::Power, 240.0 + 2.0 * drift, None),
    ]
}

/// The states of a machine's parts: all is well.
pub(super) fn states() -> Vec<State> {
    let states = |part, count, name: fn(usize) -> String| {
        (1..=count).map(move |number| State {
            name: name(number),
            part,
            number,
            faulty: false,
        })
    };
    states(Part::PowerSupply, SUPPLIES.0, |number| {
        format!("PS{number}")
    })
    .chain(states(Part::Drive, DRIVES.0, |number| {
        format!("Drive {number}")
    }))
    .chain(states(Part::Chassis, 1, |_| "Intrusion".to_owned()))
    .collect()
}
