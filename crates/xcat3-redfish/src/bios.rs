//! BIOS attributes: as they are, as they will be after the next boot, and to change them.
//!
//! Changes go to the resource of pending settings. What type a value has is known from the present
//! one: a BMC refuses `"4"` where it has 4.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use xcat3_core::hardware::Bios;
use xcat3_core::secret::{REDACTED, is_secret};

use crate::client::Client;
use crate::error::{Error, tame};
use crate::resource::Resource;

/// The longest value that is reported, in characters.
const LONGEST: usize = 1000;

impl Client {
    /// The BIOS attributes of the system `wanted`.
    ///
    /// # Errors
    /// It has none, or they can't be read.
    pub async fn bios(&mut self, wanted: Option<&str>) -> Result<Bios, Error> {
        let bios = self.bios_resource(wanted).await?;
        let mut report = Bios {
            attributes: attributes(&bios).iter().map(shown).collect(),
            ..Bios::default()
        };
        let settings = bios
            .link("@Redfish.Settings/SettingsObject")
            .map(str::to_owned);
        let settings = self
            .get_or_note(settings.as_deref(), &mut report.notes)
            .await?;
        let pending = settings
            .map(|settings| attributes(&settings))
            .unwrap_or_default();
        let now = attributes(&bios);
        let differs = |(name, value): &(&String, &Value)| now.get(*name) != Some(*value);
        report.pending = pending.iter().filter(differs).map(shown).collect();
        Ok(report)
    }

    /// Has `changes` of BIOS attributes made at the next boot.
    ///
    /// # Errors
    /// There is no such attribute, a value does not fit it, or the BMC refused.
    pub async fn set_bios(
        &mut self,
        wanted: Option<&str>,
        changes: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let bios = self.bios_resource(wanted).await?;
        let now = attributes(&bios);
        let mut typed = Map::new();
        for (name, text) in changes {
            let present = now.get(name).ok_or_else(|| unknown(name, &now))?;
            typed.insert(name.clone(), value_like(name, present, text)?);
        }
        let link = bios
            .link("@Redfish.Settings/SettingsObject")
            .map(str::to_owned);
        let target = match link {
            Some(link) => self.get(&link).await?,
            None => bios,
        };
        self.change(&target, &json!({"Attributes": typed})).await
    }

    async fn bios_resource(&mut self, wanted: Option<&str>) -> Result<Resource, Error> {
        let system = self.system(wanted).await?;
        let link = system.link("Bios");
        let link =
            link.ok_or_else(|| Error::Missing("it does not tell its BIOS attributes".to_owned()))?;
        self.get(link).await
    }
}

fn attributes(bios: &Resource) -> BTreeMap<String, Value> {
    let all = bios.at("Attributes").and_then(Value::as_object);
    let owned = |(name, value): (&String, &Value)| (name.clone(), value.clone());
    all.into_iter().flatten().map(owned).collect()
}

fn shown((name, value): (&String, &Value)) -> (String, Value) {
    let value = match value {
        Value::String(text) if is_secret(name) && !text.is_empty() => json!(REDACTED),
        Value::String(text) => json!(tame(text, LONGEST)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(_) | Value::Object(_) => json!(tame(&value.to_string(), LONGEST)),
    };
    (tame(name, 200), value)
}

fn unknown(name: &str, now: &BTreeMap<String, Value>) -> Error {
    let lower = name.to_lowercase();
    let alike = |other: &&String| {
        let other = other.to_lowercase();
        other.contains(&lower) || lower.contains(&other)
    };
    let alike: Vec<String> = now
        .keys()
        .filter(alike)
        .take(5)
        .map(|name| tame(name, 100))
        .collect();
    let name = tame(name, 100);
    Error::Missing(match alike.is_empty() {
        true => format!("it has no BIOS attribute '{name}'"),
        false => format!(
            "it has no BIOS attribute '{name}', but {}",
            alike.join(", ")
        ),
    })
}

/// `text` as a value of the type of `present`.
fn value_like(name: &str, present: &Value, text: &str) -> Result<Value, Error> {
    let wrong = |kind: &str| {
        let shown = if is_secret(name) {
            REDACTED.to_owned()
        } else {
            tame(text, 80)
        };
        Error::Missing(format!(
            "the BIOS attribute {} is {kind}, and '{shown}' is not",
            tame(name, 100)
        ))
    };
    match present {
        Value::Bool(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "enabled" | "1" => Ok(json!(true)),
            "false" | "no" | "off" | "disabled" | "0" => Ok(json!(false)),
            _ => Err(wrong("true or false")),
        },
        Value::Number(number) if number.is_f64() => {
            let number: f64 = text.trim().parse().map_err(|_| wrong("a number"))?;
            Ok(json!(number))
        }
        Value::Number(_) => {
            let number: i64 = text.trim().parse().map_err(|_| wrong("a whole number"))?;
            Ok(json!(number))
        }
        _ => Ok(json!(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_type_of_the_present_one() {
        assert_eq!(value_like("A", &json!(true), "Off"), Ok(json!(false)));
        assert_eq!(value_like("A", &json!(4), " 8"), Ok(json!(8)));
        assert_eq!(value_like("A", &json!("4"), "8"), Ok(json!("8")));
        assert_eq!(value_like("A", &json!(null), "8"), Ok(json!("8")));
        let error = value_like("SetupPassword", &json!(1), "hidden").unwrap_err();
        assert!(!error.to_string().contains("hidden"), "{error}");
        let now = BTreeMap::from([("ProcHyperthreading".to_owned(), json!("x"))]);
        let error = unknown("hyperthreading", &now).to_string();
        assert!(error.ends_with("but ProcHyperthreading"), "{error}");
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = shown((&"AdminPassword".to_owned(), &json!("x")));
        assert_eq!(shown.1, json!(REDACTED));
    }
}
