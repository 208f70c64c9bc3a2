//! Commands on nodes: enrol, list, show, change, forget, export, import, power, boot device.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Map, Value, json};
use xcat3_core::secret::REDACTED;
use xcat3_core::{NodeName, natural, noderange};

use super::Context;
use crate::args::record::{CreateArgs, UpdateArgs};
use crate::attributes;
use crate::client::Nodes;
use crate::error::Error;
use crate::output;

pub async fn create(context: &Context, args: &CreateArgs) -> Result<ExitCode, Error> {
    let mut node = attributes::document(&args.attributes)?;
    let flags = [
        ("mgt", &args.mgt),
        ("netboot", &args.netboot),
        ("arch", &args.arch),
        ("type", &args.kind),
    ];
    for (key, value) in flags {
        if let Some(value) = value {
            node.insert(key.to_owned(), Value::from(value.as_str()));
        }
    }
    for control in &args.control {
        let inside = node.entry("control_info").or_insert_with(|| json!({}));
        for (key, value) in attributes::object(control)? {
            inside[key] = value;
        }
    }
    if !args.nic.is_empty() {
        let nics: Result<Vec<Value>, Error> =
            args.nic.iter().map(|nic| attributes::nic(nic)).collect();
        node.insert("nics_info".to_owned(), json!({"nics": nics?}));
    }
    let named = |name: &NodeName| {
        let mut node = node.clone();
        node.insert("name".to_owned(), json!(name));
        Value::Object(node)
    };
    let nodes: Vec<Value> = noderange::parse(&args.nodes)?.iter().map(named).collect();
    post(context, &json!({ "nodes": nodes })).await
}

/// The names of all nodes.
pub async fn taken(context: &Context) -> Result<HashSet<String>, Error> {
    let mut answer = context.client.get("/nodes", &[]).await?;
    let names = answer["nodes"].as_array_mut().map(std::mem::take);
    let names = names.unwrap_or_default().into_iter();
    Ok(names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect())
}

/// Enrols the nodes of a document.
pub async fn post(context: &Context, body: &Value) -> Result<ExitCode, Error> {
    let answer = context
        .client
        .request(Method::POST, "/nodes", &[], Some(body))
        .await?;
    Ok(output::node_outcomes(&answer, context.style))
}

