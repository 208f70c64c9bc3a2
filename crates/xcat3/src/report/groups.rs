//! Who says the same: rows, each with the nodes that share it. Nodes are kept as runs of numbers, so
//! that a row which all of very many nodes share costs next to nothing.

use std::collections::HashMap;

use crate::tally::folded;

/// So many different rows with the same first cell are told; the rest is counted.
const MOST_VALUES: usize = 20;
/// So many different rows are kept in all.
const MOST_ROWS: usize = 100_000;

/// Rows and their nodes.
#[derive(Default)]
pub struct Groups {
    names: Vec<String>,
    rows: HashMap<Vec<String>, Runs>,
    /// Rows that were not kept, by the number of nodes' words.
    dropped: usize,
}

/// Nodes by their numbers: from, to.
#[derive(Default)]
struct Runs(Vec<(usize, usize)>);

impl Runs {
    fn add(&mut self, number: usize) {
        match self.0.last_mut() {
            Some((_, last)) if *last == number => {}
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => self.0.push((number, number)),
        }
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(from, to)| to - from + 1).sum()
    }
}

impl Groups {
    /// Notes that `node` says `row`. What one node says is noted in one go.
    pub fn note(&mut self, node: &str, row: Vec<String>) {
        if self.names.last().is_none_or(|last| last != node) {
            self.names.push(node.to_owned());
        }
        let number = self.names.len() - 1;
        if self.rows.len() >= MOST_ROWS && !self.rows.contains_key(&row) {
            self.dropped += 1;
            return;
        }
        self.rows.entry(row).or_default().add(number);
    }

    /// Each row with the range of its nodes as a last cell: by the first cell where `by_name`, else the
    /// most frequent first.
    pub fn rows(&self, by_name: bool) -> Vec<Vec<String>> {
        let mut all: Vec<(&Vec<String>, &Runs)> = self.rows.iter().collect();
        all.sort_by(|a, b| {
            let name = if by_name {
                a.0[..1].cmp(&b.0[..1])
            } else {
                std::cmp::Ordering::Equal
            };
            name.then(b.1.len().cmp(&a.1.len())).then(a.0.cmp(b.0))
        });
        let mut told = Vec::new();
        let same_name =
            |a: &(&Vec<String>, &Runs), b: &(&Vec<String>, &Runs)| !by_name || a.0[0] == b.0[0];
        for group in all.chunk_by(same_name) {
            let most = if by_name { MOST_VALUES } else { usize::MAX };
            for (row, runs) in group.iter().take(most) {
                let mut cells = (*row).clone();
                cells.push(self.range(&[runs]));
                told.push(cells);
            }
            let rest: Vec<&Runs> = group.iter().skip(most).map(|(_, runs)| *runs).collect();
            if !rest.is_empty() {
                let mut cells = vec![group[0].0[0].clone()];
                cells.resize(group[0].0.len(), String::new());
                cells[1] = format!("({} other values)", rest.len());
                cells.push(self.range(&rest));
                told.push(cells);
            }
        }
        if self.dropped > 0 {
            eprintln!(
                "xcat3: {} more different rows are not shown, see them with --verbose",
                self.dropped
            );
        }
        told
    }

    fn range(&self, runs: &[&Runs]) -> String {
        let numbers = runs
            .iter()
            .flat_map(|runs| &runs.0)
            .flat_map(|(from, to)| *from..=*to);
        folded(numbers.map(|number| self.names[number].as_str()))
    }
}
