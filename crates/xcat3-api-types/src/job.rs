//! Jobs on the wire: how far one has come, and what came of its nodes, line by line.

use crate::NodeOutcomes;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use xcat3_core::{NodeName, Operation, Outcome, Report};

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobRecord {
    /// Which job.
    #[schema(format = "uuid", examples("0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11"))]
    pub id: String,
    /// What is done to each of its nodes, in the words of the command line.
    #[schema(examples("power on"))]
    pub operation: String,
    /// `running`; `done`; `cancelled` or `stopped` (too many failed) where nodes were left alone.
    #[schema(examples("running"))]
    pub state: String,
    /// How many nodes it has.
    #[schema(examples(65_536))]
    pub nodes: u64,
    /// On how many of them the operation was done.
    #[schema(examples(1_200))]
    pub done: u64,
    /// On how many it failed.
    #[schema(examples(3))]
    pub failed: u64,
    /// How many were not begun and will not be.
    #[schema(examples(0))]
    pub left_alone: u64,
    /// How many are worked on at once, where that was asked for.
    pub batch: Option<u64>,
    /// How many may fail before the rest is left alone, where that was asked for.
    pub max_failures: Option<u64>,
    /// When it was made, in milliseconds since 1970 (UTC).
    #[schema(examples(1_795_400_000_000_i64))]
    pub created_ms: i64,
    /// When its last node got its outcome, in milliseconds since 1970 (UTC).
    pub finished_ms: Option<i64>,
}

/// The answer of `GET /jobs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobList {
    /// The newest first.
    pub jobs: Vec<JobRecord>,
}

/// The answer of `GET /jobs/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobPage {
    /// How far it has come.
    pub job: JobRecord,
    /// Outcomes in the order in which they came.
    pub outcomes: Vec<OutcomeRecord>,
    /// What to ask for as `after` to be told more; null where there is no more by now.
    pub next: Option<i64>,
}

/// What came of a node: a line of a stream, an event, or an entry of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OutcomeRecord {
    /// Its number in the job; these grow, but not all numbers are used.
    #[schema(examples(7))]
    pub sequence: i64,
    /// The node.
    #[schema(value_type = String, examples("node1"))]
    pub node: NodeName,
    /// `ok`, `failed`, or `left_alone` where it was not begun.
    #[schema(examples("ok"))]
    pub outcome: &'static str,
    /// The word that the operation answers (`ok` beside a report), or the sentence that says why not.
    #[schema(examples("on"))]
    pub result: String,
    /// What was found, where the operation reports that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<ReportText>,
}

/// A report, written as the JSON that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportText(pub Report);

impl Serialize for ReportText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.0.json()).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// The last line of a stream: all outcomes were told. A stream without it broke off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobEnd {
    /// Which job.
    #[schema(format = "uuid", examples("0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11"))]
    pub job: String,
    /// `done`, `cancelled` or `stopped`.
    #[schema(examples("done"))]
    pub state: String,
    /// How many nodes it had.
    #[schema(examples(3))]
    pub nodes: u64,
    /// On how many of them the operation was done.
    #[schema(examples(2))]
    pub done: u64,
    /// On how many it failed.
    #[schema(examples(1))]
    pub failed: u64,
    /// How many were not begun.
    #[schema(examples(0))]
    pub left_alone: u64,
}

/// A line of a stream: one for each node, and one at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StreamLine {
    /// What came of a node.
    Outcome(OutcomeRecord),
    /// All outcomes were told.
    End(JobEnd),
}

/// The answer of a request to change many nodes: all outcomes, or only the job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OutcomesOrJob {
    /// An outcome for each node.
    Outcomes(NodeOutcomes),
    /// The job that carries it out, where that was preferred.
    Job(JobRecord),
}

impl OutcomeRecord {
    /// The outcome number `sequence` of a job.
    #[must_use]
    pub fn new(sequence: i64, node: NodeName, outcome: Outcome) -> Self {
        let (word, result, report) = match outcome {
            Outcome::Done(word) => ("ok", word.to_owned(), None),
            Outcome::Report(report) => ("ok", "ok".to_owned(), Some(ReportText(report))),
            Outcome::Failed(why) => ("failed", why, None),
            Outcome::LeftAlone(why) => ("left_alone", why, None),
        };
        Self {
            sequence,
            node,
            outcome: word,
            result,
            report,
        }
    }
}

impl From<JobRecord> for JobEnd {
    fn from(job: JobRecord) -> Self {
        Self {
            job: job.id,
            state: job.state,
            nodes: job.nodes,
            done: job.done,
            failed: job.failed,
            left_alone: job.left_alone,
        }
    }
}

/// An operation in the words of the command line, without the nodes.
#[must_use]
pub fn words(operation: &Operation) -> String {
    match operation {
        Operation::Control(operation) => operation.words(),
        Operation::Discover(discovery) => discovery.words(),
        Operation::Deploy {
            osimage,
            subnet,
            force,
        } => {
            let mut words = "deploy".to_owned();
            for (flag, value) in [("--osimage", osimage), ("--subnet", subnet)] {
                if let Some(value) = value {
                    words = format!("{words} {flag} {value}");
                }
            }
            if *force {
                words.push_str(" --force");
            }
            words
        }
        Operation::ServeDhcp => "deploy --state dhcp".to_owned(),
        Operation::Undo => "deploy --delete".to_owned(),
        Operation::Callback => "callback".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xcat3_core::{ControlOperation, PowerTarget};

    #[test]
    fn an_operation_is_told_as_it_was_typed() {
        let power = ControlOperation::Power(PowerTarget::On);
        assert_eq!(words(&power.into()), "power on");
        let deploy = Operation::Deploy {
            osimage: Some("debian13".into()),
            subnet: None,
            force: true,
        };
        assert_eq!(words(&deploy), "deploy --osimage debian13 --force");
    }

    #[test]
    fn an_outcome_is_a_line() {
        let name: NodeName = "n1".parse().unwrap();
        let line =
            |outcome| serde_json::to_string(&OutcomeRecord::new(7, name.clone(), outcome)).unwrap();
        assert_eq!(
            line(Outcome::Done("on")),
            r#"{"sequence":7,"node":"n1","outcome":"ok","result":"on"}"#
        );
        assert_eq!(
            line(Outcome::Report(Report::of(&[1.5]).unwrap())),
            r#"{"sequence":7,"node":"n1","outcome":"ok","result":"ok","report":[1.5]}"#
        );
        assert_eq!(
            line(Outcome::LeftAlone("so\nit is".into())),
            r#"{"sequence":7,"node":"n1","outcome":"left_alone","result":"so\nit is"}"#
        );
    }
}
