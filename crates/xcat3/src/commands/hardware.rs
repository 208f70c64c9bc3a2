//! Commands on hardware: power, boot device, and all else that BMCs tell and take.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Context;
use super::operation::{self, Operation};
use crate::args::hardware::{
    BeaconArgs, BeaconWord, BiosArgs, BiosWord, BootWord, BootdevArgs, EventlogArgs, EventlogWord,
    InventoryArgs, MediaArgs, MediaWord, PowerWord, SensorsArgs,
};
use crate::args::job::OperationArgs;
use crate::client::Nodes;
use crate::error::Error;
use crate::report::Kind;

type Ended = Result<ExitCode, Error>;

pub async fn power(
    context: &Context,
    nodes: &str,
    target: PowerWord,
    args: &OperationArgs,
) -> Ended {
    let target = match target {
        PowerWord::Status => None,
        PowerWord::On => Some("on"),
        PowerWord::Off => Some("off"),
        PowerWord::Boot => Some("boot"),
        PowerWord::Reset => Some("reset"),
        PowerWord::Cycle => Some("cycle"),
        PowerWord::Soft => Some("soft"),
    };
    let operation = targeted("power", "/nodes/power", target);
    operation::run(context, &operation, &Nodes::parse(nodes)?, args).await
}

pub async fn boot_device(context: &Context, args: &BootdevArgs) -> Ended {
    let target = match args.device {
        BootWord::Status => None,
        BootWord::Net => Some("net"),
        BootWord::Disk => Some("disk"),
        BootWord::Cdrom => Some("cdrom"),
        BootWord::Setup => Some("setup"),
        BootWord::Http => Some("http"),
    };
    if target.is_none() && (args.persistent || args.uefi) {
        return Err(wrong("--persistent and --uefi go with a device to set"));
    }
    let mut operation = targeted("bootdev", "/nodes/boot_device", target);
    if args.persistent {
        operation.query.push(("persistent", "true"));
    }
    if args.uefi {
        operation.query.push(("uefi", "true"));
    }
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

/// Sets something of nodes to `target`, or asks for it where there is none.
fn targeted<'a>(word: &str, path: &'a str, target: Option<&'a str>) -> Operation<'a> {
    Operation {
        words: format!("{word} {}", target.unwrap_or("status")),
        method: target.map_or(Method::GET, |_| Method::PUT),
        path,
        query: target
            .map(|target| ("target", target))
            .into_iter()
            .collect(),
        body: None,
        reports: None,
    }
}

/// Asks for reports.
fn reported<'a>(words: &str, path: &'a str, kind: Kind) -> Operation<'a> {
    Operation {
        words: words.to_owned(),
        method: Method::GET,
        path,
        query: Vec::new(),
        body: None,
        reports: Some(kind),
    }
}

/// Changes something.
fn changed<'a>(
    words: &str,
    method: Method,
    path: &'a str,
    body: Option<Map<String, Value>>,
) -> Operation<'a> {
    Operation {
        words: words.to_owned(),
        method,
        path,
        query: Vec::new(),
        body,
        reports: None,
    }
}

pub async fn inventory(context: &Context, args: &InventoryArgs) -> Ended {
    let operation = reported("inventory", "/hardware/inventory", Kind::Inventory);
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

pub async fn sensors(context: &Context, args: &SensorsArgs) -> Ended {
    let kind = Kind::Sensors(args.kind.clone());
    let operation = reported("sensors", "/hardware/sensors", kind);
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

pub async fn event_log(context: &Context, args: &EventlogArgs) -> Ended {
    let path = "/hardware/eventlog";
    let operation = match args.action {
        EventlogWord::List => reported("eventlog", path, Kind::EventLog),
        EventlogWord::Clear => changed("eventlog clear", Method::DELETE, path, None),
    };
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

pub async fn beacon(context: &Context, args: &BeaconArgs) -> Ended {
    let target = match args.target {
        BeaconWord::Status => None,
        BeaconWord::On => Some("on"),
        BeaconWord::Off => Some("off"),
    };
    let operation = targeted("beacon", "/hardware/beacon", target);
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

pub async fn bios(context: &Context, args: &BiosArgs) -> Ended {
    let path = "/hardware/bios";
    let operation = match args.action {
        BiosWord::Get => {
            if let Some(pair) = args.attributes.iter().find(|name| name.contains('=')) {
                let name = pair.split('=').next().unwrap_or_default();
                let sentence =
                    format!("get takes names; to set {name} write: bios NODES set {name}=…");
                return Err(Error::Argument(sentence));
            }
            reported("bios get", path, Kind::Bios(args.attributes.clone()))
        }
        BiosWord::Set => {
            let attributes = attributes(&args.attributes)?;
            let body = Map::from_iter([("attributes".to_owned(), attributes.into())]);
            changed("bios set", Method::PUT, path, Some(body))
        }
    };
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

fn attributes(pairs: &[String]) -> Result<Map<String, Value>, Error> {
    if pairs.is_empty() {
        return Err(wrong("set takes NAME=VALUE, one or more"));
    }
    let mut attributes = Map::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Error::Argument(format!("'{pair}' is not NAME=VALUE")));
        };
        if attributes.insert(name.to_owned(), json!(value)).is_some() {
            return Err(Error::Argument(format!("{name} is set twice")));
        }
    }
    Ok(attributes)
}

pub async fn media(context: &Context, args: &MediaArgs) -> Ended {
    let path = "/hardware/media";
    let operation = match (args.action, &args.url) {
        (MediaWord::Insert, None) => {
            return Err(wrong(
                "insert takes the address of an image, like http://10.0.0.1/rescue.iso",
            ));
        }
        (MediaWord::Status | MediaWord::Eject, Some(_)) => {
            return Err(wrong("an address goes with insert"));
        }
        (MediaWord::Status | MediaWord::Eject, None) if args.boot => {
            return Err(wrong("--boot goes with insert"));
        }
        (MediaWord::Status, None) => reported("media status", path, Kind::Media),
        (MediaWord::Eject, None) => changed("media eject", Method::DELETE, path, None),
        (MediaWord::Insert, Some(url)) => {
            // Not in the address of the request: it may hold a password.
            let body = Map::from_iter([
                ("url".to_owned(), json!(url)),
                ("boot".to_owned(), json!(args.boot)),
            ]);
            changed("media insert", Method::PUT, path, Some(body))
        }
    };
    let nodes = Nodes::parse(&args.nodes)?;
    operation::run(context, &operation, &nodes, &args.operation).await
}

fn wrong(sentence: &str) -> Error {
    Error::Argument(sentence.to_owned())
}
