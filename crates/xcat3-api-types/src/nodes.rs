//! Bodies and answers of the requests on many nodes.
//!
//! A request may name very many nodes, and who sends it may be careless or worse. So entries are read
//! one at a time, each with a limit of its own, and the first that can't be an entry ends the reading.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::{NodeName, Outcome};

use crate::node::{NodeBody, NodeRecord};
use crate::patch::Patch;
use crate::reader::{Reader, start};

/// The most nodes in one request.
pub const MOST_NODES: usize = xcat3_core::noderange::MAX_NODES;

/// The most JSON values in one entry.
const MOST_VALUES: usize = 10_000;

/// Nodes to be enrolled. Each entry is looked at by itself, so that one that is wrong fails alone.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeEntries {
    /// Node documents.
    #[serde(deserialize_with = "entries")]
    #[schema(value_type = Vec<NodeBody>)]
    pub nodes: Vec<Value>,
}

/// Names of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The nodes.
    #[serde(deserialize_with = "names")]
    pub nodes: Vec<Named>,
}

/// A node that is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Value", deny_unknown_fields)]
pub struct Named {
    /// Its name.
    #[schema(examples("node1"))]
    pub name: String,
}

impl TryFrom<Value> for Named {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        if let Value::String(name) = value {
            return Ok(Self { name });
        }
        let mut reader = Reader::of("an entry of 'nodes'", value)?;
        let name = match reader.value("name") {
            Some(Value::String(name)) => name,
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err("an entry of 'nodes' needs the field 'name', a text".to_owned()),
        };
        reader.end()?;
        Ok(Self { name })
    }
}

impl Names {
    /// A body that names these nodes.
    #[must_use]
    pub fn of(names: &[NodeName]) -> Self {
        let named = |name: &NodeName| Named {
            name: name.to_string(),
        };
        Self {
            nodes: names.iter().map(named).collect(),
        }
    }
}

/// Changes of many nodes, the same for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodePatches {
    /// The nodes.
    #[serde(deserialize_with = "names")]
    pub nodes: Vec<Named>,
    /// The changes, one after the other.
    #[serde(deserialize_with = "patches")]
    pub patches: Vec<Patch>,
}

/// An outcome for each node, in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeOutcomes {
    /// Under each name `ok`, `updated`, `deleted`, `on`, `off`, `net`, `disk` or `cdrom`; anything
    /// else is a sentence that says why it was not done.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub nodes: Map<String, Value>,
}

impl NodeOutcomes {
    /// Notes what came of a node. The first word on a name stands.
    pub fn note(&mut self, name: &str, outcome: &Outcome) {
        let outcome = || Value::from(outcome.as_str());
        // A name that is too long to be one is shown by its beginning.
        self.nodes.entry(start(name)).or_insert_with(outcome);
    }
}

/// The answer of `GET /nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    /// Names.
    #[schema(value_type = Vec<String>, examples(json!(["node1", "node2"])))]
    pub nodes: Vec<NodeName>,
}

/// The answer of `GET /nodes/info`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeInfo {
    /// Those of the nodes that exist, in the order of the request.
    #[schema(value_type = Vec<NodeRecord>)]
    pub nodes: Vec<Map<String, Value>>,
}

fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    deserializer.deserialize_seq(Entries::<Value>(|value| match value {
        Value::Object(map) => match map.get("name") {
            Some(Value::String(_)) => Ok(Value::Object(map)),
            _ => Err("needs the field 'name', a text".to_owned()),
        },
        _ => Err("must be an object".to_owned()),
    }))
}

fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Named>, D::Error> {
    deserializer.deserialize_seq(Entries::<Named>(Named::try_from))
}

fn patches<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Patch>, D::Error> {
    deserializer.deserialize_seq(Entries::<Patch>(Patch::try_from))
}

/// Reads a list, each entry with its own limit.
struct Entries<T>(fn(Value) -> Result<T, String>);

impl<'de, T> Visitor<'de> for Entries<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut entries = Vec::new();
        loop {
            let mut left = MOST_VALUES;
            let Some(value) = list.next_element_seed(Limited(&mut left))? else {
                return Ok(entries);
            };
            let at = entries.len();
            if at >= MOST_NODES {
                let why = format!("more than {MOST_NODES} nodes in one request");
                return Err(A::Error::custom(why));
            }
            let entry = (self.0)(value);
            entries.push(entry.map_err(|why| A::Error::custom(format!("entry {at}: {why}")))?);
        }
    }
}

/// Reads any JSON value of at most so many values.
struct Limited<'a>(&'a mut usize);

impl Limited<'_> {
    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.0 = self
            .0
            .checked_sub(1)
            .ok_or_else(|| E::custom(format!("an entry has more than {MOST_VALUES} values")))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Limited(self.0))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Limited(self.0))?;
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_names_body_is_understood() {
        let names: Names =
            serde_json::from_str(r#"{"nodes": [{"name": "a"}, {"name": "b"}]}"#).unwrap();
        let texts: Vec<&str> = names
            .nodes
            .iter()
            .map(|named| named.name.as_str())
            .collect();
        assert_eq!(texts, ["a", "b"]);
    }

    #[test]
    fn what_is_no_entry_is_named_by_its_place() {
        for (body, why) in [
            (
                r#"{"nodes": [{"name": "a"}, {"nam": "b"}]}"#,
                "entry 1: an entry of 'nodes' needs",
            ),
            (r#"{"nodes": [{"name": "a", "x": 1}]}"#, "no field 'x'"),
            (r#"{"nodes": [3]}"#, "entry 0"),
            (r#"{"nodes": {}}"#, "a list of objects"),
            (r#"{"names": []}"#, "`names`"),
            (r#"{}"#, "`nodes`"),
        ] {
            let error = serde_json::from_str::<Names>(body).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_absurd_entry_ends_the_reading() {
        let many = vec!["0"; MOST_VALUES].join(",");
        let body = format!(r#"{{"nodes": [{{"name": "a", "control_info": [{many}]}}]}}"#);
        let error = serde_json::from_str::<NodeEntries>(&body)
            .unwrap_err()
            .to_string();
        assert!(error.contains("more than 10000 values"), "{error}");
    }

    #[test]
    fn the_first_word_on_a_name_stands_and_huge_names_are_cut() {
        let mut outcomes = NodeOutcomes::default();
        outcomes.note("a", &Outcome::failed("no"));
        outcomes.note("a", &Outcome::OK);
        outcomes.note(&"x".repeat(10 << 20), &Outcome::failed("too long"));
        let text = serde_json::to_string(&outcomes).unwrap();
        assert!(
            text.starts_with(r#"{"nodes":{"a":"no","xxx"#) && text.len() < 200,
            "{text}"
        );
    }
}
