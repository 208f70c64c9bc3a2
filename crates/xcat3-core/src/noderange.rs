//! Node ranges: how operators name many nodes at once.
//!
//! | text | nodes |
//! | --- | --- |
//! | `a,b` | a and b |
//! | `node[1-3]` | node1, node2, node3 |
//! | `node[08-10,15]` | node08, node09, node10, node15 (the padding is kept) |
//! | `rack[1-2]-u[1-2]` | rack1-u1, rack1-u2, rack2-u1, rack2-u2 |
//! | `node1-node9` | node1 to node9 |
//! | `node[1-9],-node3` | node1 to node9 without node3 |
//!
//! The order of the text is kept and a node that is named twice stands once. What can't be a range is
//! an error that says why; it is never silently empty and never endless.

use std::collections::HashSet;

use crate::NodeName;
use crate::name::InvalidName;

/// The most names that one range may stand for.
pub const MAX_NODES: usize = 1 << 20;

/// Why a text is no node range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRange {
    /// Nothing, or nothing between two commas.
    #[error("node range '{0}' has an empty part: remove the extra comma")]
    EmptyPart(String),
    /// No node is left.
    #[error("node range '{0}' names no node")]
    Empty(String),
    /// A bracket without its partner, or one inside another.
    #[error("node range part '{0}' has an unmatched or nested bracket")]
    Brackets(String),
    /// Between brackets stands something else than numbers.
    #[error("'[{inside}]' in '{part}' is not a list of numbers: write [1-25] or [1-3,7]")]
    Numbers {
        /// What stands between the brackets.
        inside: String,
        /// The part around it.
        part: String,
    },
    /// The first number is above the last.
    #[error("'{bounds}' in '{part}' runs backwards: write the smaller number first")]
    Descending {
        /// The two bounds as given.
        bounds: String,
        /// The part around them.
        part: String,
    },
    /// The bounds are padded to different widths.
    #[error("'{bounds}' in '{part}' pads its numbers differently: write both with the same width")]
    Padding {
        /// The two bounds as given.
        bounds: String,
        /// The part around them.
        part: String,
    },
    /// More than [`MAX_NODES`].
    #[error("node range part '{0}' stands for more than {MAX_NODES} nodes")]
    TooMany(String),
    /// A result that can't name a node.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

/// The nodes that `text` names.
///
/// # Errors
/// The text is no range, or one of its names can't name a node.
pub fn parse(text: &str) -> Result<Vec<NodeName>, InvalidRange> {
    let mut included = Vec::new();
    let mut excluded = HashSet::new();
    for part in split_parts(text)? {
        match part.strip_prefix('-') {
            Some(rest) => excluded.extend(expand(rest)?),
            None => included.extend(expand(part)?),
        }
        if included.len() > MAX_NODES {
            return Err(InvalidRange::TooMany(shorten(part)));
        }
    }
    let mut seen = HashSet::with_capacity(included.len());
    let mut names = Vec::with_capacity(included.len());
    for name in included {
        if !excluded.contains(&name) && seen.insert(name.clone()) {
            names.push(name.parse::<NodeName>()?);
        }
    }
    if names.is_empty() {
        Err(InvalidRange::Empty(shorten(text)))
    } else {
        Ok(names)
    }
}

/// Splits at the commas that stand outside brackets.
fn split_parts(text: &str) -> Result<Vec<&str>, InvalidRange> {
    let mut parts = Vec::new();
    let (mut start, mut open) = (0, false);
    for (position, character) in text.char_indices() {
        match character {
            '[' if open => return Err(InvalidRange::Brackets(shorten(text))),
            '[' => open = true,
            ']' if !open => return Err(InvalidRange::Brackets(shorten(text))),
            ']' => open = false,
            ',' if !open => {
                parts.push(text[start..position].trim());
                start = position + 1;
            }
            _ => {}
        }
    }
    if open {
        return Err(InvalidRange::Brackets(shorten(text)));
    }
    parts.push(text[start..].trim());
    match parts
        .iter()
        .any(|part| part.trim_start_matches('-').is_empty())
    {
        true => Err(InvalidRange::EmptyPart(shorten(text))),
        false => Ok(parts),
    }
}

/// The names of one part without its leading `-`.
fn expand(part: &str) -> Result<Vec<String>, InvalidRange> {
    if let Some((prefix, first, last)) = plain_range(part) {
        let bounds = format!("{prefix}{first}-{prefix}{last}");
        let numbers = Numbers::new(first, last, &bounds, part)?;
        return product(&[prefix.to_owned()], &[numbers], part);
    }
    let mut names = vec![String::new()];
    let mut rest = part;
    while let Some((literal, tail)) = rest.split_once('[') {
        let (inside, after) = tail
            .split_once(']')
            .ok_or_else(|| InvalidRange::Brackets(shorten(part)))?;
        for name in &mut names {
            name.push_str(literal);
        }
        names = product(&names, &bracket(inside, part)?, part)?;
        rest = after;
    }
    for name in &mut names {
        name.push_str(rest);
    }
    Ok(names)
}

/// Reads `node1-node9`: the same letters and then a number on both sides of a hyphen.
fn plain_range(part: &str) -> Option<(&str, &str, &str)> {
    if part.contains('[') {
        return None;
    }
    part.match_indices('-').find_map(|(position, _)| {
        let (left, right) = (
            split_digits(&part[..position]),
            split_digits(&part[position + 1..]),
        );
        let both_numbered = !left.1.is_empty() && !right.1.is_empty();
        (both_numbered && left.0 == right.0).then_some((left.0, left.1, right.1))
    })
}

