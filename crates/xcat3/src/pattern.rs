//! Names for machines that are found: those of a pattern that no node has yet, in its order.

use std::collections::HashSet;

use xcat3_core::{NodeName, noderange};

use crate::error::Error;

/// The highest number that a pattern with `%d` comes to.
const HIGHEST: usize = 1_000_000;
/// The most digits that it may ask for.
const MOST_DIGITS: usize = 9;

/// `count` names of `pattern` that are not `taken`. A pattern is a node range, whose names are given in
/// its order (`rack1-n[01-40]`), or a name with `%d` or `%03d`, which counts up from 1.
pub fn names(pattern: &str, taken: &HashSet<String>, count: usize) -> Result<Vec<NodeName>, Error> {
    let names: Vec<NodeName> = match counted(pattern)? {
        Some((before, digits, after)) => {
            let numbered = (1..=HIGHEST).map(|n| format!("{before}{n:0digits$}{after}"));
            let free = numbered.filter(|name| !taken.contains(name)).take(count);
            let parsed: Result<_, _> = free.map(|name| name.parse()).collect();
            parsed
                .map_err(|error| Error::Argument(format!("'{pattern}' makes no names: {error}")))?
        }
        None => {
            let range = noderange::parse(pattern)?.into_iter();
            range
                .filter(|name| !taken.contains(name.as_str()))
                .take(count)
                .collect()
        }
    };
    if names.len() < count {
        return Err(Error::Argument(format!(
            "'{pattern}' has {} names that no node has, and {count} machines are to be enrolled",
            names.len()
        )));
    }
    Ok(names)
}

/// What stands before a `%d`, how many digits it has, and what stands after it.
fn counted(pattern: &str) -> Result<Option<(&str, usize, &str)>, Error> {
    let Some((before, rest)) = pattern.split_once('%') else {
        return Ok(None);
    };
    let wrong = || {
        let sentence =
            format!("'{pattern}' is no pattern: write node[1-40], or node%03d to count from 1");
        Error::Argument(sentence)
    };
    let (digits, after) = rest.split_once('d').ok_or_else(wrong)?;
    let width = match digits.strip_prefix('0') {
        None if digits.is_empty() => 1,
        Some(width) => width.parse().map_err(|_| wrong())?,
        None => return Err(wrong()),
    };
    if after.contains('%') || width == 0 || width > MOST_DIGITS {
        return Err(wrong());
    }
    Ok(Some((before, width, after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pattern: &str, taken: &[&str], count: usize) -> Result<String, String> {
        let taken = taken.iter().map(|name| (*name).to_owned()).collect();
        let names = names(pattern, &taken, count).map_err(|error| error.to_string())?;
        Ok(names
            .iter()
            .map(NodeName::as_str)
            .collect::<Vec<_>>()
            .join(","))
    }

    #[test]
    fn names_are_those_of_the_pattern_that_are_free() {
        assert_eq!(
            made("r1-n[08-12]", &["r1-n09"], 3).unwrap(),
            "r1-n08,r1-n10,r1-n11"
        );
        assert_eq!(
            made("n%03d", &["n001", "n003"], 3).unwrap(),
            "n002,n004,n005"
        );
        assert_eq!(made("n%d-bmc", &[], 2).unwrap(), "n1-bmc,n2-bmc");
        assert_eq!(made("n[1-2]", &[], 0).unwrap(), "");
    }

    #[test]
    fn a_pattern_without_enough_names_or_sense_is_refused() {
        let few = made("n[1-3]", &["n2"], 3).unwrap_err();
        assert_eq!(
            few,
            "'n[1-3]' has 2 names that no node has, and 3 machines are to be enrolled"
        );
        for bad in [
            "n%", "n%3d", "n%s", "n%d%d", "n%00d", "n%099d", "n%d%", "n %d",
        ] {
            assert!(made(bad, &[], 1).is_err(), "{bad}");
        }
    }
}
