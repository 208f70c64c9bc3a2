//! Looking for BMCs, and enrolling the machines that they belong to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Map, Value, json};
use xcat3_core::hardware::FoundBmc;
use xcat3_core::{NodeName, addresses};

use super::Context;
use super::nodes::{post, taken};
use super::operation::{self, Ended, Operation};
use crate::args::discovery::{DiscoverArgs, SearchWord, TlsWord};
use crate::attributes;
use crate::client::Nodes;
use crate::error::Error;
use crate::output;
use crate::pattern;
use crate::report::Kind;

/// Looks for BMCs and tells what is found; enrols it where that was asked for.
pub async fn discover(context: &Context, args: &DiscoverArgs) -> Result<ExitCode, Error> {
    if args.create.is_none() && !args.attributes.is_empty() {
        let sentence = "attributes are of nodes to be enrolled: add --create NAMES";
        return Err(Error::Argument(sentence.to_owned()));
    }
    if args.create.is_some() && args.operation.later {
        let sentence = "--create enrols what is found, and --async does not wait for that";
        return Err(Error::Argument(sentence.to_owned()));
    }
    if args.tls != TlsWord::Verify && args.mgt != SearchWord::Redfish {
        let sentence = "--tls is about certificates, which BMCs have with --mgt redfish";
        return Err(Error::Argument(sentence.to_owned()));
    }
    let declared = attributes::document(&args.attributes)?;
    // A slip is told before anything is asked.
    let targets = addresses::parse(&args.addresses);
    let targets = targets.map_err(|error| Error::Argument(error.to_string()))?;
    let names = targets
        .iter()
        .filter_map(|address| addresses::target(*address));
    let mgt = args.mgt.word();
    let port = args.port.map(|port| port.to_string());
    let mut query = vec![("mgt", mgt), ("addresses", args.addresses.as_str())];
    query.extend(port.as_deref().map(|port| ("port", port)));
    let tls = match args.tls {
        TlsWord::Verify => None,
        TlsWord::FirstUse => Some("first-use"),
        TlsWord::Insecure => Some("insecure"),
    };
    query.extend(tls.map(|word| ("tls", word)));
    let operation = Operation {
        words: format!("discover --mgt {mgt}"),
        method: Method::GET,
        path: "/discover",
        query,
        body: None,
        reports: Some(Kind::Found),
    };
    let nodes = Nodes::targets(names.collect());
    let printed = !(args.create.is_some() && context.style.json);
    match operation::carry_out(context, &operation, &nodes, &args.operation, printed).await? {
        Ended::Left(code) => Ok(code),
        Ended::Told(tally) => match &args.create {
            None => Ok(tally.code()),
            Some(pattern) => create(context, args, pattern, &declared, tally.found()).await,
        },
    }
}

/// Enrols machines whose BMCs were found and that no node has yet.
async fn create(
    context: &Context,
    args: &DiscoverArgs,
    pattern: &str,
    declared: &Map<String, Value>,
    found: &BTreeMap<Ipv4Addr, FoundBmc>,
) -> Result<ExitCode, Error> {
    let taken = taken(context).await?;
    let known = known(context, &taken).await?;
    let new: Vec<(&Ipv4Addr, &FoundBmc)> = found
        .iter()
        .filter(|(address, _)| !known.contains(&address.to_string()))
        .collect();
    let rest = found.len() - new.len();
    if rest > 0 {
        eprintln!("xcat3: {rest} of these BMCs belong to nodes already");
    }
    let names = pattern::names(pattern, &taken, new.len())?;
    if new.is_empty() {
        output::list(&[], &json!({"nodes": {}}), context.style.json);
        return Ok(ExitCode::SUCCESS);
    }
    let discovered = discovered_machines(context).await?;
    let nodes = new.iter().zip(&names).map(|((_, found), name)| {
        let nic = found.uuid.as_ref().and_then(|uuid| discovered.get(uuid));
        node(args, declared, (found, name), nic)
    });
    let nodes: Vec<Value> = nodes.collect();
    if !context.style.json {
        output::text("\n");
    }
    post(context, &json!({ "nodes": nodes })).await
}

fn node(
    args: &DiscoverArgs,
    declared: &Map<String, Value>,
    (found, name): (&FoundBmc, &NodeName),
    nic: Option<&Value>,
) -> Value {
    let mut node = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("mgt".to_owned(), json!(args.mgt.word())),
    ]);
    node.extend(declared.clone());
    let control = node.entry("control_info").or_insert_with(|| json!({}));
    control["bmc_address"] = json!(found.address);
    let trusted = match (args.tls, &found.certificate) {
        (TlsWord::Insecure, _) => Some("insecure".to_owned()),
        (_, Some(certificate)) => Some(format!("pin:{certificate}")),
        _ => None,
    };
    if let (Some(trusted), None) = (trusted, control.get("bmc_tls")) {
        control["bmc_tls"] = json!(trusted);
    }
    if let Some(port) = args.port {
        control["bmc_port"] = json!(port.to_string());
    }
    if let Some(machine) = nic {
        node.entry("netboot").or_insert_with(|| json!("pxe"));
        if machine["arch"].is_string() {
            node.entry("arch")
                .or_insert_with(|| machine["arch"].clone());
        }
        let nic = json!({"mac": machine["mac"], "primary": true});
        node.insert("nics_info".to_owned(), json!({"nics": [nic]}));
    }
    Value::Object(node)
}

/// The addresses of the BMCs that nodes have.
async fn known(context: &Context, names: &HashSet<String>) -> Result<HashSet<String>, Error> {
    let names: Vec<NodeName> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let mut known = HashSet::new();
    for part in names.chunks(5_000) {
        let named: Vec<Value> = part.iter().map(|name| json!({"name": name})).collect();
        let body = json!({ "nodes": named });
        let query = [("fields", "control_info")];
        let asking = context
            .client
            .request(Method::GET, "/nodes/info", &query, Some(&body));
        let answer = asking.await?;
        let nodes = answer["nodes"].as_array().into_iter().flatten();
        let address = |node: &Value| {
            node["control_info"]["bmc_address"]
                .as_str()
                .map(str::to_owned)
        };
        known.extend(nodes.filter_map(address));
    }
    Ok(known)
}

/// The machines that booted over the network without being known, by their UUID.
async fn discovered_machines(context: &Context) -> Result<HashMap<String, Value>, Error> {
    let mut answer = context.client.get("/discovered", &[]).await?;
    let machines = answer["discovered"].as_array_mut().map(std::mem::take);
    let by_uuid = machines
        .unwrap_or_default()
        .into_iter()
        .filter_map(|machine| {
            let uuid = machine["uuid"].as_str()?.to_owned();
            Some((uuid, machine))
        });
    Ok(by_uuid.collect())
}
