//! Where the daemons' log lines go: standard error, filtered by `RUST_LOG` or `--debug`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging for this process. `filter` is the text of `RUST_LOG`, which wins over `debug`.
/// A second call changes nothing.
pub fn start(filter: Option<&str>, debug: bool) {
    let level = if debug { "debug" } else { "info" };
    // Libraries say too much below `info`; statements of the database would be every second line.
    let default = format!("info,sqlx=warn,xcat3={level},{}", crates_at(level));
    let filter = match filter {
        Some(text) if !text.is_empty() => EnvFilter::new(text),
        _ => EnvFilter::new(default),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // Fails only where logging was started before, as several tests of one process do.
    let _ = lines.try_init();
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
        for level in ["info", "debug"] {
            let text = crates_at(level);
            assert_eq!(
                EnvFilter::try_new(&text)
                    .map(|_| ())
                    .map_err(|e| e.to_string()),
                Ok(())
            );
        }
    }
}
