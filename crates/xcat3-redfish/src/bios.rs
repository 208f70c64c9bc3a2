//! BIOS attributes: the present values, those pending until the next boot, and changes.
//!
//! Changes go to the settings resource. A new value gets the type of the present one, since a BMC
//! refuses `"4"` in place of 4.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use xcat3_core::hardware::Bios;
use xcat3_core::secret::{REDACTED, is_secret};

use crate::client::Client;
use crate::error::{Error, sanitize};
use crate::resource::{Resource, SETTINGS};

/// The longest reported value, in characters.
const MAX_VALUE_CHARS: usize = 1000;

impl Client {
    /// The BIOS attributes of the system that `selector` selects.
    ///
    /// # Errors
    /// The system has none, or they cannot be read.
    pub async fn bios(&mut self, selector: Option<&str>) -> Result<Bios, Error> {
        let bios = self.bios_resource(selector).await?;
        let mut report = Bios {
            attributes: attributes(&bios).iter().map(reportable).collect(),
            ..Bios::default()
        };
        let link = bios.link(SETTINGS);
        let settings = self.get_or_note(link, &mut report.notes).await?;
        let pending = settings.as_ref().map(attributes).unwrap_or_default();
        let now = attributes(&bios);
        let differs = |(name, value): &(&String, &Value)| now.get(*name) != Some(*value);
        report.pending = pending.iter().filter(differs).map(reportable).collect();
        Ok(report)
    }

    /// Changes BIOS attributes, with effect from the next boot.
    ///
    /// # Errors
    /// An attribute does not exist, a value does not fit it, or the BMC refused.
    pub async fn set_bios(
        &mut self,
        selector: Option<&str>,
        changes: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let bios = self.bios_resource(selector).await?;
        let now = attributes(&bios);
        let mut typed = Map::new();
        for (name, text) in changes {
            let present = now.get(name).ok_or_else(|| unknown(name, &now))?;
            typed.insert(name.clone(), value_like(name, present, text)?);
        }
        let target = match bios.link(SETTINGS) {
            Some(link) => self.get(link).await?,
            None => bios,
        };
        self.change(&target, &json!({"Attributes": typed})).await
    }

    async fn bios_resource(&mut self, selector: Option<&str>) -> Result<Resource, Error> {
        let system = self.system(selector).await?;
        let link = system.link("Bios");
        let link = link
            .ok_or_else(|| Error::Missing("the BMC does not report BIOS attributes".to_owned()))?;
        self.get(link).await
    }
}

fn attributes(bios: &Resource) -> BTreeMap<String, Value> {
    let all = bios.value_at("Attributes").and_then(Value::as_object);
    let owned = |(name, value): (&String, &Value)| (name.clone(), value.clone());
    all.into_iter().flatten().map(owned).collect()
}

fn reportable((name, value): (&String, &Value)) -> (String, Value) {
    let value = match value {
        Value::String(text) if is_secret(name) && !text.is_empty() => json!(REDACTED),
        Value::String(text) => json!(sanitize(text, MAX_VALUE_CHARS)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::Array(_) | Value::Object(_) => json!(sanitize(&value.to_string(), MAX_VALUE_CHARS)),
    };
    (sanitize(name, 200), value)
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
        .map(|name| sanitize(name, 100))
        .collect();
    let name = sanitize(name, 100);
    Error::Missing(match alike.is_empty() {
        true => format!("the BMC has no BIOS attribute '{name}'"),
        false => format!(
            "the BMC has no BIOS attribute '{name}', but {}",
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
            sanitize(text, 80)
        };
        Error::Missing(format!(
            "the BIOS attribute {} is {kind}, and '{shown}' is not",
            sanitize(name, 100)
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
    fn value_takes_type_of_present_one() {
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
    fn attribute_with_secret_is_masked() {
        let (_, value) = reportable((&"AdminPassword".to_owned(), &json!("x")));
        assert_eq!(value, json!(REDACTED));
    }
}
