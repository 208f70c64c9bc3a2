//! How answers look: what the prototype printed for people, JSON for programs.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize as _;
use serde_json::Value;
use xcat3_core::natural;

/// Words by which the API says that a node's operation was done.
const SUCCESS_WORDS: [&str; 8] = [
    "ok", "updated", "deleted", "on", "off", "net", "disk", "cdrom",
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

/// Prints the outcome of each node and the counts; says whether all were done.
pub fn node_outcomes(answer: &Value, json: bool) -> ExitCode {
    let empty = serde_json::Map::new();
    let nodes = answer["nodes"].as_object().unwrap_or(&empty);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let done = nodes
        .values()
        .filter(|value| SUCCESS_WORDS.contains(&word(value).as_str()))
        .count();
    if json {
        print_json(answer);
    } else {
        let mut lines: Vec<_> = nodes.iter().collect();
        lines.sort_by(|a, b| natural::compare(a.0, b.0));
        let text: String = lines
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", word(value)))
            .collect();
        print!("{text}");
        println!("\nSuccess: {done}  Total: {}", nodes.len());
    }
    if done == nodes.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints one line for each thing, or says that there is none.
pub fn list(lines: &[String], answer: &Value, json: bool) {
    if json {
        print_json(answer);
    } else if lines.is_empty() {
        println!("Could not find any resource.");
    } else {
        println!("{}", lines.join("\n"));
    }
}

/// Prints a document with the prototype's indent of four.
pub fn print_json(value: &Value) {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    if value.serialize(&mut serializer).is_ok() {
        println!("{}", String::from_utf8_lossy(&bytes));
    }
}
