//! Requests on many nodes: names in, an outcome for each name out, in the order of the request.

use std::collections::HashMap;

use xcat3_api_types::{Names, NodeOutcomes};
use xcat3_core::name::InvalidName;
use xcat3_core::{NodeName, Operation, Outcome};
use xcat3_service::JobRequest;
use xcat3_store::NOT_FOUND;

use crate::Api;
use crate::error::ApiError;

/// The names of a request. What can't be a name has its outcome already.
pub struct Asked {
    asked: Vec<(String, Result<NodeName, Outcome>)>,
}

impl Asked {
    /// Looks at the names of a request.
    pub fn of(names: Names) -> Self {
        let asked = names.nodes.into_iter().map(|named| {
            let name = named
                .name
                .parse()
                .map_err(|invalid: InvalidName| match invalid {
                    InvalidName::TooLong { .. } => Outcome::failed(invalid),
                    // No node can have this name, so none has.
                    _ => Outcome::failed(NOT_FOUND),
                });
            (named.name, name)
        });
        Self {
            asked: asked.collect(),
        }
    }

    /// Those that can be names.
    pub fn names(&self) -> Vec<NodeName> {
        let names = self.asked.iter().filter_map(|(_, name)| name.as_ref().ok());
        names.cloned().collect()
    }

    /// The answer: what came of each name.
    pub fn answered(self, outcomes: Vec<(NodeName, Outcome)>) -> NodeOutcomes {
        let told: HashMap<NodeName, Outcome> = outcomes.into_iter().collect();
        let mut answer = NodeOutcomes::default();
        for (text, name) in self.asked {
            let outcome = name.and_then(|name| {
                let outcome = told.get(&name).cloned();
                outcome.ok_or_else(|| Outcome::failed(NOT_FOUND))
            });
            answer.note(&text, &outcome.unwrap_or_else(|failed| failed));
        }
        answer
    }
}

/// Has an operation carried out on the nodes of a request and waits for what comes of it.
pub async fn operate(
    api: &Api,
    operation: Operation,
    names: Names,
) -> Result<NodeOutcomes, ApiError> {
    let asked = Asked::of(names);
    let nodes = asked.names();
    let outcomes = if nodes.is_empty() {
        Vec::new()
    } else {
        let running = api.jobs.submit(JobRequest::new(operation, nodes)).await?;
        tracing::debug!(job = %running.id(), "waiting for a job");
        running.collect(api.answer_within).await?
    };
    Ok(asked.answered(outcomes))
}
