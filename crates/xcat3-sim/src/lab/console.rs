//! What a guest writes to its serial line, and what is seen in it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::command::tail;

/// How long a question must stand unanswered before it counts.
const PATIENCE: Duration = Duration::from_secs(8);

/// The serial console of a guest, read from the hypervisor's log of it as that grows.
pub struct Console {
    log: PathBuf,
    /// How much of the log was taken in.
    offset: u64,
    /// Whole lines, without terminal control sequences.
    lines: String,
    /// The unfinished line after them, as it came.
    rest: Vec<u8>,
    /// The last line, where it is a question, and since when it is the last.
    standing: Option<(String, Instant)>,
}

impl Console {
    /// The console that is logged into this file.
    #[must_use]
    pub fn new(log: PathBuf) -> Self {
        Self {
            log,
            offset: 0,
            lines: String::new(),
            rest: Vec::new(),
            standing: None,
        }
    }

    /// Takes in what was written since. There is no log before the guest was first powered on.
    fn read_on(&mut self) {
        let Ok(mut file) = File::open(&self.log) else {
            return;
        };
        let mut new = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.offset))
            .and_then(|_| file.read_to_end(&mut new));
        self.offset += read.unwrap_or(0) as u64;
        self.rest.append(&mut new);
        if let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') {
            let whole: Vec<u8> = self.rest.drain(..=end).collect();
            self.lines
                .push_str(&plain(&String::from_utf8_lossy(&whole)));
        }
    }

    /// The last lines that say something.
    #[must_use]
    pub fn last_lines(&mut self, count: usize) -> String {
        self.read_on();
        let start = self.lines.len().saturating_sub(8192);
        let start = (start..=self.lines.len()).find(|&at| self.lines.is_char_boundary(at));
        let lines = &self.lines[start.unwrap_or(0)..];
        let text = format!("{lines}{}", plain(&String::from_utf8_lossy(&self.rest)));
        let said: Vec<&str> = text.lines().filter(|line| !is_status_line(line)).collect();
        tail(&said.join("\n"), count)
    }

    /// Whether the guest has written this.
    #[must_use]
    pub fn has(&mut self, words: &str) -> bool {
        self.read_on();
        self.lines.contains(words) || plain(&String::from_utf8_lossy(&self.rest)).contains(words)
    }

    /// Why the guest will not go on by itself, if so: it died, or asks a question that nobody is
    /// there to answer.
    pub fn trouble(&mut self) -> Option<String> {
        self.read_on();
        for fatal in ["Kernel panic - not syncing", "small-guest: FAILED"] {
            if let Some(at) = self.lines.find(fatal) {
                let start = self.lines[..at].rfind('\n').map_or(0, |end| end + 1);
                return Some(
                    self.lines[start..]
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .to_owned(),
                );
            }
        }
        // Nobody answers, so a question stays the last that is said.
        let last = self.last_lines(1).trim().to_owned();
        if !is_question(&last) {
            self.standing = None;
            return None;
        }
        match &self.standing {
            Some((line, since)) if *line == last => (since.elapsed() > PATIENCE)
                .then(|| format!("it asks a question:\n{}", self.last_lines(12))),
            _ => {
                self.standing = Some((last, Instant::now()));
                None
            }
        }
    }
}

/// Whether this is the line at the bottom of the terminal in which debian-installer lists its windows.
fn is_status_line(line: &str) -> bool {
    line.contains("2 shell  3") && line.contains("][")
}

/// Whether debian-installer's text frontend waits for an answer after this line.
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
                    // Where the cursor goes elsewhere, another line begins.
                    let end = rest.find(char::is_ascii_alphabetic);
                    if matches!(end, Some('A' | 'B' | 'H' | 'd' | 'f')) {
                        plain.push('\n');
                    }
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
    use std::io::Write;

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
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let status = "\u{1b}[H\u{1b}[7m (1*installer)  2 shell  3 shell  4- log  ][ Nov 23  0:58 ]\r\u{1b}[22B";
        write!(
            file,
            "Country:\r\nPrompt: '?' for help> \r\n{status}{status}"
        )
        .unwrap();
        let mut console = Console::new(file.path().to_owned());
        assert_eq!(console.last_lines(1), "Prompt: '?' for help> ");
        assert!(console.trouble().is_none(), "it may still be answered");
    }

    #[test]
    fn a_panic_is_trouble_at_once() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut console = Console::new(file.path().to_owned());
        file.write_all(b"one\r\ntw").unwrap();
        assert!(console.trouble().is_none() && console.has("tw"));
        file.write_all(b"o\r\n[ 1.0] Kernel panic - not syncing: no init\r\n[ 1.1]")
            .unwrap();
        let trouble = console.trouble();
        assert_eq!(
            trouble.as_deref(),
            Some("[ 1.0] Kernel panic - not syncing: no init")
        );
        assert_eq!(console.last_lines(3).lines().next(), Some("two"));
    }
}
