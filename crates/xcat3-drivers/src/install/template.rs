//! Templates of install documents: built in, and overridden by the operator's.
//!
//! An override is read at each rendering, so an edit counts from the next install on without a
//! restart, and a mistake in it is a sentence with file and line, not a half-written answer file.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind as TemplateErrorKind, UndefinedBehavior};
use serde::Serialize;

/// The most steps that one rendering may take: a loop in an override ends as an error.
const FUEL: u64 = 1_000_000;

/// A template that can't be read or rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The override exists but can't be read.
    #[error("template {path} can't be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no valid template, or uses a variable that does not exist.
    #[error("template {name}: {reason}")]
    Render {
        /// The template, or the file that overrides it.
        name: String,
        /// Why, with the line.
        reason: String,
    },
}

/// Renders the template `name` (for example `debian/preseed.cfg`) with `values`: the file of that
/// name and `.j2` below `overrides` where it exists, else `built_in`.
pub(super) fn render(
    name: &str,
    built_in: &str,
    overrides: &Path,
    values: impl Serialize,
) -> Result<String, TemplateError> {
    let path = overrides.join(format!("{name}.j2"));
    let (shown, text) = match fs::read_to_string(&path) {
        Ok(text) => (path.display().to_string(), text),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            (name.to_owned(), built_in.to_owned())
        }
        Err(source) => {
            return Err(TemplateError::Read {
                path: path.display().to_string(),
                source,
            });
        }
    };
    let wrong = |error: Error| {
        let line = error
            .line()
            .map(|line| format!(" (line {line})"))
            .unwrap_or_default();
        TemplateError::Render {
            name: shown.clone(),
            reason: format!("{error}{line}"),
        }
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .trim_blocks(true)
            .build()
            .map_err(wrong)?,
    );
    environment.set_fuel(Some(FUEL));
    environment.add_filter("sh", shell_quoted);
    environment.add_filter("line", one_line);
    environment
        .render_named_str(&shown, &text, Serde(values))
        .map_err(wrong)
}

/// The filter `sh`: one word of a POSIX shell, whatever is in it.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The filter `line`: refuses a value that would end the line of an answer file and start another.
fn one_line(text: &str) -> Result<String, Error> {
    if text.chars().any(char::is_control) {
        let kind = TemplateErrorKind::InvalidOperation;
        return Err(Error::new(
            kind,
            "a value with a line break or control character",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_override_replaces_the_built_in_template_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let text = |overrides: &Path| {
            render("debian/x", "built in {{ a }}", overrides, json!({"a": 1})).unwrap()
        };
        assert_eq!(text(directory.path()), "built in 1");
        fs::create_dir(directory.path().join("debian")).unwrap();
        fs::write(directory.path().join("debian/x.j2"), "mine {{ a }}").unwrap();
        assert_eq!(text(directory.path()), "mine 1");
    }

    #[test]
    fn a_mistake_is_named_with_file_and_line() {
        let error = render("debian/x", "a\n{{ nobody }}", Path::new(""), json!({})).unwrap_err();
        let sentence = error.to_string();
        assert!(
            sentence.contains("debian/x") && sentence.contains("line 2"),
            "{sentence}"
        );
    }

    #[test]
    fn values_can_neither_leave_their_word_nor_their_line() {
        let values = json!({"a": "x'; reboot '", "b": "x\ny"});
        let quoted = render("t", "{{ a|sh }}", Path::new(""), &values).unwrap();
        assert_eq!(quoted, r"'x'\''; reboot '\'''");
        assert!(render("t", "{{ b|line }}", Path::new(""), &values).is_err());
    }

    #[test]
    fn an_endless_template_ends() {
        let endless =
            "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(render("t", endless, Path::new(""), json!({})).is_err());
    }
}
