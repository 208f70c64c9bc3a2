//! Sensors, in each of their forms: a collection `Sensors`, the older `Thermal` and `Power`, or
//! `ThermalSubsystem` and `PowerSubsystem`. The form with the fewest requests is read first.

use xcat3_core::hardware::{Health, Sensor, Sensors};

use crate::client::Client;
use crate::error::{Error, sanitize};
use crate::resource::Resource;

/// The most sensors of one chassis that are read.
const MAX_SENSORS: usize = 1000;
/// The most chassis that are read.
const MAX_CHASSIS: usize = 8;

impl Client {
    /// The sensors of all chassis of the system that `selector` selects.
    ///
    /// # Errors
    /// There is no such system, or further requests would fail too.
    pub async fn sensors(&mut self, selector: Option<&str>) -> Result<Sensors, Error> {
        let system = self.system(selector).await?;
        let mut report = Sensors::default();
        for chassis in self.chassis(&system).await?.into_iter().take(MAX_CHASSIS) {
            self.chassis_sensors(&chassis, &mut report).await?;
        }
        report.notes.truncate(32);
        if report.sensors.is_empty() && report.notes.is_empty() {
            report.notes.push("the BMC reports no sensors".to_owned());
        }
        Ok(report)
    }

    async fn chassis_sensors(
        &mut self,
        chassis: &Resource,
        report: &mut Sensors,
    ) -> Result<(), Error> {
        let root = self.root().await?;
        let expands = root.flag("ProtocolFeaturesSupported/ExpandQuery/NoLinks") == Some(true);
        let before = report.sensors.len();
        let listed = chassis.link("Sensors");
        let is_old = chassis.link("Thermal").is_some() || chassis.link("Power").is_some();
        if expands || !is_old {
            self.listed(listed, report).await?;
        }
        if report.sensors.len() == before {
            self.thermal_and_power(chassis, report).await?;
        }
        if report.sensors.len() == before && !expands && is_old {
            self.listed(listed, report).await?;
        }
        if report.sensors.len() == before {
            self.subsystems(chassis, report).await?;
        }
        Ok(())
    }

    /// Reads the collection `Sensors` at `link`.
    async fn listed(&mut self, link: Option<&str>, report: &mut Sensors) -> Result<(), Error> {
        let all = self
            .members_or_note(link, MAX_SENSORS, &mut report.notes)
            .await?;
        report.sensors.extend(all.iter().map(sensor));
        Ok(())
    }

    /// Reads `Thermal` and `Power`.
    async fn thermal_and_power(
        &mut self,
        chassis: &Resource,
        report: &mut Sensors,
    ) -> Result<(), Error> {
        let thermal = self
            .get_or_note(chassis.link("Thermal"), &mut report.notes)
            .await?;
        let power = self
            .get_or_note(chassis.link("Power"), &mut report.notes)
            .await?;
        for (resource, list, kind, unit, fields) in [
            (
                &thermal,
                "Temperatures",
                "temperature",
                "degrees C",
                &["ReadingCelsius"][..],
            ),
            (
                &thermal,
                "Fans",
                "fan",
                "RPM",
                &["Reading", "ReadingRPM"][..],
            ),
            (&power, "Voltages", "voltage", "V", &["ReadingVolts"][..]),
            (
                &power,
                "PowerControl",
                "power",
                "W",
                &["PowerConsumedWatts"][..],
            ),
            (
                &power,
                "PowerSupplies",
                "power",
                "W",
                &["PowerOutputWatts", "LastPowerOutputWatts"][..],
            ),
        ] {
            let parts = resource.as_ref().map(|resource| resource.objects(list));
            for part in parts.unwrap_or_default().into_iter().take(MAX_SENSORS) {
                let name = part
                    .short_text("Name")
                    .or_else(|| part.short_text("FanName"));
                let name = name
                    .or_else(|| part.short_text("MemberId"))
                    .unwrap_or_default();
                let unit = match part.text("ReadingUnits") {
                    Some(reported) => self::unit(reported),
                    None => unit.to_owned(),
                };
                let value = fields.iter().find_map(|field| part.number(field));
                report.sensors.push(reading(&part, name, kind, value, unit));
            }
        }
        Ok(())
    }

