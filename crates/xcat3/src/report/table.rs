//! A table that is printed bit by bit: columns are as wide as what was printed by now, and only grow.

/// So wide a column is aligned at most, in characters; what is longer goes over it.
const WIDEST: usize = 60;

/// A table.
pub struct Table {
    headers: Vec<String>,
    widths: Vec<usize>,
    begun: bool,
}

impl Table {
    /// An empty table with these headers.
    pub fn new<'a>(headers: impl Iterator<Item = &'a str>) -> Self {
        let headers: Vec<String> = headers.map(str::to_owned).collect();
        Self {
            widths: headers.iter().map(|header| width(header)).collect(),
            headers,
            begun: false,
        }
    }

    /// The text of further rows, below the headers where they are the first.
    pub fn print(&mut self, rows: &[Vec<String>]) -> String {
        if rows.is_empty() {
            return String::new();
        }
        for row in rows {
            for (cell, widest) in row.iter().zip(&mut self.widths) {
                *widest = (*widest).max(width(cell).min(WIDEST));
            }
        }
        let mut text = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            line(&self.headers, &self.widths, &mut text);
        }
        for row in rows {
            line(row, &self.widths, &mut text);
        }
        text
    }
}

fn line(cells: &[String], widths: &[usize], text: &mut String) {
    for (at, (cell, widest)) in cells.iter().zip(widths).enumerate() {
        text.push_str(cell);
        if at + 1 < cells.len() {
            let space = widest.saturating_sub(width(cell)) + 2;
            text.extend(std::iter::repeat_n(' ', space));
        }
    }
    text.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}
