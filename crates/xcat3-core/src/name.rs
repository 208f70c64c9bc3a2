//! Names of nodes and of other things that operators name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Words that are paths of the REST API below `/nodes/` and so can't be names of nodes.
pub const RESERVED_NODE_NAMES: [&str; 4] = ["power", "provision", "boot_device", "info"];

/// The name of a node: one host label as of RFC 1123 (1 to 63 letters, digits and inner hyphens).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName(String);

/// Why a text can't be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing was given.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than its kind of name may be.
    #[error("the name '{start}…' has {length} characters, at most {limit} are allowed")]
    TooLong {
        /// The beginning of the name, for the reader to find it.
        start: String,
        /// Its length in characters.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A character that does not belong, or a hyphen or dot at an end.
    #[error("'{0}' is not a valid name: use letters, digits and inner hyphens")]
    Characters(String),
    /// One of [`RESERVED_NODE_NAMES`].
    #[error("'{0}' is a reserved word and can't name a node")]
    Reserved(String),
}

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        check_node_name(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NodeName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        check_node_name(&text)?;
        Ok(Self(text))
    }
}

fn check_node_name(text: &str) -> Result<(), InvalidName> {
    check(text, 63, |c| c.is_ascii_alphanumeric() || c == b'-')?;
    if RESERVED_NODE_NAMES.contains(&text) {
        return Err(InvalidName::Reserved(text.to_owned()));
    }
    Ok(())
}

/// Checks the name of a network, OS image or password entry: letters, digits and inner `-`, `_`,
/// `.`, at most 128 characters.
///
/// # Errors
/// Says what is wrong with the name.
pub fn check_object_name(text: &str) -> Result<(), InvalidName> {
    check(text, 128, |c| {
        c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.')
    })
}

/// Checks a name of at most `limit` characters, all of which are `allowed` ASCII.
fn check(text: &str, limit: usize, allowed: fn(u8) -> bool) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    // No text has more characters than bytes, and those of most texts need not be counted.
    if text.len() > limit {
        let length = text.chars().count();
        if length > limit {
            return Err(InvalidName::TooLong {
                start: text.chars().take(20).collect(),
                length,
                limit,
            });
        }
    }
    let bytes = text.as_bytes();
    let ends_well = [bytes.first(), bytes.last()]
        .iter()
        .all(|end| end.is_some_and(u8::is_ascii_alphanumeric));
    if ends_well && bytes.iter().all(|&byte| allowed(byte)) {
        Ok(())
    } else {
        Err(InvalidName::Characters(text.to_owned()))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_labels_are_names() {
        for text in ["n", "node1", "Rack-12-U07", "0a"] {
            assert_eq!(text.parse::<NodeName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_host_label_is_refused_with_its_reason() {
        assert_eq!("".parse::<NodeName>(), Err(InvalidName::Empty));
        assert_eq!(
            "power".parse::<NodeName>(),
            Err(InvalidName::Reserved("power".into()))
        );
        for text in ["-a", "a-", "a.b", "a b", "a/b", "ä", "a\n"] {
            assert_eq!(
                text.parse::<NodeName>(),
                Err(InvalidName::Characters(text.into()))
            );
        }
        let huge = "x".repeat(10 << 20);
        let sentence = huge.parse::<NodeName>().unwrap_err().to_string();
        assert!(
            sentence.len() < 200,
            "an error never carries the whole of a huge name"
        );
    }

    #[test]
    fn object_names_take_dots_and_underscores_inside() {
        assert_eq!(check_object_name("rhels7.3-x86_64"), Ok(()));
        assert!(check_object_name("../etc").is_err());
    }
}
