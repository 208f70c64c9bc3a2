//! Attributes as operators type them, `key=value`, and the documents and patches made of them.

use serde_json::{Map, Value, json};

use crate::error::Error;

/// Short words for the API's fields, in attributes and in `--fields`.
const FIELD_WORDS: [(&str, &str); 3] = [
    ("control", "control_info"),
    ("console", "console_info"),
    ("nics", "nics_info"),
];

/// The API's name of a field.
pub fn field(word: &str) -> &str {
    FIELD_WORDS
        .iter()
        .find(|(short, _)| *short == word)
        .map_or(word, |(_, long)| long)
}

/// The value of `--fields`, in the API's names. `name` always comes along.
pub fn fields(list: &str) -> String {
    let words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(field);
    words.collect::<Vec<_>>().join(",")
}

/// Splits `key=value`.
pub fn pair(text: &str) -> Result<(&str, &str), Error> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim(), value)),
        _ => Err(Error::Argument(format!(
            "'{text}' is not an attribute: write KEY=VALUE"
        ))),
    }
}

/// Splits `key=value,key=value`, the value of `--control` and `--nic`. A part without `=` belongs to
/// the value before it, so that a value may hold commas.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in text.split(',') {
        match (part.contains('='), pairs.last_mut()) {
            (false, Some((_, value))) => {
                value.push(',');
                value.push_str(part);
            }
            _ => {
                let (key, value) = pair(part)?;
                pairs.push((key.to_owned(), value.to_owned()));
            }
        }
    }
    Ok(pairs)
}

/// An object of `--control`: every value is a text.
pub fn object(text: &str) -> Result<Map<String, Value>, Error> {
    Ok(pairs(text)?
        .into_iter()
        .map(|(key, value)| (key, Value::from(value)))
        .collect())
}

/// A nic of `--nic`: `primary` is a truth value, `extra/KEY` goes below `extra`.
pub fn nic(text: &str) -> Result<Value, Error> {
    let mut nic = Map::new();
    for (key, value) in pairs(text)? {
        match key.split_once('/') {
            Some(("extra", inner)) => {
                let extra = nic.entry("extra").or_insert_with(|| json!({}));
                extra[inner] = Value::from(value);
            }
            _ if key == "primary" => {
                nic.insert(key, truth(&value)?.into());
            }
            _ => {
                nic.insert(key, Value::from(value));
            }
        }
    }
    if nic.contains_key("mac") {
        Ok(Value::Object(nic))
    } else {
        Err(Error::Argument(format!(
            "nic '{text}' has no mac: write --nic mac=…,ip=…"
        )))
    }
}

/// Reads the words that operators use for yes and no.
fn truth(text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "1" => Ok(true),
        "false" | "no" | "n" | "0" => Ok(false),
        _ => Err(Error::Argument(format!(
            "primary={text}: write True or False"
        ))),
    }
}

/// A document of attributes, as a create takes it. `control/key=value` goes below `control_info`.
pub fn document(attributes: &[String]) -> Result<Map<String, Value>, Error> {
    let mut document = Map::new();
    for text in attributes {
        let (key, value) = pair(text)?;
        match key.split_once('/') {
            Some((outer, inner)) => {
                let inside = document.entry(field(outer)).or_insert_with(|| json!({}));
                inside[inner] = Value::from(value);
            }
            None => {
                document.insert(field(key).to_owned(), Value::from(value));
            }
        }
    }
    Ok(document)
}

/// Patches of attributes, as an update takes them: `key=value` sets, `key=` removes.
pub fn patches(attributes: &[String]) -> Result<Vec<Value>, Error> {
    let patch = |text: &String| {
        let (key, value) = pair(text)?;
        let (outer, inner) = key.split_once('/').unwrap_or((key, ""));
        let path = match inner {
            "" => format!("/{}", field(outer)),
            inner => format!("/{}/{inner}", field(outer)),
        };
        Ok(match value {
            "" => json!({"op": "remove", "path": path}),
            value => json!({"op": "add", "path": path, "value": value}),
        })
    };
    attributes.iter().map(patch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nic_of_the_readme_is_understood() {
        let nic = nic("mac=52:54:00:36:ac:b1,ip=11.5.102.60,name=eth0,primary=True").unwrap();
        let expected = json!({"mac": "52:54:00:36:ac:b1", "ip": "11.5.102.60", "name": "eth0",
            "primary": true});
        assert_eq!(nic, expected);
        assert!(
            super::nic("ip=1.2.3.4")
                .unwrap_err()
                .to_string()
                .contains("no mac")
        );
        assert!(
            super::nic("mac=x,primary=maybe")
                .unwrap_err()
                .to_string()
                .contains("primary=maybe")
        );
    }

    #[test]
    fn a_value_may_hold_commas_and_equal_signs() {
        let control = object("ssh_password=a=b,c,ssh_address=h").unwrap();
        assert_eq!(
            Value::Object(control),
            json!({"ssh_password": "a=b,c", "ssh_address": "h"})
        );
    }

    #[test]
    fn updates_set_and_remove() {
        let given = [
            "type=node",
            "control/bmc_address=h",
            "control/bmc_password=",
            "mgt=ipmi",
        ];
        let patches = patches(&given.map(str::to_owned)).unwrap();
        let expected = json!([
            {"op": "add", "path": "/type", "value": "node"},
            {"op": "add", "path": "/control_info/bmc_address", "value": "h"},
            {"op": "remove", "path": "/control_info/bmc_password"},
            {"op": "add", "path": "/mgt", "value": "ipmi"},
        ]);
        assert_eq!(Value::from(patches), expected);
    }

    #[test]
    fn what_is_no_attribute_is_named() {
        for text in ["mgt", "=x", ""] {
            let error = document(&[text.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(&format!("'{text}'")), "{error}");
        }
    }
}
