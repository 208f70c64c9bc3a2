//! What came of the nodes of an operation, gathered: counts, and who shares which result.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;
use xcat3_core::hardware::FoundBmc;
use xcat3_core::{NodeName, addresses, natural, noderange};

use crate::alike;
use crate::plain::plain;
use crate::stream::{Record, Verdict};

/// Up to so many nodes each get a line; of more, those that share a result share one.
pub const FEW: usize = 64;
/// So many different sentences are printed; the rest is counted.
const MOST_SENTENCES: usize = 40;
/// So much of a sentence is kept, in characters.
const LONGEST_SENTENCE: usize = 1_000;

/// What came of nodes. Its memory is a name for each node, and each different sentence once.
#[derive(Debug, Default)]
pub struct Tally {
    results: HashMap<(Verdict, String), Vec<String>>,
    done: usize,
    failed: usize,
    left_alone: usize,
    found: BTreeMap<Ipv4Addr, FoundBmc>,
}

impl Tally {
    /// Notes what was found at the target `node` of a search.
    pub fn find(&mut self, node: &str, report: &Value) {
        let name: Option<NodeName> = node.parse().ok();
        let address = name.as_ref().and_then(addresses::of_target);
        if let (Some(address), Ok(found)) = (address, FoundBmc::deserialize(report)) {
            self.found.insert(address, found);
        }
    }

    /// What was found by a search.
    pub fn found(&self) -> &BTreeMap<Ipv4Addr, FoundBmc> {
        &self.found
    }

    /// The last line of a search of `asked` addresses.
    pub fn counts_of_search(&self, asked: usize) -> String {
        let found = self.found.len();
        let silent = self.done.saturating_sub(found);
        let mut text = format!(
            "\nFound: {found}  Silent: {silent}  Total: {}",
            asked.max(self.total())
        );
        for (count, word) in [(self.failed, "Failed"), (self.left_alone, "Left alone")] {
            if count > 0 {
                text.push_str(&format!("  {word}: {count}"));
            }
        }
        text.push('\n');
        text
    }

    /// Notes what came of a node. Whether this is the first node with this result.
    pub fn note(&mut self, node: &str, verdict: Verdict, result: &str) -> bool {
        match verdict {
            Verdict::Ok => self.done += 1,
            Verdict::Failed => self.failed += 1,
            Verdict::LeftAlone => self.left_alone += 1,
        }
        let result = plain(result);
        let result = match result.char_indices().nth(LONGEST_SENTENCE) {
            Some((end, _)) => format!("{}…", &result[..end]),
            None => result.into_owned(),
        };
        let nodes = self.results.entry((verdict, result)).or_default();
        nodes.push(node.to_owned());
        nodes.len() == 1
    }

    /// The same of a record of a stream.
    pub fn take(&mut self, record: &Record) -> bool {
        self.note(record.node.as_str(), record.outcome, &record.result)
    }

    /// How many nodes have an outcome.
    pub fn total(&self) -> usize {
        self.done + self.failed + self.left_alone
    }

    /// On how many nodes it was done.
    pub fn done(&self) -> usize {
        self.done
    }

    /// On how many it failed.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// How many were left alone.
    pub fn left_alone(&self) -> usize {
        self.left_alone
    }

