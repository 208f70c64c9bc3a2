//! The figures as a table for people and as JSON for machines.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// Rows of times that were measured.
pub struct Table {
    title: String,
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    name: String,
    nodes: u32,
    /// Sorted.
    times: Vec<Duration>,
}

impl Row {
    fn best(&self) -> Duration {
        self.times.first().copied().unwrap_or_default()
    }

    fn median(&self) -> Duration {
        self.times
            .get(self.times.len() / 2)
            .copied()
            .unwrap_or_default()
    }

    /// Nodes a second in the best round.
    fn rate(&self) -> f64 {
        f64::from(self.nodes) / self.best().as_secs_f64().max(1e-9)
    }
}

impl Table {
    /// Without rows.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds what each round took for `nodes` nodes.
    pub fn add(&mut self, name: &str, nodes: u32, times: &[Duration]) {
        let mut times = times.to_vec();
        times.sort_unstable();
        self.rows.push(Row {
            name: name.to_owned(),
            nodes,
            times,
        });
    }

    /// Adds a sentence below the table.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let times: Vec<f64> = row.times.iter().map(Duration::as_secs_f64).collect();
            json!({"name": row.name, "nodes": row.nodes, "seconds": times})
        });
        json!({"rows": rows.collect::<Vec<_>>(), "notes": self.notes})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.title)?;
        writeln!(
            f,
            "{:<44} {:>6} {:>9} {:>9} {:>9}",
            "", "nodes", "best s", "median s", "nodes/s"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:<44} {:>6} {:>9.3} {:>9.3} {:>9.0}",
                row.name,
                row.nodes,
                row.best().as_secs_f64(),
                row.median().as_secs_f64(),
                row.rate()
            )?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_and_the_median_are_told() {
        let mut table = Table::new("t");
        let times = [30, 10, 20].map(Duration::from_secs);
        table.add("x", 100, &times);
        let text = table.to_string();
        let row = text.lines().last().unwrap();
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words, ["x", "100", "10.000", "20.000", "10"]);
    }
}
