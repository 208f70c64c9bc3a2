//! Nodes: enrolled, listed, shown, changed and removed.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Map;
use utoipa::IntoParams;
use xcat3_api_types::node::{self, CHANGEABLE, FIELDS};
use xcat3_api_types::nodes::{Refused, WrongEntry};
use xcat3_api_types::reader::start;
use xcat3_api_types::{
    Names, NodeBody, NodeEntries, NodeInfo, NodeList, NodeOutcomes, NodePatches, NodeRecord, Patch,
    Secrets, ToldNode, patch,
};
use xcat3_core::{Node, NodeName, Outcome};
use xcat3_store::{NodeSort, SortKey};

use super::{Answer, Document, accepted, created, ok};
use crate::Api;
use crate::body::Bulk;
use crate::error::{ApiError, Failures, Missing};
use crate::many::Asked;
use crate::parameters::{FieldsParam, Name, NamesParam, Own, Params, Shared};
use crate::records::records;

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

/// Lists the names of all nodes, or of those of a range that exist.
#[utoipa::path(get, path = "/nodes", tag = "nodes", params(Sort, NamesParam),
    responses((status = 200, description = "names", body = NodeList), Failures))]
pub async fn list(
    State(api): State<Api>,
    Own(sort): Own<Sort>,
    Shared(NamesParam { nodes: range }): Shared<NamesParam>,
) -> Answer<NodeList> {
    let sort = sort.order()?;
    let asked = match range {
        None => None,
        range => Some(Asked::of(range, None).await?.names),
    };
    if asked.is_none() && sort == NodeSort::default() {
        let nodes = api.store.all_names().await?;
        return ok(NodeList { nodes });
    }
    let mut nodes = api.store.node_names(sort).await?;
    if let Some(asked) = asked {
        let asked: HashSet<NodeName> = asked.into_iter().collect();
        nodes.retain(|name| asked.contains(name));
    }
    ok(NodeList {
        nodes: nodes.into(),
    })
}

/// Enrols nodes.
#[utoipa::path(post, path = "/nodes", tag = "nodes", request_body = NodeEntries,
    responses((status = 201, description = "`ok`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn create(
    State(api): State<Api>,
    Bulk(entries): Bulk<NodeEntries>,
) -> Answer<NodeOutcomes> {
    let (nodes, refused) = declared(entries);
    let outcomes = if nodes.is_empty() {
        Vec::new()
    } else {
        api.store.create_nodes(nodes).await?
    };
    created(NodeOutcomes::new(outcomes, refused))
}

/// The nodes that entries declare, and what is wrong with the other entries.
fn declared(entries: NodeEntries) -> (Vec<Node>, Refused) {
    let mut seen = HashSet::with_capacity(entries.nodes.len());
    let names = entries.nodes.iter().map(name_of);
    let twice = names.filter(|name| !seen.insert(*name));
    let twice: HashSet<String> = twice.map(str::to_owned).collect();
    let mut nodes = Vec::with_capacity(entries.nodes.len());
    let mut refused = Refused::default();
    for entry in entries.nodes {
        let name = name_of(&entry);
        // Which of two is meant can't be told, so none is enrolled.
        if twice.contains(name) {
            refused.note(nodes.len(), name, Outcome::failed("Error: duplicate name"));
            continue;
        }
        match entry {
            Ok(node) => nodes.push(node),
            Err(wrong) => refused.note(nodes.len(), &wrong.name, Outcome::Failed(wrong.why)),
        }
    }
    (nodes, refused)
}

fn name_of(entry: &Result<Node, WrongEntry>) -> &str {
    match entry {
        Ok(node) => node.name.as_str(),
        Err(wrong) => &wrong.name,
    }
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

impl Info {
    fn secrets(&self) -> Result<Secrets, ApiError> {
        match self.secrets.as_deref() {
            None | Some("" | "false") => Ok(Secrets::Masked),
            Some("true") => Ok(Secrets::InClear),
            Some(_) => Err(ApiError::bad_request("secrets is neither true nor false")),
        }
    }
}

/// Shows nodes.
#[utoipa::path(get, path = "/nodes/info", tag = "nodes", params(Info, NamesParam),
    request_body = Names,
    responses((status = 200, description = "those of the nodes that exist", body = NodeInfo),
        Failures))]
pub async fn info(
    State(api): State<Api>,
    Own(info): Own<Info>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let selection = FIELDS.parse(info.fields.as_deref())?;
    let secrets = info.secrets()?;
    if secrets == Secrets::InClear {
        let nodes = asked.names.len();
        tracing::info!(nodes, "secrets of nodes were asked for in clear");
    }
    let write = move |node: &Node, text: &mut Vec<u8>| {
        let selection = &selection;
        let told = ToldNode {
            node,
            selection,
            secrets,
        };
        serde_json::to_writer(text, &told)
    };
    records(api.store, asked.names, write).await
}

/// Changes what was declared of nodes.
#[utoipa::path(patch, path = "/nodes", tag = "nodes", params(NamesParam),
    request_body = NodePatches,
    responses((status = 200, description = "`updated`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn update(
    State(api): State<Api>,
    Params(NamesParam { nodes: range }): Params<NamesParam>,
    Bulk(NodePatches { nodes, patches }): Bulk<NodePatches>,
) -> Answer<NodeOutcomes> {
    patch::check(&patches, "a node", FIELDS.known, &CHANGEABLE)?;
    let asked = Asked::of(range, nodes).await?;
    let mut change = |node: &mut Node| changed(node, &patches);
    let outcomes = api.store.update_nodes(&asked.names, &mut change).await?;
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
#[utoipa::path(delete, path = "/nodes", tag = "nodes", params(NamesParam), request_body = Names,
    responses((status = 202, description = "`deleted`, or why not, for each", body = NodeOutcomes),
        Failures))]
pub async fn delete(
    State(api): State<Api>,
    _: Params<NamesParam>,
    asked: Asked,
) -> Answer<NodeOutcomes> {
    let outcomes = api.store.delete_nodes(&asked.names).await?;
    accepted(asked.answered(outcomes))
}
