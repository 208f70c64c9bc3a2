//! Sensors as rows.

use xcat3_core::hardware::{Health, Sensor, Sensors};

use super::{Told, or_dash};

pub const HEADERS: [&str; 5] = ["NODE", "SENSOR", "KIND", "READING", "HEALTH"];

/// A row a sensor of the wanted `kind`, or of any.
pub fn rows(all: &Sensors, kind: Option<&str>) -> Told {
    let wanted = |sensor: &&Sensor| {
        let of = sensor.kind.as_deref().unwrap_or_default();
        kind.is_none_or(|kind| of.eq_ignore_ascii_case(kind))
    };
    let row = |sensor: &Sensor| {
        vec![
            sensor.name.clone(),
            or_dash(sensor.kind.as_deref()),
            reading(sensor),
            health(sensor.health).to_owned(),
        ]
    };
    let rows = all.sensors.iter().filter(wanted).map(row).collect();
    let nothing = match kind {
        None => "no sensors".to_owned(),
        Some(kind) => format!("no sensors of the kind '{kind}'"),
    };
    Told::rows(rows, &all.notes).or(&nothing)
}

fn reading(sensor: &Sensor) -> String {
    match (sensor.value, sensor.state.as_deref()) {
        (Some(value), _) => {
            let unit = sensor.unit.as_deref().map(|unit| format!(" {unit}"));
            format!("{}{}", number(value), unit.unwrap_or_default())
        }
        (None, state) => or_dash(state),
    }
}

/// At most three decimals, and none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// The word for it.
pub fn health(health: Health) -> &'static str {
    match health {
        Health::Unknown => "-",
        Health::Ok => "ok",
        Health::Warning => "warning",
        Health::Critical => "critical",
    }
}
