//! What is seen on standard error while an operation on nodes is under way: a bar on a terminal, a line
//! now and then elsewhere. Nothing in the first second, and nothing for programs.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plain::plain;
use crate::stream::{Record, Verdict};
use crate::tally::{FEW, Tally};

/// How often the bar is drawn or a line is due at the earliest.
pub const TICK: Duration = Duration::from_millis(250);
/// When nothing is shown yet.
const QUIET: Duration = Duration::from_secs(1);
/// The longest time between two lines.
const LONGEST_GAP: Duration = Duration::from_secs(30);
/// So many different failures are shown as they occur.
const FIRST_FAILURES: usize = 5;

/// Progress of an operation.
pub struct Progress {
    what: String,
    total: usize,
    started: Instant,
    shown: Shown,
    failures: usize,
}

enum Shown {
    Nothing,
    Bar(Box<ProgressBar>),
    Lines { next: Duration },
}

impl Progress {
    /// Begins to show the progress of `what` on `total` nodes; nothing where `quiet`.
    pub fn start(what: &str, total: usize, quiet: bool) -> Self {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => {
                let bar =
                    ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
                bar.set_style(style(total));
                Shown::Bar(Box::new(bar))
            }
            (false, false) => Shown::Lines { next: QUIET },
        };
        Self {
            what: what.to_owned(),
            total,
            started: Instant::now(),
            shown,
            failures: 0,
        }
    }

    /// Shows how far it has come, where that is due.
    pub fn tick(&mut self, tally: &Tally) {
        let elapsed = self.started.elapsed();
        if elapsed < QUIET {
            return;
        }
        let text = text(tally, self.total, elapsed);
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                if bar.is_hidden() {
                    bar.set_draw_target(ProgressDrawTarget::stderr());
                }
                bar.set_position(tally.total() as u64);
                bar.set_message(text);
                bar.tick();
            }
            Shown::Lines { next } => {
                if elapsed >= *next {
                    *next = elapsed + elapsed.min(LONGEST_GAP);
                    eprintln!("xcat3: {}: {text}", self.what);
                }
            }
        }
    }

    /// Shows a result that is seen for the first time, if it is one of the first failures.
    pub fn first(&mut self, record: &Record) {
        let shown = record.outcome == Verdict::Failed
            && self.total > FEW
            && self.failures < FIRST_FAILURES
            && !matches!(self.shown, Shown::Nothing);
        if shown {
            self.failures += 1;
            self.say(&format!("{}: {}", record.node, record.result));
        }
    }

    /// Says something on standard error, above the bar.
    pub fn say(&self, sentence: &str) {
        let sentence = plain(sentence);
        self.aside(|| eprintln!("xcat3: {sentence}"));
    }

    /// Ends it: nothing is shown any more.
    pub fn close(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
        self.shown = Shown::Nothing;
    }

    /// Does something that prints, while the bar is out of the way.
    pub fn aside(&self, print: impl FnOnce()) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(print),
            _ => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.close();
    }
}

fn style(total: usize) -> ProgressStyle {
    let template = if total > FEW {
        "{bar:16} {wide_msg}"
    } else {
        "{spinner} {wide_msg}"
    };
    ProgressStyle::with_template(template).expect("a valid template")
}

/// How far it has come, for a person.
fn text(tally: &Tally, total: usize, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let told = tally.total();
    let mut text = format!(
        "{} of {total} done, {} failed",
        tally.done(),
        tally.failed()
    );
    if tally.left_alone() > 0 {
        text.push_str(&format!(", {} left alone", tally.left_alone()));
    }
    let rate = told as f64 / seconds.max(0.001);
    let to_go = total.saturating_sub(told);
    text.push_str(&format!(", {to_go} to go, {rate:.0}/s, {seconds:.0} s"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_counts_rate_and_time() {
        let mut tally = Tally::default();
        for number in 0..300 {
            tally.note(&format!("n{number}"), Verdict::Ok, "on");
        }
        tally.note("x", Verdict::Failed, "no");
        let said = text(&tally, 1_000, Duration::from_secs(2));
        assert_eq!(said, "300 of 1000 done, 1 failed, 699 to go, 150/s, 2 s");
        tally.note("y", Verdict::LeftAlone, "left alone");
        let said = text(&tally, 1_000, Duration::from_secs(2));
        assert!(said.contains("1 left alone, 698 to go"), "{said}");
    }
}
