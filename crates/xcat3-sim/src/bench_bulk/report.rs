//! The figures of a run as tables for people and as JSON for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::plant::Part;
use super::steps::Measured;

/// All rounds with one way of running the product and one number of nodes.
pub struct Run {
    part: Part,
    nodes: u32,
    rounds: Vec<Vec<Measured>>,
}

impl Run {
    /// Without a round.
    #[must_use]
    pub fn new(part: Part, nodes: u32) -> Self {
        Self {
            part,
            nodes,
            rounds: Vec::new(),
        }
    }

    /// Adds a round.
    pub fn add(&mut self, round: Vec<Measured>) {
        self.rounds.push(round);
    }

    /// How the product ran.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// With how many nodes.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.nodes
    }

    /// The best time of a step.
    #[must_use]
    pub fn best(&self, step: &str) -> Option<Duration> {
        let measured = self.rounds.iter().flatten();
        let times = measured.filter(|measured| measured.step == step);
        times.map(|measured| measured.whole).min()
    }

    /// A sentence for each step that left nodes undone.
    pub fn undone(&self) -> impl Iterator<Item = String> + '_ {
        let (part, nodes) = (self.part, self.nodes);
        self.rounds.iter().flatten().filter_map(move |measured| {
            let (count, why) = measured.undone.as_ref()?;
            let step = measured.step;
            Some(format!(
                "{part}, {nodes} nodes, {step}: {count} not done: {why}"
            ))
        })
    }

    /// A row for each step.
    #[must_use]
    pub fn table(&self) -> String {
        let (part, nodes) = (self.part, self.nodes);
        let mut text = format!("\n{part}, {nodes} nodes\n");
        let _ = writeln!(
            text,
            "{:<20} {:>9} {:>9} {:>9} {:>8}  largest daemon: peak MiB (after)",
            "step", "best s", "median s", "nodes/s", "first ms"
        );
        for index in 0..self.rounds.first().map_or(0, Vec::len) {
            let rounds: Vec<&Measured> = self.rounds.iter().map(|round| &round[index]).collect();
            text += &self.row(&rounds);
        }
        let peaks: Vec<String> = self
            .peaks()
            .iter()
            .map(|(process, kib)| format!("{process} {}", kib.div_ceil(1024)))
            .collect();
        let _ = writeln!(text, "peak MiB of each process: {}", peaks.join(", "));
        for line in self.undone() {
            let _ = writeln!(text, "! {line}");
        }
        text
    }

    /// The most that each process held in any step, in KiB.
    fn peaks(&self) -> BTreeMap<&str, u64> {
        let mut peaks: BTreeMap<&str, u64> = BTreeMap::new();
        let measured = self.rounds.iter().flatten();
        for memory in measured.flat_map(|measured| &measured.memory) {
            let peak = peaks.entry(&memory.process).or_default();
            *peak = memory.peak_kib.max(*peak);
        }
        peaks
    }

    fn row(&self, rounds: &[&Measured]) -> String {
        let mut times: Vec<Duration> = rounds.iter().map(|measured| measured.whole).collect();
        times.sort_unstable();
        let best = times[0].as_secs_f64();
        let median = times[times.len() / 2].as_secs_f64();
        let first = rounds.iter().filter_map(|measured| measured.first).min();
        let first = first.map_or(String::new(), |first| {
            format!("{:.0}", first.as_secs_f64() * 1e3)
        });
        let memory = rounds.iter().flat_map(|measured| &measured.memory);
        let largest = memory
            .filter(|memory| memory.is_ours())
            .max_by_key(|memory| memory.peak_kib);
        let largest = largest.map_or(String::new(), |memory| {
            let mib = |kib: u64| kib.div_ceil(1024);
            let (peak, now) = (mib(memory.peak_kib), mib(memory.resident_kib));
            format!("{} {peak} ({now})", memory.process)
        });
        format!(
            "{:<20} {best:>9.3} {median:>9.3} {:>9.0} {first:>8}  {largest}\n",
            rounds[0].step,
            f64::from(self.nodes) / best,
        )
    }

    /// The same for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let step = |measured: &Measured| {
            json!({
                "step": measured.step,
                "seconds": measured.whole.as_secs_f64(),
                "first_outcome_seconds": measured.first.map(|first| first.as_secs_f64()),
                "requests": measured.requests,
                "undone": measured.undone.as_ref().map_or(0, |(count, _)| *count),
                "memory": measured.memory.iter().map(|memory| memory.json()).collect::<Value>(),
            })
        };
        let rounds = self.rounds.iter();
        let rounds = rounds.map(|round| round.iter().map(step).collect::<Value>());
        json!({
            "part": self.part.to_string(),
            "nodes": self.nodes,
            "rounds": rounds.collect::<Value>(),
        })
    }
}

