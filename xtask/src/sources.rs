//! The workspace's own Rust sources, as far as lints look into them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// All Rust files below a directory but those of a nested build or package, sorted.
pub fn rust_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let is_own = !path.join("Cargo.toml").exists() && !path.ends_with("target");
        if path.is_dir() && is_own {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The text without comments and without what strings and characters hold.
pub fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let after_word =
            code.ends_with(|character: char| character.is_alphanumeric() || character == '_');
        let skipped = match first {
            '/' => comment(rest),
            '"' => string(rest),
            '\'' => character(rest),
            'r' if !after_word => raw_string(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of a comment that the text begins with; nothing where it begins with none.
fn comment(text: &str) -> usize {
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |end| end + 2)
    } else {
        0
    }
}

fn string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut index = 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|&byte| byte == b'#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = 2 + hashes;
    text[begin..]
        .find(&end)
        .map_or(text.len(), |index| begin + index + end.len())
}

/// A character's length; a lifetime is none.
fn character(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |index| index + 4),
        Some(_) => match characters.next() {
            Some((index, '\'')) => index + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn comments_and_texts_are_left_out() {
        let text = "let a = \"Told \\\" b\"; // Told\n/* Told */ fn f<'a>(c: &'a str) { 'x' '\\'' r#\"Told\"#; bar\"x\" }";
        let code = code(text);
        assert!(!code.contains("Told"), "{code}");
        for kept in ["let a =", "fn f<'a>(c: &'a str)", "bar"] {
            assert!(code.contains(kept), "{kept}: {code}");
        }
    }
}
