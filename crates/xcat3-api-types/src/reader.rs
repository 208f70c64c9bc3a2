//! Reads the fields of a JSON object one by one and says in a sentence what is wrong with which.
//!
//! Tolerant as the prototype's clients need it: `null` and the empty text stand for absent, numbers
//! and truth values may come as texts and the other way round. A sentence never repeats a value that
//! could be a secret.

use serde_json::{Map, Value};

/// The longest text that a field may hold, in bytes. Keys for ssh are the longest honest ones.
pub const LONGEST_TEXT: usize = 64 * 1024;

/// An object whose fields are taken out one by one.
#[derive(Debug)]
pub struct Reader {
    what: &'static str,
    map: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Reader {
    /// Starts to read `value`, which is to be `what` ("a nic").
    ///
    /// # Errors
    /// It is no object.
    pub fn of(what: &'static str, value: Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Self {
                what,
                map,
                known: Vec::new(),
            }),
            other => Err(format!("{what} must be an object, not {}", kind(&other))),
        }
    }

    /// The field as it is; `null` is absent.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// Takes note of fields that the service itself sets: they may be there and count for nothing.
    pub fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            self.map.remove(*name);
        }
    }

    /// A text. Numbers and truth values are taken as the texts that they are written as.
    ///
    /// # Errors
    /// It is something else, or too long.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        let text = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(truth)) => truth.to_string(),
            Some(other) => return Err(format!("{name} must be a text, not {}", kind(&other))),
        };
        check_length(name, &text)?;
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It is not, or it is no text.
    pub fn needed(&mut self, name: &'static str) -> Result<String, String> {
        let what = self.what;
        self.text(name)?
            .ok_or_else(|| format!("{what} needs the field '{name}'"))
    }

    /// A text that is one of `words`.
    ///
    /// # Errors
    /// It is none of them.
    pub fn word(&mut self, name: &'static str, words: &[&str]) -> Result<Option<String>, String> {
        let text = self.text(name)?;
        match &text {
            Some(text) if !words.contains(&text.as_str()) => Err(format!(
                "{name} '{}' is not known: use one of {}",
                start(text),
                words.join(", ")
            )),
            _ => Ok(text),
        }
    }

    /// A truth value, or the words that people write for one.
    ///
    /// # Errors
    /// It is neither.
    pub fn truth(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        let no_truth = || format!("{name} must be true or false");
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(Value::Number(number)) => match number.as_i64() {
                Some(0) => Ok(Some(false)),
                Some(1) => Ok(Some(true)),
                _ => Err(no_truth()),
            },
            Some(Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "" => Ok(None),
                "true" | "yes" | "y" | "t" | "on" | "1" => Ok(Some(true)),
                "false" | "no" | "n" | "f" | "off" | "0" => Ok(Some(false)),
                _ => Err(no_truth()),
            },
            Some(_) => Err(no_truth()),
        }
    }

    /// An object with any keys; absent, it is empty.
    ///
    /// # Errors
    /// It is something else.
    pub fn object(&mut self, name: &'static str) -> Result<Map<String, Value>, String> {
        match self.value(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(Value::String(text)) if text.is_empty() => Ok(Map::new()),
            Some(other) => Err(format!("{name} must be an object, not {}", kind(&other))),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A field is left that nobody asked for.
    pub fn end(self) -> Result<(), String> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!(
                "{} has no field '{}': known are {}",
                self.what,
                start(name),
                self.known.join(", ")
            )),
        }
    }
}

/// Refuses a text that is too long.
///
/// # Errors
/// Names the field, never the text.
pub fn check_length(name: &str, text: &str) -> Result<(), String> {
    if text.len() <= LONGEST_TEXT {
        return Ok(());
    }
    let length = text.len();
    Err(format!(
        "{} has {length} bytes, at most {LONGEST_TEXT} are allowed",
        start(name)
    ))
}

/// The beginning of a text that may be very long.
#[must_use]
pub fn start(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What a JSON value is, in a word.
#[must_use]
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reader(value: Value) -> Reader {
        Reader::of("a thing", value).unwrap()
    }

    #[test]
    fn careless_values_are_understood() {
        let mut thing =
            reader(json!({"a": null, "b": 22, "c": "True", "d": 0, "e": "", "f": null}));
        assert_eq!(thing.text("a"), Ok(None));
        assert_eq!(thing.text("b"), Ok(Some("22".into())));
        assert_eq!(thing.truth("c"), Ok(Some(true)));
        assert_eq!(thing.truth("d"), Ok(Some(false)));
        assert_eq!(thing.text("e"), Ok(None));
        assert_eq!(thing.object("f"), Ok(Map::new()));
        assert_eq!(thing.end(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_named_but_not_its_value() {
        let mut thing = reader(json!({"a": ["hidden"], "b": "hidden", "c": "hidden"}));
        for error in [
            thing.text("a").unwrap_err(),
            thing.truth("b").unwrap_err(),
            thing.object("c").unwrap_err(),
            thing.needed("d").unwrap_err(),
        ] {
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_the_known_ones() {
        let mut thing = reader(json!({"a": 1, "oops": 2}));
        thing.text("a").unwrap();
        assert_eq!(
            thing.end().unwrap_err(),
            "a thing has no field 'oops': known are a"
        );
    }

    #[test]
    fn a_huge_text_is_refused_shortly() {
        let mut thing = reader(json!({"a": "x".repeat(10 << 20)}));
        assert!(thing.text("a").unwrap_err().len() < 200);
        let mut thing = reader(json!({"b": "x".repeat(60_000)}));
        assert!(thing.word("b", &["y"]).unwrap_err().len() < 200);
    }
}
