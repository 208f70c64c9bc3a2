//! Nodes: enrolled, listed, shown, changed and removed.

use std::collections::HashMap;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use xcat3_api_types::node::{self, CHANGEABLE, FIELDS};
use xcat3_api_types::reader::start;
use xcat3_api_types::{
    Names, NodeBody, NodeEntries, NodeInfo, NodeList, NodeOutcomes, NodePatches, NodeRecord, Patch,
    Secrets, patch,
};
use xcat3_core::{Node, Outcome};
use xcat3_store::{NodeSort, SortKey};

use super::{Answer, Document, accepted, created, ok};
use crate::Api;
use crate::body::Bulk;
use crate::error::{ApiError, Failures, Missing};
use crate::many::Asked;
use crate::parameters::{FieldsParam, Name, Params};

/// In which order.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Sort {
    /// `name`, `mgt`, `netboot`, `arch`, `type`, `state`, `osimage` or `conductor`.
    sort_key: Option<String>,
    /// `asc` or `desc`.
    sort_dir: Option<String>,
}

impl Sort {
    fn order(&self) -> Result<NodeSort, ApiError> {
        let key = match self.sort_key.as_deref() {
            None | Some("") => SortKey::Name,
            Some(word) => word.parse().map_err(|error| format!("{error}"))?,
        };
        let descending = match self.sort_dir.as_deref() {
            None | Some("" | "asc") => false,
            Some("desc") => true,
            Some(other) => {
                let other = start(other);
                return Err(format!("sort_dir '{other}' is not known: use asc or desc").into());
            }
        };
        Ok(NodeSort { key, descending })
    }
}

/// Lists the names of all nodes.
#[utoipa::path(get, path = "/nodes", tag = "nodes", params(Sort),
    responses((status = 200, description = "names", body = NodeList), Failures))]
pub async fn list(State(api): State<Api>, Params(sort): Params<Sort>) -> Answer<NodeList> {
    let nodes = api.store.node_names(sort.order()?).await?;
    ok(NodeList { nodes })
}

/// Enrols nodes.
#[utoipa::path(post, path = "/nodes", tag = "nodes", request_body = NodeEntries,
    responses((status = 201, description = "`ok`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn create(
    State(api): State<Api>,
    Bulk(entries): Bulk<NodeEntries>,
) -> Answer<NodeOutcomes> {
    let (names, read) = read(entries.nodes);
    let nodes: Vec<Node> = read
        .iter()
        .filter_map(|node| node.as_ref().ok())
        .cloned()
        .collect();
    let mut stored = if nodes.is_empty() {
        Vec::new().into_iter()
    } else {
        api.store.create_nodes(&nodes).await?.into_iter()
    };
    let mut answer = NodeOutcomes::default();
    for (name, node) in names.iter().zip(read) {
        let outcome = match node {
            Err(why) => Outcome::Failed(why),
            // The store answers in the order given.
            Ok(_) => stored.next().map_or(Outcome::OK, |(_, outcome)| outcome),
        };
        answer.note(name, &outcome);
    }
    created(answer)
}

/// The entries' names, and what each declares or what is wrong with it.
fn read(entries: Vec<Value>) -> (Vec<String>, Vec<Result<Node, String>>) {
    let name = |entry: &Value| entry["name"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = entries.iter().map(name).collect();
    let mut times: HashMap<&str, usize> = HashMap::with_capacity(names.len());
    for name in &names {
        *times.entry(name).or_default() += 1;
    }
    let read = entries.into_iter().zip(&names).map(|(entry, name)| {
        // Which of two is meant can't be told, so none is enrolled.
        if times.get(name.as_str()).is_some_and(|&times| times > 1) {
            return Err("Error: duplicate name".to_owned());
        }
        NodeBody::try_from(entry)?.into_node()
    });
    let read = read.collect();
    (names, read)
}

/// Shows a node.
#[utoipa::path(get, path = "/nodes/{name}", tag = "nodes",
    params(("name" = String, Path, description = "its name"), FieldsParam),
    responses((status = 200, description = "the node; `deploy` only where `fields` names it",
        body = NodeRecord), Missing, Failures))]
pub async fn show(
    State(api): State<Api>,
    Name(name): Name,
    Params(FieldsParam { fields }): Params<FieldsParam>,
) -> Document {
    let selection = FIELDS.parse(fields.as_deref())?;
    let missing = || ApiError::missing("node", &name);
    let known = name.parse().map_err(|_| missing())?;
    let nodes = api.store.nodes(&[known]).await?;
    let node = nodes.first().ok_or_else(missing)?;
    ok(node::document(node, &selection, Secrets::Masked))
}

/// What to tell of nodes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// Only these fields, separated by commas. The name always comes along.
    fields: Option<String>,
    /// `true` gives passwords and keys in clear, for an export.
    secrets: Option<String>,
}

/// Shows nodes.
#[utoipa::path(get, path = "/nodes/info", tag = "nodes", params(Info), request_body = Names,
    responses((status = 200, description = "those of the nodes that exist", body = NodeInfo),
        Failures))]
pub async fn info(
    State(api): State<Api>,
    Params(info): Params<Info>,
    Bulk(names): Bulk<Names>,
) -> Answer<NodeInfo> {
    let selection = FIELDS.parse(info.fields.as_deref())?;
    let secrets = match info.secrets.as_deref() {
        None | Some("" | "false") => Secrets::Masked,
        Some("true") => Secrets::InClear,
        Some(_) => return Err(ApiError::bad_request("secrets is neither true nor false")),
    };
    let nodes = api.store.nodes(&Asked::of(names).names()).await?;
    if secrets == Secrets::InClear {
        tracing::info!(
            nodes = nodes.len(),
            "secrets of nodes were asked for in clear"
        );
    }
    let document = |node| node::document(node, &selection, secrets);
    ok(NodeInfo {
        nodes: nodes.iter().map(document).collect(),
    })
}

/// Changes what was declared of nodes.
#[utoipa::path(patch, path = "/nodes", tag = "nodes", request_body = NodePatches,
    responses((status = 200, description = "`updated`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn update(
    State(api): State<Api>,
    Bulk(NodePatches { nodes, patches }): Bulk<NodePatches>,
) -> Answer<NodeOutcomes> {
    patch::check(&patches, "a node", FIELDS.known, &CHANGEABLE)?;
    let asked = Asked::of(Names { nodes });
    let mut change = |node: &mut Node| changed(node, &patches);
    let outcomes = api.store.update_nodes(&asked.names(), &mut change).await?;
    ok(asked.answered(outcomes))
}

fn changed(node: &mut Node, patches: &[Patch]) -> Result<(), String> {
    let declared = node::declared(node, Secrets::InClear);
    let declared = declared.map(|(field, value)| (field.to_owned(), value));
    let mut document = Map::from_iter(declared);
    document.insert("name".to_owned(), node.name.as_str().into());
    NodeBody::try_from(patch::apply(patches, document)?)?.replace(node)
}

/// Removes nodes.
#[utoipa::path(delete, path = "/nodes", tag = "nodes", request_body = Names,
    responses((status = 202, description = "`deleted`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn delete(State(api): State<Api>, Bulk(names): Bulk<Names>) -> Answer<NodeOutcomes> {
    let asked = Asked::of(names);
    let outcomes = api.store.delete_nodes(&asked.names()).await?;
    accepted(asked.answered(outcomes))
}
