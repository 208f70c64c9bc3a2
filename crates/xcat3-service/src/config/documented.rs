//! The documented configuration file, `etc/xcat3.conf`, as the list of all keys that there are and of their
//! defaults. A daemon knows the values of its own sections only; by this list it refuses a misspelt key in any.
//! A test (`xcat3d/tests/it/settings.rs`) holds the file to the structs of all sections.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use toml::de::{DeTable, DeValue};

/// `etc/xcat3.conf`. A key whose default depends on the machine is commented out in it.
pub const DOCUMENTED: &str = include_str!("../../../../etc/xcat3.conf");

/// Values by their keys, as in `api.listen`.
pub(super) type Values = BTreeMap<String, toml::Value>;

/// All keys, those that are commented out included.
static KEYS: LazyLock<toml::Table> = LazyLock::new(|| parsed(&documented_in_full()));

/// A key that stands in no documented position, and where it stands.
#[derive(Debug)]
pub(super) struct KeyError {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

impl KeyError {
    fn unknown(span: Range<usize>, key: &str, known: &toml::Table) -> Self {
        let known: Vec<String> = known.keys().map(|key| format!("'{key}'")).collect();
        Self {
            span,
            message: format!("unknown key '{key}', known here: {}", known.join(", ")),
        }
    }

    fn section(span: Range<usize>, key: &str) -> Self {
        Self {
            span,
            message: format!("'{key}' is a section, not a key: write [{key}]"),
        }
    }
}

/// Looks for a key that is not documented.
pub(super) fn check(given: &DeTable<'_>) -> Result<(), KeyError> {
    check_table(given, &KEYS)
}

fn check_table(given: &DeTable<'_>, known: &toml::Table) -> Result<(), KeyError> {
    for (key, value) in given {
        let name: &str = key.get_ref();
        match (value.get_ref(), known.get(name)) {
            (DeValue::Table(given), Some(toml::Value::Table(known))) => check_table(given, known)?,
            (_, Some(toml::Value::Table(_))) => return Err(KeyError::section(key.span(), name)),
            // The section refuses a value of the wrong type.
            (_, Some(_)) => {}
            (_, None) => return Err(KeyError::unknown(key.span(), name, known)),
        }
    }
    Ok(())
}

/// The defaults that are the same on every machine.
pub(super) fn defaults() -> Values {
    values(&parsed(DOCUMENTED))
}

/// All keys of a table, those of inner ones included, with their values.
pub(super) fn values(table: &toml::Table) -> Values {
    let each = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => values(inner)
            .into_iter()
            .map(|(deep, value)| (format!("{key}.{deep}"), value))
            .collect(),
        _ => vec![(key.clone(), value.clone())],
    });
    each.collect()
}

/// A test parses both forms of the file.
fn parsed(text: &str) -> toml::Table {
    toml::from_str(text).unwrap_or_default()
}

/// [`DOCUMENTED`] with its commented-out keys taken in.
#[must_use]
pub fn documented_in_full() -> String {
    let is_key = |line: &str| {
        line.split_once(" = ").is_some_and(|(key, _)| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        })
    };
    let lines = DOCUMENTED.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if is_key(rest) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_file_is_toml_in_both_forms() {
        let defaults: toml::Table = toml::from_str(DOCUMENTED).unwrap();
        assert!(!defaults.contains_key("database"));
        let all: toml::Table = toml::from_str(&documented_in_full()).unwrap();
        assert!(all.contains_key("database") && all.contains_key("log"));
        assert!(
            all["control"]["kvm"]
                .as_table()
                .unwrap()
                .contains_key("known_hosts")
        );
    }
}
