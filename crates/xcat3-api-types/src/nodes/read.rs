//! Reads the lists of requests on many nodes, entry by entry. No more than one entry is held as JSON
//! values at a time, and an entry of names not even that.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{MOST_NODES, Named, NoName, WrongEntry};
use crate::node::NodeBody;
use crate::patch::Patch;
use crate::reader::start;
use xcat3_core::Node;

/// The most JSON values in one entry.
const MOST_VALUES: usize = 10_000;

pub(crate) fn names<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Named>, D::Error> {
    list.deserialize_seq(List(NameAt))
}

pub(crate) fn some_names<'de, D: Deserializer<'de>>(
    list: D,
) -> Result<Option<Vec<Named>>, D::Error> {
    names(list).map(Some)
}

pub(crate) fn entries<'de, D: Deserializer<'de>>(
    list: D,
) -> Result<Vec<Result<Node, WrongEntry>>, D::Error> {
    list.deserialize_seq(List(|at| EntryAt(at, declared)))
}

pub(crate) fn patches<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Patch>, D::Error> {
    list.deserialize_seq(List(|at| EntryAt(at, Patch::try_from)))
}

/// What an entry declares; an error where it can't be told what it is about.
fn declared(entry: Value) -> Result<Result<Node, WrongEntry>, String> {
    let Value::Object(entry) = entry else {
        return Err("must be an object".to_owned());
    };
    let Some(name) = entry.get("name").and_then(Value::as_str).map(start) else {
        return Err("needs the field 'name', a text".to_owned());
    };
    let node = NodeBody::try_from(Value::Object(entry)).and_then(NodeBody::into_node);
    Ok(node.map_err(|why| WrongEntry { name, why }))
}

/// Reads a list; makes the reader of each entry of its place.
struct List<Seed>(fn(usize) -> Seed);

impl<'de, Seed: DeserializeSeed<'de>> Visitor<'de> for List<Seed> {
    type Value = Vec<Seed::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element_seed((self.0)(entries.len()))? {
            if entries.len() >= MOST_NODES {
                let why = format!("more than {MOST_NODES} nodes in one request");
                return Err(A::Error::custom(why));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// Reads an entry as JSON values and makes what it stands for of them.
struct EntryAt<T>(usize, fn(Value) -> Result<T, String>);

impl<'de, T> DeserializeSeed<'de> for EntryAt<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, entry: D) -> Result<T, D::Error> {
        let mut left = MOST_VALUES;
        let value = Limited(&mut left).deserialize(entry)?;
        let at = self.0;
        (self.1)(value).map_err(|why| D::Error::custom(format!("entry {at}: {why}")))
    }
}

/// Reads `{"name": "node1"}` or the bare name.
struct NameAt(usize);

impl<'de> DeserializeSeed<'de> for NameAt {
    type Value = Named;

    fn deserialize<D: Deserializer<'de>>(self, entry: D) -> Result<Named, D::Error> {
        entry.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NameAt {
    type Value = Named;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0;
        write!(
            f,
            "an object with the field 'name' as entry {at} of 'nodes'"
        )
    }

    fn visit_str<E>(self, text: &str) -> Result<Named, E> {
        Ok(named(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named, A::Error> {
        let (mut name, mut unknown) = (None, None);
        while let Some(key) = map.next_key_seed(Key)? {
            match key {
                None => name = map.next_value_seed(NameValue)?,
                Some(other) => {
                    unknown = unknown.or(Some(other));
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let wrong = |why: &str| {
            let at = self.0;
            A::Error::custom(format!("entry {at}: an entry of 'nodes' {why}"))
        };
        let name = name.ok_or_else(|| wrong("needs the field 'name', a text"))?;
        match unknown {
            None => Ok(name),
            Some(field) => Err(wrong(&format!("has no field '{field}': known are name"))),
        }
    }
}

fn named(text: &str) -> Named {
    text.parse().map_err(|why| NoName {
        text: start(text),
        why,
    })
}

/// Reads a key: nothing for `name`, else what it is.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok((key != "name").then(|| start(key)))
    }
}

/// Reads a name: a text or a number, nothing where it is neither.
struct NameValue;

impl<'de> DeserializeSeed<'de> for NameValue {
    type Value = Option<Named>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NameValue {
    type Value = Option<Named>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(named(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(named(&number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(named(&number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(number).map(|number| named(&number.to_string())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
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
    use crate::nodes::{Names, NodeEntries, NodePatches};

    fn texts(body: &str) -> Vec<String> {
        let names: Names = serde_json::from_str(body).unwrap();
        let text = |name: Named| name.map_or_else(|no| no.text, |name| name.to_string());
        names.nodes.into_iter().map(text).collect()
    }

    #[test]
    fn a_names_body_is_understood() {
        let body =
            r#"{"nodes": [{"name": "a"}, "b", {"name": 7}, {"name": "c d"}, {"n\u0061me": "d"}]}"#;
        assert_eq!(texts(body), ["a", "b", "7", "c d", "d"]);
        let huge = format!(r#"{{"nodes": [{{"name": "{}"}}]}}"#, "x".repeat(10 << 20));
        assert!(texts(&huge)[0].len() < 100);
    }

    #[test]
    fn what_is_no_entry_is_named_by_its_place() {
        for (body, why) in [
            (
                r#"{"nodes": [{"name": "a"}, {"nam": "b"}]}"#,
                "entry 1: an entry of 'nodes' needs",
            ),
            (r#"{"nodes": [{"name": ["b", {}]}]}"#, "entry 0"),
            (r#"{"nodes": [{"name": {"b": []}}]}"#, "entry 0"),
            (r#"{"nodes": [{"name": null}]}"#, "entry 0"),
            (r#"{"nodes": [{"x": [1], "name": "a"}]}"#, "no field 'x'"),
            (r#"{"nodes": [3]}"#, "entry 0"),
            (r#"{"nodes": {}}"#, "a list of objects"),
            (r#"{"nodes": null}"#, "a list of objects"),
            (r#"{"names": []}"#, "`names`"),
            (r#"{}"#, "`nodes`"),
        ] {
            let error = serde_json::from_str::<Names>(body).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn patches_come_with_or_without_names() {
        let patches: NodePatches = serde_json::from_str(r#"{"patches": []}"#).unwrap();
        assert!(patches.nodes.is_none());
        let body = r#"{"nodes": [{"name": "a"}], "patches": []}"#;
        let patches: NodePatches = serde_json::from_str(body).unwrap();
        assert_eq!(patches.nodes.unwrap().len(), 1);
        let body = r#"{"nodes": null, "patches": []}"#;
        assert!(serde_json::from_str::<NodePatches>(body).is_err());
    }

    #[test]
    fn an_entry_that_declares_no_node_fails_alone() {
        let body =
            r#"{"nodes": [{"name": "a"}, {"name": "b", "mgt": "telepathy"}, {"name": "a b"}]}"#;
        let entries: NodeEntries = serde_json::from_str(body).unwrap();
        let names: Vec<_> = entries
            .nodes
            .iter()
            .map(|entry| entry.as_ref().map(|node| node.name.as_str()))
            .map(|entry| entry.map_err(|wrong| wrong.name.as_str()))
            .collect();
        assert_eq!(names, [Ok("a"), Err("b"), Err("a b")]);
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
}
