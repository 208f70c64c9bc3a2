//! What the lab tells the person who runs it.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Prints a line. Where nobody reads any more, it is nobody's loss.
pub fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// How long each phase took, in their order.
pub struct Phases {
    started: Instant,
    last: Instant,
    rows: Vec<(String, Duration)>,
}

impl Default for Phases {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            last: now,
            rows: Vec::new(),
        }
    }
}

impl Phases {
    /// The phase that was under way ends now.
    pub fn end(&mut self, name: impl Into<String>) {
        let now = Instant::now();
        self.rows.push((name.into(), now - self.last));
        self.last = now;
    }

    /// A table of all phases and their sum.
    #[must_use]
    pub fn table(&self) -> String {
        let rows = self.rows.iter().map(|(name, time)| (name.as_str(), *time));
        let total = [("in all", self.last - self.started)];
        let width = self
            .rows
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0)
            .max(6);
        rows.chain(total)
            .map(|(name, time)| format!("  {name:<width$}  {:>8.1} s\n", time.as_secs_f64()))
            .collect()
    }
}
