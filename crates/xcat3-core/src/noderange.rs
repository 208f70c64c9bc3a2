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
//! an error that says why; it is never silently empty and never endless. [`fold`] goes the other way.

mod fold;

use std::collections::HashSet;

pub use fold::fold;

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
    let mut included = Expansion::default();
    let mut excluded = HashSet::new();
    for part in split_parts(text)? {
        match part.strip_prefix('-') {
            Some(rest) => excluded.extend(expand(rest)?.names),
            None => included.append(expand(part)?),
        }
        if included.names.len() > MAX_NODES {
            return Err(InvalidRange::TooMany(shorten(part)));
        }
    }
    let names = included.without(&excluded);
    if names.is_empty() {
        return Err(InvalidRange::Empty(shorten(text)));
    }
    let named = names.into_iter().map(NodeName::try_from);
    Ok(named.collect::<Result<Vec<NodeName>, InvalidName>>()?)
}

/// Names that a text stands for.
#[derive(Default)]
struct Expansion {
    names: Vec<String>,
    /// Whether a name may stand there twice, as far as the form of the text tells. Where it tells that
    /// none does, they need not be compared.
    repeats: bool,
}

impl Expansion {
    fn append(&mut self, other: Self) {
        if self.names.is_empty() {
            *self = other;
        } else {
            self.names.extend(other.names);
            self.repeats = true;
        }
    }

    /// The names that are not `excluded`, each once.
    fn without(self, excluded: &HashSet<String>) -> Vec<String> {
        if !self.repeats && excluded.is_empty() {
            return self.names;
        }
        let mut seen = HashSet::with_capacity(self.names.len());
        let names = self.names.iter();
        // The set borrows the names, so what it says is noted first.
        let kept: Vec<bool> = names
            .map(|name| !excluded.contains(name) && seen.insert(name.as_str()))
            .collect();
        let names = self.names.into_iter().zip(kept);
        names
            .filter_map(|(name, kept)| kept.then_some(name))
            .collect()
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
fn expand(part: &str) -> Result<Expansion, InvalidRange> {
    if let Some((prefix, first, last)) = plain_range(part) {
        let bounds = format!("{prefix}{first}-{prefix}{last}");
        let numbers = Numbers::new(first, last, &bounds, part)?;
        let names = product(&[prefix.to_owned()], &[numbers], "", part)?;
        return Ok(Expansion {
            names,
            repeats: false,
        });
    }
    let (first, mut rest) = part.split_once('[').unwrap_or((part, ""));
    let mut expansion = Expansion {
        names: vec![first.to_owned()],
        repeats: false,
    };
    let mut more = first.len() < part.len();
    while more {
        let (inside, after) = rest
            .split_once(']')
            .ok_or_else(|| InvalidRange::Brackets(shorten(part)))?;
        let (literal, tail) = after.split_once('[').unwrap_or((after, ""));
        more = literal.len() < after.len();
        let numbers = bracket(inside, part)?;
        expansion.names = product(&expansion.names, &numbers, literal, part)?;
        // Where a number ends is seen in the name, unless another follows or a digit does.
        let apart = !more || literal.starts_with(|c: char| !c.is_ascii_digit());
        let ascending = numbers.windows(2).all(|two| two[0].last < two[1].first);
        expansion.repeats |= !(apart && ascending);
        rest = tail;
    }
    Ok(expansion)
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

    /// Calls `each` with the digits of every number.
    fn each(&self, mut each: impl FnMut(&[u8])) {
        let mut digits = format!("{:0width$}", self.first, width = self.width).into_bytes();
        for _ in self.first..self.last {
            each(&digits);
            count_on(&mut digits);
        }
        each(&digits);
    }
}

/// Makes the digits those of the next number. Writing each number anew costs several times as much.
fn count_on(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// Every prefix with every number after it, and then `literal`.
fn product(
    prefixes: &[String],
    numbers: &[Numbers],
    literal: &str,
    part: &str,
) -> Result<Vec<String>, InvalidRange> {
    let count: u64 = numbers.iter().map(|run| run.last - run.first + 1).sum();
    let count = count.saturating_mul(prefixes.len() as u64);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MAX_NODES {
        return Err(InvalidRange::TooMany(shorten(part)));
    }
    let mut names = Vec::with_capacity(count);
    for prefix in prefixes {
        for run in numbers {
            run.each(|digits| {
                let length = prefix.len() + digits.len() + literal.len();
                let mut name = String::with_capacity(length);
                name.push_str(prefix);
                name.extend(digits.iter().copied().map(char::from));
                name.push_str(literal);
                names.push(name);
            });
        }
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
        assert_eq!(names("n[98-101]"), ["n98", "n99", "n100", "n101"]);
        assert_eq!(names("n[098-101]"), ["n098", "n099", "n100", "n101"]);
    }

    #[test]
    fn a_node_that_is_named_twice_stands_once() {
        assert_eq!(names("n[1-3,2]"), ["n1", "n2", "n3"]);
        assert_eq!(names("n[3,1-3]"), ["n3", "n1", "n2"]);
        assert_eq!(names("n[1-2][1,11]"), ["n11", "n111", "n21", "n211"]);
        assert_eq!(names("n[1,11][1,11]"), ["n11", "n111", "n1111"]);
        assert_eq!(names("n[1,11]1[1-1]"), ["n111", "n1111"]);
        assert_eq!(names("n[1,11]1[1,11]"), ["n111", "n1111", "n11111"]);
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
        fn no_form_names_a_node_twice(text in "n\\[[1-3]{1,2}(-3)?(,[1-3]{1,2}){0,2}\\]1?-?(\\[[1-3](,1[1-3])?\\])?(,n[1-3]{2})?") {
            if let Ok(names) = parse(&text) {
                let set: HashSet<&NodeName> = names.iter().collect();
                prop_assert_eq!(set.len(), names.len());
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
