//! Requests on many nodes: names in, an outcome for each name out, in the order of the request.
//!
//! The names stand in the body or, as a range, in the query (`?nodes=node[1-25]`). Each is held once
//! from here on, so that outcomes and names are simply in the same order.

use std::collections::HashSet;

use axum::extract::{FromRequest, Request};
use serde::Deserialize;
use serde::de::IgnoredAny;
use xcat3_api_types::nodes::{MOST_NODES, Named, NoName, Refused};
use xcat3_api_types::{Names, NodeOutcomes};
use xcat3_core::name::InvalidName;
use xcat3_core::{NodeName, Outcome, noderange};
use xcat3_store::NOT_FOUND;

use crate::body;
use crate::error::ApiError;
use crate::parameters::{NamesParam, shared};

/// The names of a request, each once. What can't be a name has its outcome already.
#[derive(Debug, Default)]
pub struct Asked {
    /// Those that can be names, in the order of the request.
    pub names: Vec<NodeName>,
    /// The others.
    pub refused: Refused,
}

impl Asked {
    /// The nodes of a request: those of `range`, else those that its body `named`.
    ///
    /// # Errors
    /// Both name nodes or none does, or the range can't be one.
    pub async fn of(range: Option<String>, named: Option<Vec<Named>>) -> Result<Self, ApiError> {
        match (range, named) {
            (Some(_), Some(_)) => Err(ApiError::bad_request(TWICE)),
            (None, None) => Err(ApiError::bad_request(MISSING)),
            (None, Some(named)) => Ok(Self::named(named)),
            (Some(range), None) => {
                let names = tokio::task::spawn_blocking(move || noderange::parse(&range));
                let names = names.await.map_err(|_| ApiError::internal())?;
                let names = names.map_err(|why| ApiError::bad_request(why.to_string()))?;
                if names.len() > MOST_NODES {
                    let why = format!("more than {MOST_NODES} nodes in one request");
                    return Err(ApiError::bad_request(why));
                }
                Ok(Self {
                    names,
                    refused: Refused::default(),
                })
            }
        }
    }

    fn named(named: Vec<Named>) -> Self {
        let mut names = Vec::with_capacity(named.len());
        let mut refused = Refused::default();
        for named in named {
            match named {
                Ok(name) => names.push(name),
                Err(NoName { text, why }) => {
                    let outcome = match why {
                        InvalidName::TooLong { .. } => Outcome::failed(why),
                        // No node can have this name, so none has.
                        _ => Outcome::failed(NOT_FOUND),
                    };
                    refused.note(names.len(), &text, outcome);
                }
            }
        }
        match repeats(&names) {
            None => Self { names, refused },
            Some(first) => Self::without_repeats(&names, &first, refused),
        }
    }

    /// The same without the names whose entry in `first` is false.
    fn without_repeats(names: &[NodeName], first: &[bool], refused: Refused) -> Self {
        // How many of the names before each place are kept.
        let mut kept = vec![0];
        for &first in first {
            kept.push(kept[kept.len() - 1] + usize::from(first));
        }
        let names = names.iter().zip(first);
        Self {
            refused: refused.moved(|place| kept[place]),
            names: names
                .filter(|(_, first)| **first)
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }

    /// The answer: what came of each name. `outcomes` are of [`Asked::names`], in their order.
    pub fn answered(self, outcomes: Vec<(NodeName, Outcome)>) -> NodeOutcomes {
        NodeOutcomes::new(outcomes, self.refused)
    }
}

const TWICE: &str =
    "the nodes are named twice, by the parameter 'nodes' and by the body: use one of them";
const MISSING: &str =
    "the body can't be understood: missing field 'nodes', and no parameter 'nodes' names a range";

/// Which of `names` stand there for the first time; nothing where all do.
fn repeats(names: &[NodeName]) -> Option<Vec<bool>> {
    let mut seen = HashSet::with_capacity(names.len());
    let first: Vec<bool> = names.iter().map(|name| seen.insert(name)).collect();
    (seen.len() < names.len()).then_some(first)
}

/// What a body may say where a range names the nodes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideRange {
    #[serde(default)]
    nodes: Option<IgnoredAny>,
}

fn parse_beside_range(bytes: &[u8]) -> Result<(), ApiError> {
    if bytes.trim_ascii().is_empty() {
        return Ok(());
    }
    match body::parse_bulk::<BesideRange>(bytes)?.nodes {
        None => Ok(()),
        Some(_) => Err(ApiError::bad_request(TWICE)),
    }
}

fn parse_names(bytes: &[u8]) -> Result<Asked, ApiError> {
    if bytes.trim_ascii().is_empty() {
        return Err(ApiError::bad_request(
            "this request needs a body, a JSON document that names the nodes, or the parameter \
             'nodes' with a range",
        ));
    }
    body::parse_bulk::<Names>(bytes).map(|names| Asked::named(names.nodes))
}

impl Asked {
    /// The nodes of a request: those of `range`, else those that its body names.
    ///
    /// # Errors
    /// Both name nodes or none does, or what names them can't be understood.
    pub async fn read(range: Option<String>, request: Request) -> Result<Self, ApiError> {
        match range {
            None => body::read_bulk(request, parse_names).await,
            Some(range) => {
                body::read_bulk(request, parse_beside_range).await?;
                Self::of(Some(range), None).await
            }
        }
    }
}

impl<S: Sync> FromRequest<S> for Asked {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let NamesParam { nodes } = shared(request.uri())?;
        Self::read(nodes, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_held_once_and_the_rest_keeps_its_place() {
        let named = |text: &str| {
            let named: Named = text.parse().map_err(|why| NoName {
                text: text.to_owned(),
                why,
            });
            named
        };
        let list = ["a", "b", "a", "no name", "a", "c", ""];
        let asked = Asked::named(list.map(named).into());
        let names: Vec<&str> = asked.names.iter().map(NodeName::as_str).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let outcomes = asked.names.iter().cloned().map(|name| (name, Outcome::OK));
        let outcomes = outcomes.collect();
        let answer = serde_json::to_string(&asked.answered(outcomes)).unwrap();
        let missing = NOT_FOUND;
        let expected = format!(
            r#"{{"nodes":{{"a":"ok","b":"ok","no name":"{missing}","c":"ok","":"{missing}"}}}}"#
        );
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn a_range_or_names_but_not_both() {
        let range = || Some("node[1-3],-node2".to_owned());
        let asked = Asked::of(range(), None).await.unwrap();
        assert_eq!(asked.names.len(), 2);
        assert!(Asked::of(range(), Some(Vec::new())).await.is_err());
        assert!(Asked::of(None, None).await.is_err());
        assert!(Asked::of(Some("node[1-".into()), None).await.is_err());
    }
}
