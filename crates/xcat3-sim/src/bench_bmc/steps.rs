//! What a streamed answer says of each node, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench_bulk::http::Answer;

/// An answer to a request on all nodes.
pub struct Status {
    /// Until the first outcome.
    pub first: Duration,
    /// Until the last.
    pub whole: Duration,
    /// When each node that answered was told of, sorted.
    healthy: Vec<Duration>,
    /// What is said of those that did not, names and figures left out, and how many, and when the
    /// last of them was told of.
    failed: BTreeMap<String, (usize, Duration)>,
}

impl Status {
    /// What `answer` says of `nodes` nodes.
    ///
    /// # Errors
    /// It is no stream, or not one with so many outcomes.
    pub fn of(answer: &Answer, nodes: u32) -> Result<Self> {
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status < 300, "status {}: {text}", answer.status);
        let (mut healthy, mut failed) = (Vec::new(), BTreeMap::new());
        let (mut place, mut ended) = (0, false);
        for line in answer.body.split_inclusive(|&byte| byte == b'\n') {
            place += line.len();
            let record: Value = serde_json::from_slice(line).context("a line of the answer")?;
            let time = answer.arrival(place.saturating_sub(1));
            match record["outcome"].as_str() {
                Some("ok") => healthy.push(time),
                Some(_) => {
                    let why = kind(record["result"].as_str().unwrap_or_default());
                    let entry = failed.entry(why).or_insert((0, time));
                    *entry = (entry.0 + 1, time);
                }
                None => ended = record["job"].is_string(),
            }
        }
        ensure!(ended, "the answer broke off");
        let all = healthy.len() + failed.values().map(|(count, _)| count).sum::<usize>();
        ensure!(
            all == nodes as usize,
            "{all} of {nodes} nodes have an outcome"
        );
        Ok(Self {
            first: answer.first,
            whole: answer.whole,
            healthy,
            failed,
        })
    }

    /// When as many had answered; the whole time where fewer did.
    pub fn nth_healthy(&self, count: u32) -> Duration {
        let place = (count as usize).saturating_sub(1);
        self.healthy.get(place).copied().unwrap_or(self.whole)
    }

    /// The same, where all answered.
    ///
    /// # Errors
    /// Some did not; the error says why.
    pub fn complete(self) -> Result<Self> {
        ensure!(self.failed.is_empty(), "{}", self.failures());
        Ok(self)
    }

    /// A sentence on those that did not answer.
    pub fn failures(&self) -> String {
        let told = self.failed.iter().map(|(why, (count, last))| {
            format!("{count} after at most {:.1} s: {why}", last.as_secs_f64())
        });
        let told: Vec<String> = told.collect();
        format!("{} answered; {}", self.healthy.len(), told.join("; "))
    }
}

/// A sentence without its addresses and figures, so that equal reasons are one.
fn kind(sentence: &str) -> String {
    let words = sentence.split(' ').map(|word| {
        if word.contains(|c: char| c.is_ascii_digit()) {
            "#"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
