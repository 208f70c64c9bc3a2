//! Where the daemons' log lines go: standard error, filtered by `RUST_LOG`, by `--debug`, or by the
//! level that the configuration names, which may change while the daemon runs.

use std::fmt;
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::config::LogLevel;

/// What decides over the log lines of a process.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The text of `RUST_LOG`, which wins over all else.
    pub filter: Option<String>,
    /// `--debug`, which wins over the level.
    pub debug: bool,
    /// The level of the configuration.
    pub level: LogLevel,
    /// Which of several processes this is; stands in each line.
    pub label: Option<String>,
}

impl Choice {
    /// By the environment and `--debug`.
    #[must_use]
    pub fn new(debug: bool) -> Self {
        Self {
            filter: std::env::var("RUST_LOG")
                .ok()
                .filter(|text| !text.is_empty()),
            debug,
            ..Self::default()
        }
    }

    fn filter(&self) -> EnvFilter {
        match &self.filter {
            Some(text) => EnvFilter::new(text),
            None if self.debug => EnvFilter::new(default_filter(LogLevel::Debug)),
            None => EnvFilter::new(default_filter(self.level)),
        }
    }
}

type Reload = Box<dyn Fn(LogLevel) + Send + Sync>;

/// Changes the level of this process.
static RELOAD: OnceLock<Reload> = OnceLock::new();

/// Starts logging for this process. A second call changes nothing.
pub fn start(choice: &Choice) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(choice.filter())
        .with_timer(Stamp(choice.label.clone()))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_filter_reloading();
    let handle = lines.reload_handle();
    // Fails only where logging was started before, as several tests of one process do.
    if lines.try_init().is_ok() {
        let choice = choice.clone();
        let reload = move |level| {
            let choice = Choice {
                level,
                ..choice.clone()
            };
            // Fails only where the log itself is gone.
            let _ = handle.reload(choice.filter());
        };
        let _ = RELOAD.set(Box::new(reload));
    }
}

/// Logs from now on what `level` says, where neither `RUST_LOG` nor `--debug` decides.
pub fn set_level(level: LogLevel) {
    if let Some(reload) = RELOAD.get() {
        reload(level);
    }
}

/// The time, and which process it was.
struct Stamp(Option<String>);

impl FormatTime for Stamp {
    fn format_time(&self, line: &mut Writer<'_>) -> fmt::Result {
        SystemTime.format_time(line)?;
        match &self.0 {
            Some(label) => write!(line, " {label}"),
            None => Ok(()),
        }
    }
}

fn default_filter(level: LogLevel) -> String {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // Libraries say too much below `info`; statements of the database would be every second line. What
    // becomes of the connection to the broker is told by the bus.
    let others = match level {
        "error" | "warn" => level,
        _ => "info",
    };
    let quiet = if level == "error" { "error" } else { "warn" };
    format!(
        "{others},sqlx={quiet},async_nats=off,xcat3={level},{}",
        crates_at(level)
    )
}

fn crates_at(level: &str) -> String {
    let crates = [
        "api",
        "conductor",
        "drivers",
        "network",
        "service",
        "store",
        "iso",
        "copycds",
    ];
    let each = crates.map(|name| format!("xcat3_{name}={level}"));
    format!("{},xcat3d={level}", each.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_filters_are_understood() {
        for level in [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ] {
            let parsed = EnvFilter::try_new(default_filter(level));
            assert!(parsed.is_ok(), "{level:?}");
        }
    }
}
