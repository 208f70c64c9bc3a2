//! Machines that boot over the network without being known: listed, enrolled, forgotten.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xcat3_core::{MacAddr, NodeName};

use super::Context;
use super::jobs::span;
use super::nodes::{post, taken};
use crate::args::discovery::DiscoveredArgs;
use crate::attributes;
use crate::error::Error;
use crate::output;
use crate::pattern;
use crate::plain::plain;
use crate::report::Table;

/// A machine as the API tells it.
#[derive(Deserialize)]
struct Machine {
    mac: MacAddr,
    network: String,
    ip: Option<String>,
    vendor_class: Option<String>,
    firmware: Option<String>,
    architecture: Option<u16>,
    arch: Option<String>,
    uuid: Option<String>,
    first_ms: i64,
    last_ms: i64,
}

/// Lists them, or does with them what was asked for.
pub async fn discovered(context: &Context, args: &DiscoveredArgs) -> Result<ExitCode, Error> {
    if args.create.is_none() && !(args.attributes.is_empty() && args.ip.is_none()) {
        let sentence = "attributes and --ip are of nodes to be enrolled: add --create NAMES";
        return Err(Error::Argument(sentence.to_owned()));
    }
    let mut answer = context.client.get("/discovered", &[]).await?;
    let wanted = selected(context, args, &mut answer)?;
    if let Some(pattern) = &args.create {
        return create(context, args, pattern, &wanted).await;
    }
    if args.forget {
        return forget(context, &wanted).await;
    }
    if context.style.json || wanted.is_empty() {
        output::list(&[], &answer, context.style.json);
    } else {
        output::text(&table(&wanted, now_ms()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Those machines that are wanted; only they are left in the answer.
fn selected(
    context: &Context,
    args: &DiscoveredArgs,
    answer: &mut Value,
) -> Result<Vec<Machine>, Error> {
    let mut machines = Vec::new();
    let mut kept = Vec::new();
    for told in answer["discovered"]
        .as_array_mut()
        .map(std::mem::take)
        .unwrap_or_default()
    {
        let machine: Machine = serde_json::from_value(told.clone()).map_err(|error| {
            context
                .client
                .foreign(format!("a machine is told as {error}"))
        })?;
        let fits = (args.mac.is_empty() || args.mac.contains(&machine.mac))
            && args
                .network
                .as_ref()
                .is_none_or(|network| *network == machine.network);
        if fits {
            machines.push(machine);
            kept.push(told);
        }
    }
    answer["discovered"] = kept.into();
    let missing = |mac: &&MacAddr| machines.iter().all(|machine| machine.mac != **mac);
    match args.mac.iter().find(missing) {
        None => Ok(machines),
        Some(mac) => {
            let sentence = format!("no machine with the MAC address {mac} was discovered");
            Err(Error::Argument(sentence))
        }
    }
}

fn table(machines: &[Machine], now_ms: i64) -> String {
    let headers = [
        "MAC",
        "NETWORK",
        "ADDRESS",
        "FIRMWARE",
        "FIRST SEEN",
        "LAST SEEN",
        "UUID",
        "VENDOR CLASS",
    ];
    let row = |machine: &Machine| {
        let firmware = match (&machine.firmware, machine.architecture) {
            (Some(words), _) => words.clone(),
            (None, Some(number)) => format!("type {number}"),
            (None, None) => "-".to_owned(),
        };
        let dash = |text: &Option<String>| plain(text.as_deref().unwrap_or("-")).into_owned();
        vec![
            machine.mac.to_string(),
            plain(&machine.network).into_owned(),
            dash(&machine.ip),
            firmware,
            format!("{} ago", span(now_ms - machine.first_ms)),
            format!("{} ago", span(now_ms - machine.last_ms)),
            dash(&machine.uuid),
            dash(&machine.vendor_class),
        ]
    };
    let rows: Vec<Vec<String>> = machines.iter().map(row).collect();
    Table::new(headers.into_iter()).print(&rows)
}

/// Enrols machines by the names of a pattern, in the order in which they were first seen.
async fn create(
    context: &Context,
    args: &DiscoveredArgs,
    pattern: &str,
    machines: &[Machine],
) -> Result<ExitCode, Error> {
    let declared = attributes::document(&args.attributes)?;
    let names = pattern::names(pattern, &taken(context).await?, machines.len())?;
    if machines.is_empty() {
        output::list(&[], &json!({"nodes": {}}), context.style.json);
        return Ok(ExitCode::SUCCESS);
    }
    let mut nodes = Vec::new();
    for (number, (machine, name)) in (0..).zip(machines.iter().zip(&names)) {
        let ip = args.ip.map(|first| address(first, number)).transpose()?;
        nodes.push(node(machine, name, &declared, ip));
    }
    post(context, &json!({ "nodes": nodes })).await
}

/// The address that comes `number` after the first.
fn address(first: Ipv4Addr, number: u32) -> Result<Ipv4Addr, Error> {
    let next = u32::from(first).checked_add(number).map(Ipv4Addr::from);
    next.ok_or_else(|| Error::Argument(format!("there are too few addresses after {first}")))
}

fn node(
    machine: &Machine,
    name: &NodeName,
    declared: &Map<String, Value>,
    ip: Option<Ipv4Addr>,
) -> Value {
    let mut node = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("netboot".to_owned(), json!("pxe")),
    ]);
    if let Some(arch) = &machine.arch {
        node.insert("arch".to_owned(), json!(arch));
    }
    node.extend(declared.clone());
    let mut nic = json!({"mac": machine.mac, "primary": true});
    if let Some(ip) = ip {
        nic["ip"] = json!(ip);
    }
    node.insert("nics_info".to_owned(), json!({"nics": [nic]}));
    Value::Object(node)
}

async fn forget(context: &Context, machines: &[Machine]) -> Result<ExitCode, Error> {
    let mut forgotten = 0;
    for part in machines.chunks(50) {
        let macs: Vec<String> = part.iter().map(|machine| machine.mac.to_string()).collect();
        let query = [("mac", macs.join(","))];
        let query = query.each_ref().map(|(key, value)| (*key, value.as_str()));
        let asking = context
            .client
            .request(Method::DELETE, "/discovered", &query, None);
        forgotten += asking.await?["forgotten"].as_u64().unwrap_or(0);
    }
    if context.style.json {
        output::print_json(&json!({ "forgotten": forgotten }));
    } else {
        output::text(&format!("{forgotten} machines are forgotten\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
