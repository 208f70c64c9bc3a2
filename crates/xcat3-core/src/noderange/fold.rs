//! Folding names into the shortest range that a person would write: `node[1-25],rack[1-2]-u[01-40]`.
//!
//! The order of the names is kept, so that parsing the text gives the same list. Whoever wants the
//! shortest text sorts the names first (`natural::compare`).

use std::borrow::Cow;

use crate::NodeName;

/// Numbers with more digits than this are part of the text around them.
const MOST_DIGITS: usize = 18;

/// The node range that stands for `names`, in their order: `parse(fold(names)) == names` where each name
/// stands once. The text for no names is empty, which `parse` refuses.
///
/// Takes time in proportion to the number of names, times the numbers in a name.
#[must_use]
pub fn fold(names: &[NodeName]) -> String {
    let mut parts: Vec<Part<'_>> = names
        .iter()
        .map(|name| Part {
            head: name.as_str(),
            tail: Cow::Borrowed(""),
            name: name.as_str(),
            folded: false,
        })
        .collect();
    // From the last number of the names to the first.
    loop {
        let split: Vec<Option<Number<'_>>> = parts.iter().map(|part| number(part.head)).collect();
        if split.iter().all(Option::is_none) {
            break;
        }
        parts = fold_last(parts, &split);
    }
    let texts: Vec<Cow<'_, str>> = parts.iter().map(Part::text).collect();
    texts.join(",")
}

/// Names that are alike but for numbers.
struct Part<'a> {
    /// What stands before the numbers that were looked at.
    head: &'a str,
    /// Those numbers and what stands around them.
    tail: Cow<'a, str>,
    /// One of the names.
    name: &'a str,
    /// Whether there is a bracket in `tail`.
    folded: bool,
}

impl Part<'_> {
    fn text(&self) -> Cow<'_, str> {
        if self.folded {
            Cow::Owned(format!("{}{}", self.head, self.tail))
        } else {
            unambiguous(self.name)
        }
    }
}

/// The last number of a text that may be folded, between what is before and after it.
struct Number<'a> {
    before: &'a str,
    digits: &'a str,
    after: &'a str,
}

fn number(text: &str) -> Option<Number<'_>> {
    let bytes = text.as_bytes();
    let mut end = bytes.len();
    loop {
        end = bytes[..end].iter().rposition(u8::is_ascii_digit)? + 1;
        let start = bytes[..end]
            .iter()
            .rposition(|byte| !byte.is_ascii_digit())
            .map_or(0, |last| last + 1);
        if end - start <= MOST_DIGITS {
            return Some(Number {
                before: &text[..start],
                digits: &text[start..end],
                after: &text[end..],
            });
        }
        end = start;
    }
}

/// Folds neighbours that differ in the last number of their heads.
fn fold_last<'a>(parts: Vec<Part<'a>>, split: &[Option<Number<'a>>]) -> Vec<Part<'a>> {
    let mut folded = Vec::new();
    let mut at = 0;
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        let Some(number) = &split[at] else {
            at += 1;
            folded.push(part);
            continue;
        };
        let mut runs = Runs::new(number.digits);
        at += 1;
        while let (Some(next), Some(Some(other))) = (parts.peek(), split.get(at)) {
            let alike = other.before == number.before && other.after == number.after;
            if !alike || next.tail != part.tail {
                break;
            }
            runs.add(other.digits);
            parts.next();
            at += 1;
        }
        folded.push(part.with(number, runs));
    }
    folded
}

impl<'a> Part<'a> {
    /// The part with the last number of its head replaced by `runs`.
    fn with(self, number: &Number<'a>, runs: Runs<'a>) -> Self {
        let single = runs.single();
        let tail = match (single, self.folded) {
            (Some(_), false) => Cow::Borrowed(&self.name[number.before.len()..]),
            (Some(digits), true) => Cow::Owned(format!("{digits}{}{}", number.after, self.tail)),
            (None, _) => {
                let inside = runs.into_text();
                Cow::Owned(format!("[{inside}]{}{}", number.after, self.tail))
            }
        };
        Part {
            head: number.before,
            tail,
            name: self.name,
            folded: self.folded || single.is_none(),
        }
    }
}

/// Numbers as the inside of a bracket, in the order in which they come.
struct Runs<'a> {
    /// What comes before the run that is still growing.
    text: String,
    first: &'a str,
    last: &'a str,
    /// The number of `last`.
    value: u64,
    count: usize,
}

impl<'a> Runs<'a> {
    fn new(digits: &'a str) -> Self {
        Self {
            text: String::new(),
            first: digits,
            last: digits,
            value: value(digits),
            count: 1,
        }
    }

    fn add(&mut self, digits: &'a str) {
        let next = value(digits);
        self.count += 1;
        if next != self.value + 1 || !self.continues(digits) {
            self.close();
            self.text.push(',');
            self.first = digits;
        }
        (self.last, self.value) = (digits, next);
    }

