//! How readings and states go with the time, where they do: the same for a machine's number, the seconds
//! since the start and when it was switched. Five machines in a hundred have a CPU that gets too hot for some
//! minutes of each half hour, and others a power supply that loses its input, a drive that fails or a chassis
//! that is opened.

use std::f64::consts::TAU;

use super::log::{Happening, Severity, now};
use super::sensors::Part;
use super::{Machine, SensorKind};

/// What happens between two looks is told in steps of so many seconds, and for so many steps at most.
const STEP: u64 = 10;
const STEPS: u64 = 360;
/// How fast a CPU takes its new temperature, seconds.
const INERTIA: f64 = 90.0;

/// What the readings of a machine go by.
#[derive(Clone, Debug)]
pub(super) struct Varying {
    index: usize,
    /// Seconds since the start until which events are told.
    told: u64,
    /// When it was switched last, and how many degrees the CPU was above the inlet then.
    switched: u64,
    heat: f64,
}

impl Varying {
    pub(super) const fn new(index: usize) -> Self {
        Self {
            index,
            told: 0,
            switched: 0,
            heat: 0.0,
        }
    }

    /// How busy the machine is, 0 to 1.
    fn load(&self, second: u64) -> f64 {
        self.wave(second, 600).mul_add(0.5, 0.5)
    }

    /// -1 to 1 in so many seconds, each machine at another place of it.
    #[allow(clippy::cast_precision_loss)]
    fn wave(&self, second: u64, period: u64) -> f64 {
        let place = (second + self.index as u64 * 37) % period;
        (TAU * place as f64 / period as f64).sin()
    }

    /// How many degrees the CPU is above the inlet.
    #[allow(clippy::cast_precision_loss)]
    fn heat(&self, on: bool, second: u64) -> f64 {
        let target = match on {
            true => 26.0 + 8.0 * self.load(second) + self.too_hot(second),
            false => 0.0,
        };
        let passed = second.saturating_sub(self.switched) as f64;
        target + (self.heat - target) * (-passed / INERTIA).exp()
    }

    /// What is added where the cooling is not enough: in five machines of a hundred, for some minutes.
    #[allow(clippy::cast_precision_loss)]
    fn too_hot(&self, second: u64) -> f64 {
        let place = second % 1800;
        match (self.index % 20, place) {
            (5, 300..600) => (place - 300) as f64 / 300.0 * 55.0,
            (5, 600..900) => (900 - place) as f64 / 300.0 * 55.0,
            _ => 0.0,
        }
    }

    /// What a sensor says, in steps that IPMI can tell.
    #[allow(clippy::cast_precision_loss)]
    fn reading(&self, name: &str, kind: SensorKind, on: bool, second: u64) -> f64 {
        let inlet = 22.0 + (self.index % 10) as f64 + 1.5 * self.wave(second, 900);
        match kind {
            SensorKind::Temperature if name.starts_with("Inlet") => inlet.round(),
            SensorKind::Temperature => (inlet + self.heat(on, second)).round(),
            _ if !on => match kind {
                // What the BMC itself draws.
                SensorKind::Power => 16.0,
                _ => 0.0,
            },
            SensorKind::Fan => {
                let second_fan = if name.ends_with('2') { 120.0 } else { 0.0 };
                let speed = 60.0_f64.mul_add(self.heat(on, second), 3000.0) + second_fan;
                (speed / 40.0).round() * 40.0
            }
            SensorKind::Voltage => (121.0 + self.wave(second, 240).round()) / 10.0,
            SensorKind::Power => (60.0_f64.mul_add(self.load(second), 90.0)).round() * 2.0,
        }
    }

    /// Whether something is wrong with a part.
    const fn is_faulty(&self, part: Part, number: usize, second: u64) -> bool {
        match (part, number) {
            (Part::PowerSupply, 2) => {
                self.index % 20 == 7 && second % 3600 >= 600 && second % 3600 < 900
            }
            (Part::Drive, 2) => self.index % 25 == 11 && second >= 120,
            (Part::Chassis, _) => {
                self.index % 50 == 13 && second % 7200 >= 1800 && second % 7200 < 1860
            }
            _ => false,
        }
    }
}

impl Machine {
    /// Readings and states become those of this second since the start; what happened until then is
    /// noted.
    pub(super) fn vary(&mut self, second: u64) {
        let Some(varying) = self.varying.clone() else {
            return;
        };
        if second <= varying.told && second != 0 {
            return;
        }
        let first = varying.told.max(second.saturating_sub(STEP * STEPS));
        let mut step = first + STEP;
        while step < second {
            self.become_as_at(&varying, step, second - step);
            step += STEP;
        }
        self.become_as_at(&varying, second, 0);
        self.varying = Some(Varying {
            told: second,
            ..varying
        });
    }

    fn become_as_at(&mut self, varying: &Varying, second: u64, ago: u64) {
        let time = now().saturating_sub(ago);
        for place in 0..self.sensors.len() {
            let sensor = &mut self.sensors[place];
            let was_above = sensor.is_above();
            sensor.value = varying.reading(sensor.name, sensor.kind, self.power, second);
            if sensor.is_above() != was_above {
                self.note_threshold(place, time);
            }
        }
        for place in 0..self.states.len() {
            let state = &mut self.states[place];
            let faulty = varying.is_faulty(state.part, state.number, second);
            if std::mem::replace(&mut state.faulty, faulty) != faulty {
                self.note_state(place, time);
            }
        }
    }

    /// The machine is about to be switched: from now on it warms or cools from what it is.
    pub(super) fn is_switched(&mut self) {
        let on = self.power;
        if let Some(varying) = &mut self.varying {
            varying.heat = varying.heat(on, varying.told);
            varying.switched = varying.told;
        }
    }

    fn note_threshold(&mut self, place: usize, time: u64) {
        let sensor = self.sensors[place].clone();
        let above = sensor.is_above();
        let upper = sensor.upper.unwrap_or_default();
        let (severity, how) = match above {
            true => (Severity::Critical, "above its upper critical threshold"),
            false => (Severity::Ok, "below its upper critical threshold again"),
        };
        let message = format!(
            "{} is {how}: {}, threshold {upper}.",
            sensor.name, sensor.value
        );
        let what = Happening::Threshold {
            sensor: place,
            kind: sensor.kind,
            reading: sensor.value,
            upper,
            above,
        };
        self.note(time, severity, sensor.name, message, what);
    }

    fn note_state(&mut self, place: usize, time: u64) {
        let state = self.states[place].clone();
        let number = state.number;
        let (severity, message) = match (state.part, state.faulty) {
            (Part::PowerSupply, true) => (
                Severity::Warning,
                format!("Power supply {number} lost its input."),
            ),
            (Part::PowerSupply, false) => (
                Severity::Ok,
                format!("Power supply {number} has its input again."),
            ),
            (Part::Drive, true) => (Severity::Critical, format!("Drive {number} failed.")),
            (Part::Drive, false) => (Severity::Ok, format!("Drive {number} works again.")),
            (Part::Chassis, true) => (Severity::Warning, "The chassis was opened.".to_owned()),
            (Part::Chassis, false) => (Severity::Ok, "The chassis was closed.".to_owned()),
        };
        let what = Happening::Fault {
            state: place,
            part: state.part,
            begins: state.faulty,
        };
        self.note(time, severity, &state.name, message, what);
    }
}
