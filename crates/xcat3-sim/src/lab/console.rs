//! What a guest writes to its serial line, and what is seen in it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::command::tail;

/// How long a question must stand unanswered before it counts.
const PATIENCE: Duration = Duration::from_secs(8);

/// The serial console of a guest, read from hypervisor's log of it.
pub struct Console {
    log: PathBuf,
    /// The unfinished last line and since when it stands there.
    standing: Option<(String, Instant)>,
}

impl Console {
    /// The console that is logged into this file.
    #[must_use]
    pub fn new(log: PathBuf) -> Self {
        Self {
            log,
            standing: None,
        }
    }

    /// All of it, without terminal control sequences.
    #[must_use]
    pub fn text(&self) -> String {
        plain(&String::from_utf8_lossy(
            &fs::read(&self.log).unwrap_or_default(),
        ))
    }

    /// The last lines that say something.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        tail(&self.text(), count)
    }

    /// Whether the guest has written this.
    #[must_use]
    pub fn has(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// Why the guest will not go on by itself, if so: it died, or asks a question that nobody is
    /// there to answer.
    pub fn trouble(&mut self) -> Option<String> {
        let text = self.text();
        let fatal = ["Kernel panic - not syncing", "small-guest: FAILED"];
        if let Some(line) = text
            .lines()
            .find(|line| fatal.iter().any(|words| line.contains(words)))
        {
            return Some(line.trim().to_owned());
        }
        let last = text.rsplit('\n').next().unwrap_or_default().trim();
        if !is_question(last) {
            self.standing = None;
            return None;
        }
        match &self.standing {
            Some((line, since)) if line == last => (since.elapsed() > PATIENCE)
                .then(|| format!("it asks a question:\n{}", tail(&text, 12))),
            _ => {
                self.standing = Some((last.to_owned(), Instant::now()));
                None
            }
        }
    }
}

/// Whether debian-installer's text frontend waits for an answer after this unfinished line.
fn is_question(line: &str) -> bool {
    line.starts_with("Prompt: '?' for help") || line.ends_with("[Press enter to continue]")
}

/// The text as a person would see it: without escape sequences, with what a carriage return or a
/// backspace overwrites left as lines of their own.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => {
                // CSI: parameters up to a letter. Any other escape is two characters.
                if rest.next() == Some('[') {
                    while rest.next().is_some_and(|c| !c.is_ascii_alphabetic()) {}
                }
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => plain.push('\n'),
            '\n' | '\t' => plain.push(character),
            other if other.is_control() => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_not_seen() {
        assert_eq!(
            plain("\u{1b}[1;33mGo\u{1b}[0m on\r\n50%\r60%"),
            "Go on\n50%\n60%"
        );
        assert_eq!(plain("cut \u{1b}["), "cut ");
    }

    #[test]
    fn the_installers_questions_are_told_from_its_progress() {
        assert!(is_question("Prompt: '?' for help, default=1>"));
        assert!(is_question("[Press enter to continue]"));
        assert!(!is_question("Retrieving libc6 ... 20%"));
    }

    #[test]
    fn a_panic_is_trouble_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(
            file.path(),
            "[ 1.0] Kernel panic - not syncing: no init\r\n",
        )
        .unwrap();
        let trouble = Console::new(file.path().to_owned()).trouble();
        assert_eq!(
            trouble.as_deref(),
            Some("[ 1.0] Kernel panic - not syncing: no init")
        );
    }
}