/// How cost grows with the number of nodes: microseconds a node at each number, and the exponent of
/// the growth between the last two (1 grows as the nodes do).
#[must_use]
pub fn growth(runs: &[Run]) -> String {
    let mut text = String::new();
    let mut parts: Vec<Part> = runs.iter().map(Run::part).collect();
    parts.dedup();
    for part in parts {
        let runs: Vec<&Run> = runs.iter().filter(|run| run.part == part).collect();
        let _ = write!(text, "\n{part}: microseconds a node\n{:<20}", "step");
        for run in &runs {
            let _ = write!(text, " {:>9}", run.nodes);
        }
        let steps = runs.first().and_then(|run| run.rounds.first());
        for step in steps.into_iter().flatten() {
            let _ = write!(text, "\n{:<20}", step.step);
            for run in &runs {
                let seconds = run.best(step.step).unwrap_or_default().as_secs_f64();
                let _ = write!(text, " {:>9.1}", seconds * 1e6 / f64::from(run.nodes));
            }
            if let [.., before, last] = runs[..] {
                let _ = write!(text, "   N^{:.2}", exponent(before, last, step.step));
            }
        }
        text.push('\n');
    }
    text
}

/// By which power of the number of nodes the time of a step grows from one run to another.
fn exponent(before: &Run, last: &Run, step: &str) -> f64 {
    let seconds = |run: &Run| run.best(step).unwrap_or_default().as_secs_f64();
    let times = (seconds(last) / seconds(before)).ln();
    times / (f64::from(last.nodes) / f64::from(before.nodes)).ln()
}

/// The machine, in a line.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let processors = read("/proc/cpuinfo");
    let cores = processors.matches("processor\t").count();
    let load = read("/proc/loadavg");
    format!(
        "{cores} cores ({}), memory {}, load {} at the start",
        value(&processors, "model name"),
        value(&read("/proc/meminfo"), "MemTotal"),
        load.split(' ').next().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(step: &'static str, milliseconds: u64) -> Measured {
        Measured {
            step,
            whole: Duration::from_millis(milliseconds),
            first: None,
            requests: 1,
            undone: None,
            memory: Vec::new(),
        }
    }

    #[test]
    fn the_best_round_counts_and_the_median_is_shown() {
        let mut run = Run::new(Part::Embedded, 1_000);
        for milliseconds in [30, 10, 20] {
            run.add(vec![measured("create", milliseconds)]);
        }
        assert_eq!(run.best("create"), Some(Duration::from_millis(10)));
        assert!(
            run.table().contains("0.010     0.020    100000"),
            "{}",
            run.table()
        );
        assert!(growth(&[run]).contains("create                    10.0"));
    }

    #[test]
    fn growth_has_an_exponent() {
        let run = |nodes, milliseconds| {
            let mut run = Run::new(Part::Embedded, nodes);
            run.add(vec![measured("create", milliseconds)]);
            run
        };
        let linear = growth(&[run(1_000, 10), run(100_000, 1_000)]);
        assert!(linear.contains("N^1.00"), "{linear}");
        let quadratic = growth(&[run(1_000, 10), run(10_000, 1_000)]);
        assert!(quadratic.contains("N^2.00"), "{quadratic}");
    }

    #[test]
    fn what_is_undone_is_told() {
        let mut run = Run::new(Part::Many(2), 10);
        let mut bad = measured("deploy", 1);
        bad.undone = Some((3, "n1: no".to_owned()));
        run.add(vec![bad]);
        let lines: Vec<String> = run.undone().collect();
        assert_eq!(lines, ["many:2, 10 nodes, deploy: 3 not done: n1: no"]);
    }
}