/// Splits the digits off the end of a text.
fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.trim_end_matches(|c: char| c.is_ascii_digit()).len())
}

fn bracket(inside: &str, part: &str) -> Result<Vec<Numbers>, InvalidRange> {
    let wrong = || InvalidRange::Numbers {
        inside: shorten(inside),
        part: shorten(part),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let range = |item: &str| {
        let item = item.trim();
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (first.trim(), last.trim());
        if digits(first) && digits(last) {
            Numbers::new(first, last, item, part)
        } else {
            Err(wrong())
        }
    };
    inside.split(',').map(range).collect()
}

/// An ascending run of numbers with the width that its padding asks for.
struct Numbers {
    first: u64,
    last: u64,
    width: usize,
}

impl Numbers {
    fn new(first: &str, last: &str, bounds: &str, part: &str) -> Result<Self, InvalidRange> {
        let (bounds, part) = (shorten(bounds), shorten(part));
        let number = |text: &str| {
            text.parse()
                .map_err(|_| InvalidRange::TooMany(part.clone()))
        };
        let numbers = Self {
            first: number(first)?,
            last: number(last)?,
            width: first.len(),
        };
        let padded = |text: &str| text.len() > 1 && text.starts_with('0');
        if numbers.first > numbers.last {
            Err(InvalidRange::Descending { bounds, part })
        } else if (padded(first) || padded(last)) && first.len() != last.len() {
            Err(InvalidRange::Padding { bounds, part })
        } else if numbers.last - numbers.first >= MAX_NODES as u64 {
            Err(InvalidRange::TooMany(part))
        } else {
            Ok(numbers)
        }
    }

    fn iter(&self) -> impl Iterator<Item = String> + '_ {
        (self.first..=self.last).map(|number| format!("{number:0width$}", width = self.width))
    }
}

/// Every prefix with every number after it.
fn product(
    prefixes: &[String],
    numbers: &[Numbers],
    part: &str,
) -> Result<Vec<String>, InvalidRange> {
    let count: u64 = numbers.iter().map(|run| run.last - run.first + 1).sum();
    if count.saturating_mul(prefixes.len() as u64) > MAX_NODES as u64 {
        return Err(InvalidRange::TooMany(shorten(part)));
    }
    let mut names = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        names.extend(
            numbers
                .iter()
                .flat_map(Numbers::iter)
                .map(|n| format!("{prefix}{n}")),
        );
    }
    Ok(names)
}

/// As much of a text as belongs in an error.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Vec<String> {
        parse(text)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn each_form_names_its_nodes_in_order() {
        assert_eq!(names("b,a"), ["b", "a"]);
        assert_eq!(names("node[1-3]"), ["node1", "node2", "node3"]);
        assert_eq!(
            names("node[08-10,15]"),
            ["node08", "node09", "node10", "node15"]
        );
        assert_eq!(
            names("r[1-2]-u[1-2]x"),
            ["r1-u1x", "r1-u2x", "r2-u1x", "r2-u2x"]
        );
        assert_eq!(names("node9-node11"), ["node9", "node10", "node11"]);
        assert_eq!(names("n09-n11"), ["n09", "n10", "n11"]);
        assert_eq!(names("node[1-4],-node[2-3]"), ["node1", "node4"]);
        assert_eq!(names("-a,a,b"), ["b"]);
        assert_eq!(names("a,b,a"), ["a", "b"]);
        assert_eq!(names("rack-1, rack-2"), ["rack-1", "rack-2"]);
        assert_eq!(names("rack-1-rack-3"), ["rack-1", "rack-2", "rack-3"]);
    }

    #[test]
    fn what_is_no_range_says_why() {
        let cases = [
            ("", "empty part"),
            ("a,,b", "empty part"),
            ("-", "empty part"),
            ("a,-a", "names no node"),
            ("node[3-1]", "runs backwards"),
            ("node3-node1", "runs backwards"),
            ("node[1-010]", "pads its numbers differently"),
            ("node[1-3", "bracket"),
            ("node1-3]", "bracket"),
            ("node[[1-3]]", "bracket"),
            ("node[a-c]", "not a list of numbers"),
            ("node[]", "not a list of numbers"),
            ("node[1-99999999999]", "more than"),
            ("node[1-99999999999999999999999]", "more than"),
            ("n[1-2000][1-2000]", "more than"),
            ("a b", "not a valid name"),
            ("power", "reserved"),
        ];
        for (text, why) in cases {
            let sentence = parse(text).unwrap_err().to_string();
            assert!(sentence.contains(why), "{text}: {sentence}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_grows(text in "[-a-c0-9\\[\\], ]{0,24}") {
            if let Ok(names) = parse(&text) {
                prop_assert!(!names.is_empty() && names.len() <= MAX_NODES);
            }
        }

        #[test]
        fn a_bracket_counts_what_it_says(first in 0u64..5000, count in 1u64..500) {
            let last = first + count - 1;
            let found = parse(&format!("n[{first}-{last}]")).unwrap();
            prop_assert_eq!(found.len() as u64, count);
            prop_assert_eq!(found.last().unwrap().to_string(), format!("n{last}"));
        }
    }
}
