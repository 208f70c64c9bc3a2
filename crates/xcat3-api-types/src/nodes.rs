//! Bodies and answers of the requests on many nodes.
//!
//! A request may name very many nodes, and who sends it may be careless or worse. So entries are read
//! one at a time, straight into what they declare, each with a limit of its own, and the first that
//! can't be an entry ends the reading.

pub(crate) mod read;

use std::collections::HashSet;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use xcat3_core::name::InvalidName;
use xcat3_core::{Node, NodeName, Outcome};

use crate::job::ReportText;
use crate::node::{NodeBody, NodeRecord};
use crate::patch::Patch;
use crate::reader::start;

/// The most nodes in one request.
pub const MOST_NODES: usize = xcat3_core::noderange::MAX_NODES;

/// Nodes to be enrolled. Each entry is looked at by itself, so that one that is wrong fails alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeEntries {
    /// What each entry declares, in the order of the request.
    #[serde(deserialize_with = "read::entries")]
    #[schema(value_type = Vec<NodeBody>)]
    pub nodes: Vec<Result<Node, WrongEntry>>,
}

/// An entry that declares no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongEntry {
    /// Its name, or the beginning of one that is too long.
    pub name: String,
    /// What is wrong with it, in a sentence.
    pub why: String,
}

/// Names of nodes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The nodes, in the order of the request.
    #[serde(deserialize_with = "read::names")]
    #[schema(value_type = Vec<NamedNode>)]
    pub nodes: Vec<Named>,
}

/// A name of a request, or what stands in its place.
pub type Named = Result<NodeName, NoName>;

/// A text that stands where the name of a node has to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoName {
    /// The text, or its beginning.
    pub text: String,
    /// Why it can't name a node.
    pub why: InvalidName,
}

/// A node that is named.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub struct NamedNode {
    /// Its name.
    #[schema(examples("node1"))]
    name: String,
}

/// Changes of many nodes, the same for each.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodePatches {
    /// The nodes. Absent where the query names them.
    #[serde(default, deserialize_with = "read::some_names")]
    #[schema(value_type = Option<Vec<NamedNode>>)]
    pub nodes: Option<Vec<Named>>,
    /// The changes, one after the other.
    #[serde(deserialize_with = "read::patches")]
    pub patches: Vec<Patch>,
}

/// An outcome for each node, in the order of the request.
#[derive(Debug, Default, ToSchema)]
pub struct NodeOutcomes {
    /// Under each name `ok`, `updated`, `deleted`, `on`, `off`, `net`, `disk` or `cdrom`; anything
    /// else is a sentence that says why it was not done.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    nodes: Vec<(NodeName, Outcome)>,
    #[schema(ignore)]
    refused: Vec<Refusal>,
}

/// Outcomes of entries that never became nodes of an operation.
#[derive(Debug, Default)]
pub struct Refused {
    list: Vec<Refusal>,
    seen: HashSet<String>,
}

/// Such an outcome.
#[derive(Debug)]
struct Refusal {
    /// How many nodes stand before it in the request.
    place: usize,
    text: String,
    outcome: Outcome,
}

impl Refused {
    /// Notes what came of the entry `text` that comes after `place` others that were not refused. The
    /// first word on a text stands.
    pub fn note(&mut self, place: usize, text: &str, outcome: Outcome) {
        // A name that is too long to be one is shown by its beginning.
        let text = start(text);
        if self.seen.insert(text.clone()) {
            self.list.push(Refusal {
                place,
                text,
                outcome,
            });
        }
    }

    /// The same where other entries were left out: `kept` tells how many are left of so many.
    #[must_use]
    pub fn moved(mut self, kept: impl Fn(usize) -> usize) -> Self {
        for refusal in &mut self.list {
            refusal.place = kept(refusal.place);
        }
        self
    }

    /// The first of them, and why it was refused.
    #[must_use]
    pub fn first(&self) -> Option<(&str, &Outcome)> {
        let first = self.list.first()?;
        Some((&first.text, &first.outcome))
    }
}

impl NodeOutcomes {
    /// What came of `nodes`, each named once, and of what was refused among them.
    #[must_use]
    pub fn new(nodes: Vec<(NodeName, Outcome)>, refused: Refused) -> Self {
        Self {
            nodes,
            refused: refused.list,
        }
    }
}

impl Serialize for NodeOutcomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry("nodes", &InOrder(self))?;
        object.end()
    }
}

/// The outcomes as one object, in the order of the request.
struct InOrder<'a>(&'a NodeOutcomes);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let NodeOutcomes { nodes, refused } = self.0;
        let mut object = serializer.serialize_map(Some(nodes.len() + refused.len()))?;
        let mut refused = refused.iter().peekable();
        for (place, (name, outcome)) in nodes.iter().enumerate() {
            while let Some(refusal) = refused.next_if(|refusal| refusal.place <= place) {
                object.serialize_entry(&refusal.text, refusal.outcome.as_str())?;
            }
            match outcome {
                Outcome::Report(report) => {
                    object.serialize_entry(name.as_str(), &ReportText(report.clone()))?;
                }
                outcome => object.serialize_entry(name.as_str(), outcome.as_str())?,
            }
        }
        for refusal in refused {
            object.serialize_entry(&refusal.text, refusal.outcome.as_str())?;
        }
        object.end()
    }
}

/// The answer of `GET /nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeList {
    /// Names.
    #[schema(value_type = Vec<String>, examples(json!(["node1", "node2"])))]
    #[serde(serialize_with = "list")]
    pub nodes: Arc<[NodeName]>,
}

fn list<S: Serializer>(names: &Arc<[NodeName]>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(names.iter())
}

/// The answer of `GET /nodes/info`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeInfo {
    /// Those of the nodes that exist, in the order of the request.
    #[schema(value_type = Vec<NodeRecord>)]
    pub nodes: Vec<Map<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_stand_in_the_order_of_the_request() {
        let name = |text: &str| text.parse::<NodeName>().unwrap();
        let mut refused = Refused::default();
        refused.note(0, "no name", Outcome::failed("none"));
        refused.note(1, "no name", Outcome::failed("again"));
        refused.note(1, &"x".repeat(10 << 20), Outcome::failed("too long"));
        refused.note(2, "", Outcome::failed("empty"));
        assert_eq!(refused.first().unwrap().0, "no name");
        let nodes = vec![(name("b"), Outcome::OK), (name("a"), Outcome::Done("on"))];
        let text = serde_json::to_string(&NodeOutcomes::new(nodes, refused)).unwrap();
        let long = format!("{}…", "x".repeat(64));
        let expected = format!(
            r#"{{"nodes":{{"no name":"none","b":"ok","{long}":"too long","a":"on","":"empty"}}}}"#
        );
        assert_eq!(text, expected);
    }
}