    /// Reads `ThermalSubsystem` and `PowerSubsystem`.
    async fn subsystems(&mut self, chassis: &Resource, report: &mut Sensors) -> Result<(), Error> {
        let notes = &mut report.notes;
        let thermal = self
            .get_or_note(chassis.link("ThermalSubsystem"), notes)
            .await?;
        let power = self
            .get_or_note(chassis.link("PowerSubsystem"), notes)
            .await?;
        if let Some(thermal) = &thermal {
            let metrics = self
                .get_or_note(thermal.link("ThermalMetrics"), notes)
                .await?;
            let parts = metrics.map(|metrics| metrics.objects("TemperatureReadingsCelsius"));
            for part in parts.unwrap_or_default().into_iter().take(MAX_SENSORS) {
                let name = part.short_text("DeviceName").unwrap_or_else(|| part.name());
                let value = part.number("Reading");
                let unit = "degrees C".to_owned();
                report
                    .sensors
                    .push(reading(&part, name, "temperature", value, unit));
            }
            for fan in self
                .members_or_note(thermal.link("Fans"), MAX_SENSORS, notes)
                .await?
            {
                let rpm = fan.number("SpeedPercent/SpeedRPM");
                let percent = fan.number("SpeedPercent/Reading");
                let unit = if rpm.is_some() { "RPM" } else { "%" };
                let value = rpm.or(percent);
                report
                    .sensors
                    .push(reading(&fan, fan.name(), "fan", value, unit.to_owned()));
            }
        }
        let supplies = power.as_ref().and_then(|power| power.link("PowerSupplies"));
        for supply in self.members_or_note(supplies, MAX_SENSORS, notes).await? {
            let metrics = self.get_or_note(supply.link("Metrics"), notes).await?;
            let watts = metrics.and_then(|metrics| metrics.number("OutputPowerWatts/Reading"));
            report.sensors.push(reading(
                &supply,
                supply.name(),
                "power",
                watts,
                "W".to_owned(),
            ));
        }
        Ok(())
    }
}

/// The sensor in a member of the collection `Sensors`.
fn sensor(part: &Resource) -> Sensor {
    let kind = part.text("ReadingType").map(kind).unwrap_or_default();
    let unit = part.text("ReadingUnits").map(unit).unwrap_or_default();
    reading(part, part.name(), &kind, part.number("Reading"), unit)
}

fn reading(part: &Resource, name: String, kind: &str, value: Option<f64>, unit: String) -> Sensor {
    let state = part.short_text("Status/State");
    Sensor {
        name,
        kind: (!kind.is_empty()).then(|| kind.to_owned()),
        value,
        unit: (!unit.is_empty() && value.is_some()).then_some(unit),
        health: health(part),
        state: state.filter(|state| value.is_none() || state != "Enabled"),
    }
}

/// The health of a part as the BMC reports it.
pub(crate) fn health(part: &Resource) -> Health {
    match part.text("Status/Health") {
        Some("OK") => Health::Ok,
        Some("Warning") => Health::Warning,
        Some("Critical") => Health::Critical,
        _ => Health::Unknown,
    }
}

fn kind(reading_type: &str) -> String {
    match reading_type {
        "Rotational" => "fan".to_owned(),
        "EnergyJoules" | "EnergykWh" | "EnergyWh" => "energy".to_owned(),
        other => sanitize(&other.to_lowercase(), 40),
    }
}

/// The unit of a UCUM code.
fn unit(code: &str) -> String {
    match code {
        "Cel" | "C" => "degrees C".to_owned(),
        "{rev}/min" | "RPM" => "RPM".to_owned(),
        "Percent" => "%".to_owned(),
        other => sanitize(other, 40),
    }
}
