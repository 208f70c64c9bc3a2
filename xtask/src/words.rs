//! The words of the project, as far as a program can check them: identifiers that are no standard terms,
//! and the width of documentation.
//!
//! `xtask/words.allowed` counts the identifiers that are still in each crate and the wide lines of each
//! page. The counts may only shrink: more is an error, less asks for a smaller count.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use crate::command::workspace;
use crate::sources::{code, rust_files};

/// Words that say nothing about what they name.
const WORDS: [&str; 18] = [
    "Answer",
    "Ask",
    "Asked",
    "Held",
    "Kind",
    "Manner",
    "PATIENCE",
    "Patience",
    "Place",
    "Said",
    "Share",
    "Shared",
    "Stranger",
    "Strangers",
    "Tenure",
    "Told",
    "Turn",
    "Turns",
];
/// Names that functions don't have.
const FUNCTIONS: [&str; 10] = [
    "asked",
    "is_theirs",
    "keep",
    "note",
    "noted",
    "of",
    "said",
    "take",
    "tell",
    "told",
];
const ALLOWED: &str = "xtask/words.allowed";
/// The widest line of a page, but for tables and code.
const COLUMNS: usize = 120;

/// What wide lines are counted as.
const WIDE: &str = "wide-line";

type Counts = BTreeMap<(String, String), usize>;

/// Checks identifiers and pages; the error lists everything that is wrong.
pub fn check() -> Result<()> {
    let (counts, allowed) = (counts()?, allowed()?);
    let mut wrong = Vec::new();
    for ((part, word), count) in &counts {
        let most = allowed
            .get(&(part.clone(), word.clone()))
            .copied()
            .unwrap_or(0);
        if *count > most {
            wrong.push(format!(
                "{part}: {word} {count} times, {most} allowed by {ALLOWED} (CONTRIBUTING.md says why)"
            ));
        }
    }
    ensure!(wrong.is_empty(), "words:\n  {}", wrong.join("\n  "));
    for ((part, word), most) in &allowed {
        let count = counts
            .get(&(part.clone(), word.clone()))
            .copied()
            .unwrap_or(0);
        if count < *most {
            eprintln!("note: {ALLOWED}: '{part} {word} {most}' can be {count} now");
        }
    }
    Ok(())
}

/// Writes the counts of today as those allowed, where none has grown.
pub fn tighten() -> Result<()> {
    check()?;
    let lines = counts()?
        .into_iter()
        .map(|((part, word), count)| format!("{part} {word} {count}\n"));
    Ok(std::fs::write(
        workspace().join(ALLOWED),
        lines.collect::<String>(),
    )?)
}

fn allowed() -> Result<Counts> {
    let text = std::fs::read_to_string(workspace().join(ALLOWED)).context(ALLOWED)?;
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [part, word, count] = words[..] else {
            anyhow::bail!("{ALLOWED}: '{line}' is not CRATE WORD COUNT");
        };
        Ok(((part.to_owned(), word.to_owned()), count.parse()?))
    };
    text.lines().map(line).collect()
}

/// How often each banned identifier is in each crate, and how many lines of each page are too wide.
fn counts() -> Result<Counts> {
    let mut counts = identifiers()?;
    for directory in ["", "docs", "docs/adr"] {
        let Ok(entries) = std::fs::read_dir(workspace().join(directory)) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            // An entry of the change log is one line.
            let is_page = path.extension().is_some_and(|ending| ending == "md");
            if is_page && !path.ends_with("CHANGELOG.md") {
                let wide = wide_lines(&std::fs::read_to_string(&path)?);
                let name = path.strip_prefix(workspace()).unwrap_or(&path);
                counts.insert((name.display().to_string(), WIDE.to_owned()), wide);
            }
        }
    }
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

/// How often each banned identifier is in each crate.
fn identifiers() -> Result<Counts> {
    let mut counts = Counts::new();
    let mut parts = vec![workspace().join("xtask")];
    for entry in std::fs::read_dir(workspace().join("crates"))? {
        parts.push(entry?.path());
    }
    for directory in parts {
        let part = directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for file in rust_files(&directory)? {
            let text =
                std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            for word in banned(&code(&text)) {
                *counts.entry((part.clone(), word)).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

/// The banned identifiers of a text; functions as `fn NAME` where they are defined.
fn banned(code: &str) -> Vec<String> {
    let of_word = |character: char| !character.is_alphanumeric() && character != '_';
    let words: Vec<&str> = code
        .split(of_word)
        .filter(|word| !word.is_empty())
        .collect();
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_defined = index > 0 && words[index - 1] == "fn";
        if WORDS.contains(word) {
            found.push((*word).to_owned());
        } else if is_defined && FUNCTIONS.contains(word) {
            found.push(format!("fn:{word}"));
        }
    }
    found
}

/// How many lines of a page are too wide.
fn wide_lines(text: &str) -> usize {
    let (mut in_code, mut wide) = (false, 0);
    for line in text.lines() {
        let words = line.trim_start();
        if words.starts_with("```") {
            in_code = !in_code;
        }
        let is_free = in_code || words.starts_with('|') || line.starts_with("    ");
        wide += usize::from(!is_free && line.chars().count() > COLUMNS);
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::{banned, wide_lines};

    #[test]
    fn banned_identifiers_are_found_where_they_are_names() {
        let code = "struct Told; fn of(x: u8) {} fn office() {} slice.of(Told)";
        assert_eq!(banned(code), ["Told", "fn:of", "Told"]);
    }

    #[test]
    fn wide_lines_count_outside_of_tables_and_code() {
        let wide = "w".repeat(121);
        let text = format!("{wide}\n| {wide}\n```\n{wide}\n```\n{}\n", &wide[1..]);
        assert_eq!(wide_lines(&text), 1);
    }
}