    /// Success where it was done on every node.
    pub fn code(&self) -> ExitCode {
        if self.done == self.total() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    /// Each node with a certain verdict, and its result, in no order.
    pub fn each(&self, verdict: Verdict) -> impl Iterator<Item = (&str, &str)> {
        let wanted = self.results.iter().filter(move |((v, _), _)| *v == verdict);
        wanted.flat_map(|((_, result), nodes)| {
            nodes
                .iter()
                .map(move |node| (node.as_str(), result.as_str()))
        })
    }

    /// The range of the nodes with a certain verdict; empty where there are none.
    pub fn range(&self, verdict: Verdict) -> String {
        folded(self.each(verdict).map(|(node, _)| node))
    }

    /// All of it for a person: a line for each node, or for each range where they are many, and the
    /// counts. `asked` is how many nodes there are, of which some may have no outcome.
    pub fn summary(&self, verbose: bool, asked: usize) -> String {
        let mut text = if verbose || self.total() <= FEW {
            self.lines()
        } else {
            self.groups(&[Verdict::Ok, Verdict::Failed, Verdict::LeftAlone])
        };
        text.push_str(&self.counts(asked));
        text
    }

    /// A line for each node. Nodes that were left alone share theirs.
    fn lines(&self) -> String {
        let told = [Verdict::Ok, Verdict::Failed];
        let mut lines: Vec<(&str, &str)> = told.iter().flat_map(|v| self.each(*v)).collect();
        lines.sort_by(|a, b| natural::compare(a.0, b.0));
        let mut text: String = lines
            .iter()
            .map(|(node, result)| format!("{node}: {result}\n"))
            .collect();
        text.push_str(&self.groups(&[Verdict::LeftAlone]));
        text
    }

    /// A line for each result, with the range of its nodes: the most frequent results first. Results that
    /// differ in numbers and addresses only share a line.
    pub fn groups(&self, verdicts: &[Verdict]) -> String {
        let mut text = String::new();
        for verdict in verdicts {
            let results = self.alike(*verdict);
            for (result, nodes) in results.iter().take(MOST_SENTENCES) {
                let range = folded(nodes.iter().copied());
                text.push_str(&format!("{range}: {result}\n"));
            }
            let (sentences, rest) = (results.len(), results.iter().skip(MOST_SENTENCES));
            let rest: Vec<&str> = rest.flat_map(|(_, nodes)| nodes.iter().copied()).collect();
            if !rest.is_empty() {
                text.push_str(&format!(
                    "{}: {} other results on {} nodes, see them with --verbose\n",
                    folded(rest.iter().copied()),
                    sentences - MOST_SENTENCES,
                    rest.len()
                ));
            }
        }
        text
    }

    /// What is said of nodes with this verdict, and of which: the most frequent first.
    fn alike(&self, verdict: Verdict) -> Vec<(String, Vec<&str>)> {
        let of = self.results.iter().filter(|((v, _), _)| *v == verdict);
        let groups = alike::grouped(of.map(|((_, result), nodes)| (result.as_str(), nodes)));
        let mut results: Vec<(String, Vec<&str>)> = Vec::new();
        for (result, nodes) in groups {
            let nodes = nodes.into_iter().flatten().map(String::as_str);
            results.push((result, nodes.collect()));
        }
        results.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
        results
    }

    /// The last line.
    pub fn counts(&self, asked: usize) -> String {
        let total = asked.max(self.total());
        let mut text = format!("\nSuccess: {}  Total: {total}", self.done);
        if self.left_alone > 0 {
            text.push_str(&format!("  Left alone: {}", self.left_alone));
        }
        if total > self.total() {
            text.push_str(&format!("  No outcome yet: {}", total - self.total()));
        }
        text.push('\n');
        text
    }
}

/// The shortest range for nodes. What is no node's name stands for itself.
pub fn folded<'a>(nodes: impl Iterator<Item = &'a str>) -> String {
    let mut texts: Vec<&str> = nodes.collect();
    texts.sort_by(|a, b| natural::compare(a, b));
    let names: Result<Vec<NodeName>, _> = texts.iter().map(|text| text.parse()).collect();
    match names {
        Ok(names) => noderange::fold(&names),
        Err(_) => texts.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(nodes: usize) -> Tally {
        let mut tally = Tally::default();
        for number in (1..=nodes).rev() {
            let node = format!("node{number}");
            match number % 10 {
                7 => tally.note(&node, Verdict::Failed, "no answer from the BMC"),
                9 => tally.note(
                    &node,
                    Verdict::LeftAlone,
                    "left alone: the job was cancelled",
                ),
                _ => tally.note(&node, Verdict::Ok, "on"),
            };
        }
        tally
    }

    #[test]
    fn few_nodes_get_a_line_each() {
        let expected = "node1: on\nnode2: on\nnode3: on\nnode4: on\nnode5: on\nnode6: on\n\
            node7: no answer from the BMC\nnode8: on\nnode10: on\n\
            node9: left alone: the job was cancelled\n\nSuccess: 8  Total: 10  Left alone: 1\n";
        assert_eq!(tally(10).summary(false, 10), expected);
        assert_eq!(tally(10).range(Verdict::Failed), "node7");
        let unfinished = tally(10).counts(25);
        assert_eq!(
            unfinished,
            "\nSuccess: 8  Total: 25  Left alone: 1  No outcome yet: 15\n"
        );
    }

    #[test]
    fn many_nodes_share_lines() {
        let text = tally(100).summary(false, 100);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[0].starts_with("node[1-6,8,10-16,18,20-26,"));
        assert_eq!(
            lines[1],
            "node[7,17,27,37,47,57,67,77,87,97]: no answer from the BMC"
        );
        assert_eq!(
            lines[2],
            "node[9,19,29,39,49,59,69,79,89,99]: left alone: the job was cancelled"
        );
        assert_eq!(lines[4], "Success: 80  Total: 100  Left alone: 10");
        assert_eq!(tally(100).summary(true, 0).lines().count(), 90 + 3);
    }

    #[test]
    fn sentences_about_other_addresses_share_lines() {
        let mut tally = tally(100);
        for number in 101..=150 {
            let sentence = format!("BMC 10.0.0.{number}: it does not answer");
            tally.note(&format!("node{number}"), Verdict::Failed, &sentence);
        }
        let text = tally.summary(false, 150);
        assert!(
            text.contains("\nnode[101-150]: BMC …: it does not answer\n"),
            "{text}"
        );
        let text = tally.summary(true, 150);
        assert!(
            text.contains("\nnode101: BMC 10.0.0.101: it does not answer\n"),
            "{text}"
        );
    }

    #[test]
    fn sentences_without_number_stay_few_lines() {
        let mut tally = Tally::default();
        for number in 1..=10_000 {
            let letters: String = format!("{number}")
                .bytes()
                .map(|b| char::from(b + 49))
                .collect();
            let sentence = format!("{letters}: {}", "x".repeat(5_000));
            tally.note(&format!("n{number}"), Verdict::Failed, &sentence);
        }
        let text = tally.summary(false, 0);
        assert_eq!(text.lines().count(), MOST_SENTENCES + 3);
        assert!(text.contains("9960 other results on 9960 nodes"), "{text}");
        assert!(text.len() < 200_000);
    }
}
