//! How answers look: what the prototype printed for people, JSON for programs.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize as _;
use serde_json::Value;

use crate::plain::lines;
use crate::stream::Verdict;
use crate::tally::Tally;

/// How answers are to look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// For programs.
    pub json: bool,
    /// A line for each node, however many there are.
    pub verbose: bool,
}

/// Words by which the API says that a node's operation was done.
const SUCCESS_WORDS: [&str; 11] = [
    "ok", "updated", "deleted", "on", "off", "net", "disk", "cdrom", "setup", "http", "none",
];

/// A sign of life on standard error for whatever takes longer than a second; silent elsewhere than on
/// a terminal.
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Starts to wait. Nothing is drawn in the first second.
    pub fn start(message: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(
            ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a valid template"),
        );
        bar.set_message(message.to_owned());
        let shown = bar.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if !shown.is_finished() {
                shown.set_draw_target(ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(200));
            }
        });
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What a document says of each node.
pub fn tally(answer: &Value) -> Tally {
    let mut tally = Tally::default();
    for (name, word) in answer["nodes"].as_object().into_iter().flatten() {
        let (verdict, word) = match word {
            Value::String(word) if SUCCESS_WORDS.contains(&word.as_str()) => {
                (Verdict::Ok, word.as_str())
            }
            Value::String(sentence) => (Verdict::Failed, sentence.as_str()),
            // A report.
            Value::Object(_) => (Verdict::Ok, "ok"),
            _ => (Verdict::Failed, ""),
        };
        tally.note(name, verdict, word);
    }
    tally
}

/// Prints what a document says of each node, and the counts; says whether all were done.
pub fn node_outcomes(answer: &Value, style: Style) -> ExitCode {
    let tally = tally(answer);
    if style.json {
        print_json(answer);
    } else {
        text(&tally.summary(style.verbose, 0));
    }
    tally.code()
}

/// Writes to standard output, without what a terminal would act on. Nobody may be reading it any more, which is no reason to end.
pub fn text(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(lines(text).as_bytes());
    let _ = stdout.flush();
}

/// Prints one line for each thing, or says that there is none.
pub fn list(lines: &[String], answer: &Value, json: bool) {
    if json {
        print_json(answer);
    } else if lines.is_empty() {
        text("Could not find any resource.\n");
    } else {
        text(&format!("{}\n", lines.join("\n")));
    }
}

/// Prints a document with the prototype's indent of four.
pub fn print_json(value: &Value) {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    if value.serialize(&mut serializer).is_ok() {
        text(&format!("{}\n", String::from_utf8_lossy(&bytes)));
    }
}
