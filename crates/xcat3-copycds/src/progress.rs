//! How an import tells its operator where it is: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Is told of an import's progress and may stop it.
pub trait Progress: Send + Sync {
    /// A step begins that goes through so many bytes.
    fn begin(&self, step: &str, bytes: u64);
    /// So many bytes more are done.
    fn advance(&self, bytes: u64);
    /// The step is done.
    fn end(&self);
    /// Something that the operator should know.
    fn note(&self, sentence: &str);
    /// Whether the operator wants to stop.
    fn stopped(&self) -> bool;
}

/// Tells nobody.
#[derive(Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn note(&self, _: &str) {}
    fn stopped(&self) -> bool {
        false
    }
}

/// Tells on standard error.
pub struct Bar {
    current: Mutex<Option<ProgressBar>>,
    stop: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Bar {
    /// Stops when `stop` says so.
    pub fn new(stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            current: Mutex::new(None),
            stop: Box::new(stop),
        }
    }

    fn with_current(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        let mut current = self
            .current
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        act(&mut current);
    }
}

impl Progress for Bar {
    fn begin(&self, step: &str, bytes: u64) {
        if !io::stderr().is_terminal() {
            line(&format!("{step} ({})", HumanBytes(bytes)));
            return;
        }
        let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
        let style = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_message(step.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        self.with_current(|current| *current = Some(bar));
    }

    fn advance(&self, bytes: u64) {
        self.with_current(|current| {
            if let Some(bar) = current {
                bar.inc(bytes);
            }
        });
    }

    fn end(&self) {
        self.with_current(|current| {
            if let Some(bar) = current.take() {
                bar.finish_and_clear();
            }
        });
    }

    fn note(&self, sentence: &str) {
        line(sentence);
    }

    fn stopped(&self) -> bool {
        (self.stop)()
    }
}

/// Where standard error is closed there is nobody to tell.
fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