pub async fn list(context: &Context, nodes: Option<&str>) -> Result<ExitCode, Error> {
    let answer = context.client.get("/nodes", &[]).await?;
    let all = answer["nodes"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
    let mut code = ExitCode::SUCCESS;
    if let Some(text) = nodes {
        let wanted = noderange::parse(text)?;
        let known: HashSet<&str> = names.iter().copied().collect();
        for missing in wanted.iter().filter(|name| !known.contains(name.as_str())) {
            eprintln!("xcat3: {missing}: Could not be found.");
            code = ExitCode::FAILURE;
        }
        let wanted: HashSet<&str> = wanted.iter().map(NodeName::as_str).collect();
        names.retain(|name| wanted.contains(name));
    }
    names.sort_by(|a, b| natural::compare(a, b));
    let lines: Vec<String> = names.iter().map(|name| format!("{name} (node)")).collect();
    output::list(&lines, &json!({ "nodes": names }), context.style.json);
    Ok(code)
}

/// The records of nodes, and the names that have none.
async fn records(
    context: &Context,
    nodes: &str,
    query: &[(&str, &str)],
) -> Result<(Vec<Value>, Vec<NodeName>), Error> {
    let nodes = Nodes::parse(nodes)?;
    let mut query = query.to_vec();
    query.extend(nodes.query());
    let answer = context
        .client
        .request(Method::GET, "/nodes/info", &query, nodes.body().as_ref())
        .await?;
    let records = answer["nodes"].as_array().cloned().unwrap_or_default();
    let found: std::collections::HashSet<String> = records
        .iter()
        .filter_map(|node| node["name"].as_str().map(str::to_owned))
        .collect();
    let missing = nodes
        .names
        .into_iter()
        .filter(|name| !found.contains(name.as_str()))
        .collect();
    Ok((records, missing))
}

/// Says which nodes have no record; that makes the command fail.
fn report_missing(missing: &[NodeName]) -> ExitCode {
    for name in missing {
        eprintln!("xcat3: {name}: Could not be found.");
    }
    if missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

pub async fn show(context: &Context, nodes: &str, fields: Option<&str>) -> Result<ExitCode, Error> {
    let fields = fields.map(attributes::fields).unwrap_or_default();
    let query = [("fields", fields.as_str())];
    let query = if fields.is_empty() {
        &[][..]
    } else {
        &query[..]
    };
    let (records, missing) = records(context, nodes, query).await?;
    if context.style.json {
        output::print_json(&json!({ "nodes": records }));
    } else if !records.is_empty() {
        let shown = |record: Value| json!({"node": record["name"].clone(), "attr": record});
        output::print_json(&records.into_iter().map(shown).collect());
    }
    Ok(report_missing(&missing))
}

pub async fn update(context: &Context, args: &UpdateArgs) -> Result<ExitCode, Error> {
    let nodes = Nodes::parse(&args.nodes)?;
    let mut patches = attributes::patches(&args.attributes)?;
    for control in &args.control {
        let pairs = attributes::pairs(control)?;
        let below: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("control/{key}={value}"))
            .collect();
        patches.extend(attributes::patches(&below)?);
    }
    for nic in &args.nic {
        let nic = attributes::nic(nic)?;
        patches.push(json!({"op": "add", "path": "/nics_info/nics/-", "value": nic}));
    }
    let mut body = nodes.body().unwrap_or_else(|| json!({}));
    body["patches"] = Value::from(patches);
    let query: Vec<(&str, &str)> = nodes.query().into_iter().collect();
    let answer = context
        .client
        .request(Method::PATCH, "/nodes", &query, Some(&body))
        .await?;
    Ok(output::node_outcomes(&answer, context.style))
}

pub async fn delete(context: &Context, nodes: &str) -> Result<ExitCode, Error> {
    let nodes = Nodes::parse(nodes)?;
    let query: Vec<(&str, &str)> = nodes.query().into_iter().collect();
    let answer = context
        .client
        .request(Method::DELETE, "/nodes", &query, nodes.body().as_ref())
        .await?;
    Ok(output::node_outcomes(&answer, context.style))
}

pub async fn export(
    context: &Context,
    nodes: &str,
    file: Option<&Path>,
    secrets: bool,
) -> Result<ExitCode, Error> {
    let query = if secrets {
        &[("secrets", "true")][..]
    } else {
        &[]
    };
    let (records, missing) = records(context, nodes, query).await?;
    let document = json!({ "nodes": records });
    match file {
        None => output::print_json(&document),
        Some(path) => {
            let failed = |error: std::io::Error| file_error(path, &error.to_string());
            let text = serde_json::to_vec_pretty(&document).expect("a JSON value");
            write_private(path, &text).map_err(failed)?;
            println!(
                "Exported {} nodes to {}.",
                records_in(&document),
                path.display()
            );
        }
    }
    Ok(report_missing(&missing))
}

fn records_in(document: &Value) -> usize {
    document["nodes"].as_array().map_or(0, Vec::len)
}

/// Writes a file that only its owner can read, since it may hold secrets.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn file_error(path: &Path, reason: &str) -> Error {
    Error::File {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

pub async fn import(context: &Context, file: &Path) -> Result<ExitCode, Error> {
    let bytes = fs::read(file).map_err(|error| file_error(file, &error.to_string()))?;
    let document: Value =
        serde_json::from_slice(&bytes).map_err(|error| file_error(file, &error.to_string()))?;
    let nodes = document["nodes"].as_array();
    let nodes = nodes.ok_or_else(|| file_error(file, "there is no list 'nodes' in it"))?;
    let declared = nodes.iter().map(declared).collect::<Option<Vec<Value>>>();
    let declared =
        declared.ok_or_else(|| file_error(file, "an entry of 'nodes' is not an object"))?;
    post(context, &json!({ "nodes": declared })).await
}

/// What of an exported record can be declared again: without what the service itself sets, without
/// what is empty, and without masked secrets.
fn declared(record: &Value) -> Option<Value> {
    const SET_BY_SERVICE: [&str; 5] = ["state", "reservation", "conductor", "osimage", "deploy"];
    let mut node = Map::new();
    for (key, value) in record.as_object()? {
        if !SET_BY_SERVICE.contains(&key.as_str()) && !value.is_null() {
            node.insert(key.clone(), without_masks(value));
        }
    }
    if let Some(nics) = node
        .get_mut("nics_info")
        .and_then(|info| info["nics"].as_array_mut())
    {
        for nic in nics.iter_mut().filter_map(Value::as_object_mut) {
            nic.shift_remove("uuid");
            nic.shift_remove("node");
        }
    }
    Some(Value::Object(node))
}

fn without_masks(value: &Value) -> Value {
    let kept = |(key, value): (&String, &Value)| (key.clone(), without_masks(value));
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, v)| *v != REDACTED)
                .map(kept)
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exported_record_can_be_declared_again() {
        let record = json!({"name": "n1", "mgt": "kvm", "type": null, "state": "deployed",
            "control_info": {"ssh_address": "h", "ssh_password": REDACTED},
            "nics_info": {"nics": [{"uuid": "u", "mac": "m", "node": "n1"}]}});
        let expected = json!({"name": "n1", "mgt": "kvm", "control_info": {"ssh_address": "h"},
            "nics_info": {"nics": [{"mac": "m"}]}});
        assert_eq!(declared(&record), Some(expected));
    }
}
