//! `fields=a,b`: which fields of a record come back.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::reader::start;

/// The fields that a record can be asked for.
#[derive(Debug)]
pub struct Fields {
    /// What has them ("a node").
    pub what: &'static str,
    /// All fields, those first that come where none is asked for.
    pub known: &'static [&'static str],
    /// The field that always comes along.
    pub always: &'static str,
    /// Short words for fields.
    pub aliases: &'static [(&'static str, &'static str)],
}

/// What was asked for: some fields, or all that come by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(Option<HashSet<&'static str>>);

impl Fields {
    /// Understands the value of `fields=`.
    ///
    /// # Errors
    /// Names the first word that is no field.
    pub fn parse(&self, text: Option<&str>) -> Result<Selection, String> {
        let words = text.unwrap_or_default().split(',').map(str::trim);
        let found = words
            .filter(|word| !word.is_empty())
            .map(|word| self.field(word))
            .collect::<Result<HashSet<_>, _>>()?;
        if found.is_empty() {
            return Ok(Selection(None));
        }
        Ok(Selection(Some(
            found.into_iter().chain([self.always]).collect(),
        )))
    }

    fn field(&self, word: &str) -> Result<&'static str, String> {
        let alias = self.aliases.iter().find(|(short, _)| *short == word);
        let word = alias.map_or(word, |(_, long)| long);
        let known = self.known.iter().copied().find(|field| *field == word);
        known.ok_or_else(|| {
            format!(
                "{} has no field '{}' to be asked for: known are {}",
                self.what,
                start(word),
                self.known.join(", ")
            )
        })
    }
}

impl Selection {
    /// Whether some fields were asked for by name.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Whether `field` was asked for by name.
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        self.0.as_ref().is_some_and(|fields| fields.contains(field))
    }

    /// Whether `field` was asked for, by name or because all are.
    #[must_use]
    pub fn takes(&self, field: &str) -> bool {
        self.0.is_none() || self.names(field)
    }

    /// Those fields of `record` that were asked for, in the record's order.
    #[must_use]
    pub fn of(&self, mut record: Map<String, Value>) -> Map<String, Value> {
        if let Some(fields) = &self.0 {
            record.retain(|name, _| fields.contains(name.as_str()));
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FIELDS: Fields = Fields {
        what: "a node",
        known: &["name", "mgt", "nics_info"],
        always: "name",
        aliases: &[("nics", "nics_info")],
    };

    fn selected(text: &str) -> Value {
        let record = json!({"name": "n1", "mgt": "kvm", "nics_info": {}});
        let Value::Object(record) = record else {
            unreachable!()
        };
        Value::Object(FIELDS.parse(Some(text)).unwrap().of(record))
    }

    #[test]
    fn the_name_always_comes_along() {
        assert_eq!(selected("mgt"), json!({"name": "n1", "mgt": "kvm"}));
        assert_eq!(selected("nics,,"), json!({"name": "n1", "nics_info": {}}));
    }

    #[test]
    fn nothing_asked_for_is_everything() {
        assert_eq!(FIELDS.parse(None), Ok(Selection::default()));
        assert_eq!(selected(" , ").as_object().unwrap().len(), 3);
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = FIELDS.parse(Some("mgt,oops")).unwrap_err();
        assert!(error.contains("'oops'"), "{error}");
    }
}
