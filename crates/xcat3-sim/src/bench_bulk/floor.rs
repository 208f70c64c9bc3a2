//! What the databases alone take for as many rows: below it no way of storing nodes can come.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{command, output};

/// Runs the store's example `floor` over an empty database of each kind.
///
/// # Errors
/// PostgreSQL does not start, or the example fails.
pub fn measure(directory: &Path) -> Result<Value> {
    let postgres = xcat3_backing::Postgres::start()?;
    let own = std::env::current_exe()?;
    let programs = own.parent().context("this program is in no directory")?;
    let file = directory.join("floor.db");
    let mut floor = command(programs.join("examples/floor"));
    floor
        .arg(format!("sqlite:{}", file.display()))
        .arg(postgres.url());
    let text = output(&mut floor)?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

/// The same for people.
#[must_use]
pub fn table(floor: &Value) -> String {
    let figure = |kind: &str, what: &str| floor[kind][what].as_f64().unwrap_or(f64::NAN);
    let line = |name: &str, kind: &str| {
        format!(
            "{name}: {:.2} s into a plain table, {:.2} s as nodes with one nic each, all indices\n",
            figure(kind, "plain_seconds"),
            figure(kind, "nodes_and_nics_seconds")
        )
    };
    format!(
        "\nthe databases' own rate for {} rows\n{}{}a range of {} names is resolved in {:.1} ms",
        floor["rows"],
        line("SQLite, 1,000 rows a statement", "sqlite"),
        line("PostgreSQL, COPY", "postgresql"),
        floor["range"]["names"],
        figure("range", "seconds") * 1e3
    )
}