    /// Whether a run with the first number's padding would write its next number so.
    fn continues(&self, digits: &str) -> bool {
        let padded = |text: &str| text.len() > 1 && text.starts_with('0');
        if padded(self.first) {
            digits.len() == self.first.len()
        } else {
            !padded(digits)
        }
    }

    /// The number, where it is one alone.
    fn single(&self) -> Option<&'a str> {
        (self.count == 1).then_some(self.first)
    }

    /// Writes down the run that was growing.
    fn close(&mut self) {
        self.text.push_str(self.first);
        if self.first != self.last {
            self.text.push('-');
            self.text.push_str(self.last);
        }
    }

    fn into_text(mut self) -> String {
        self.close();
        self.text
    }
}

/// The number that at most [`MOST_DIGITS`] digits stand for.
fn value(digits: &str) -> u64 {
    let step = |number: u64, digit: u8| number * 10 + u64::from(digit - b'0');
    digits.bytes().fold(0, step)
}

/// A name, written so that the parser does not take it for a range: `a1-a3` is one as it stands.
fn unambiguous(name: &str) -> Cow<'_, str> {
    if super::plain_range(name).is_none() {
        return Cow::Borrowed(name);
    }
    // Such a name ends with a digit.
    let (start, last) = name.split_at(name.len() - 1);
    Cow::Owned(format!("{start}[{last}]"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse;
    use super::*;

    fn folded(names: &[&str]) -> String {
        let names: Vec<NodeName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let text = fold(&names);
        assert_eq!(parse(&text).unwrap(), names, "{text}");
        text
    }

    #[test]
    fn neighbours_become_a_range() {
        assert_eq!(folded(&["node1", "node2", "node3"]), "node[1-3]");
        assert_eq!(folded(&["node8", "node9", "node10"]), "node[8-10]");
        assert_eq!(folded(&["n1", "n2", "n5", "n7", "n8"]), "n[1-2,5,7-8]");
        assert_eq!(folded(&["n08", "n09", "n10", "n15"]), "n[08-10,15]");
        assert_eq!(folded(&["n98", "n99", "n100"]), "n[98-100]");
        assert_eq!(folded(&["n098", "n099", "n100"]), "n[098-100]");
        assert_eq!(folded(&["n1", "n02", "n3"]), "n[1,02,3]");
        assert_eq!(folded(&["n99", "n0100"]), "n[99,0100]");
        assert_eq!(folded(&["n099", "n100", "n101"]), "n[099-101]");
        assert_eq!(folded(&["n999", "n1000", "n0999"]), "n[999-1000,0999]");
        assert_eq!(folded(&["b", "a", "node7", "x"]), "b,a,node7,x");
        assert_eq!(folded(&["n1-bmc", "n2-bmc"]), "n[1-2]-bmc");
        assert_eq!(folded(&["1", "2"]), "[1-2]");
    }

    #[test]
    fn racks_fold_as_a_whole() {
        let rack = |r: u32| (1..=40).map(move |u| format!("rack{r}-u{u:02}"));
        let names: Vec<String> = (1..=25).flat_map(rack).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(folded(&names), "rack[1-25]-u[01-40]");
        assert_eq!(folded(&names[..999]), "rack[1-24]-u[01-40],rack25-u[01-39]");
        assert_eq!(folded(&["n1-eth0", "n2-eth0"]), "n[1-2]-eth0");
    }

    #[test]
    fn names_that_look_like_ranges_stay_names() {
        assert_eq!(folded(&["a1-a3"]), "a1-a[3]");
        assert_eq!(folded(&["1-2", "x"]), "1-[2],x");
        assert_eq!(folded(&["a1-a3", "a1-a4"]), "a1-a[3-4]");
        let huge = format!("a{}-a{}", "9".repeat(25), "9".repeat(25));
        folded(&[&huge]);
        let above = ["n18446744073709551615", "n18446744073709551616"];
        folded(&above);
        assert_eq!(fold(&[]), "");
    }

    #[test]
    fn many_names_fold() {
        let names = parse("node[1-65536],-node[7,9]").unwrap();
        assert_eq!(fold(&names), "node[1-6,8,10-65536]");
    }

    proptest! {
        #[test]
        fn folding_is_undone_by_parsing(names in proptest::collection::vec("[ab]?[0-9]{0,3}(-[ab]?[0-9]{1,2}){0,2}", 1..40)) {
            let mut names: Vec<NodeName> = names.iter().filter_map(|name| name.parse().ok()).collect();
            let mut seen = std::collections::HashSet::new();
            names.retain(|name| seen.insert(name.clone()));
            prop_assume!(!names.is_empty());
            prop_assert_eq!(parse(&fold(&names)).unwrap(), names.clone());
            names.sort_by(|a, b| crate::natural::compare(a.as_str(), b.as_str()));
            prop_assert_eq!(parse(&fold(&names)).unwrap(), names);
        }
    }
}
