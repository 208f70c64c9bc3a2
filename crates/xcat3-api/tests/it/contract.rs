//! The description at `/v1/openapi.json` is the contract: every path, method and status of v1, and
//! nothing that is not listed here.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::World;

/// Method, path, and the statuses that the contract names.
const CONTRACT: &[(&str, &str, &[u16])] = &[
    ("get", "/", &[200]),
    ("get", "/v1", &[200]),
    ("get", "/v1/openapi.json", &[200]),
    ("post", "/v1/nodes", &[201]),
    ("get", "/v1/nodes", &[200]),
    ("get", "/v1/nodes/{name}", &[200, 404]),
    ("get", "/v1/nodes/info", &[200]),
    ("patch", "/v1/nodes", &[200, 400]),
    ("delete", "/v1/nodes", &[202]),
    ("get", "/v1/nodes/power", &[200, 202, 422]),
    ("put", "/v1/nodes/power", &[200, 202, 400, 422]),
    ("get", "/v1/nodes/boot_device", &[200, 202, 422]),
    ("put", "/v1/nodes/boot_device", &[200, 202, 400, 422]),
    ("get", "/v1/hardware/inventory", &[200, 202, 422]),
    ("get", "/v1/hardware/sensors", &[200, 202, 422]),
    ("get", "/v1/hardware/eventlog", &[200, 202, 422]),
    ("delete", "/v1/hardware/eventlog", &[200, 202, 422]),
    ("get", "/v1/hardware/beacon", &[200, 202, 422]),
    ("put", "/v1/hardware/beacon", &[200, 202, 400, 422]),
    ("get", "/v1/hardware/bios", &[200, 202, 422]),
    ("put", "/v1/hardware/bios", &[200, 202, 400, 422]),
    ("get", "/v1/hardware/media", &[200, 202, 422]),
    ("put", "/v1/hardware/media", &[200, 202, 400, 422]),
    ("delete", "/v1/hardware/media", &[200, 202, 422]),
    ("put", "/v1/nodes/provision", &[200, 202, 400, 422]),
    ("put", "/v1/nodes/provision/callback", &[200, 404]),
    ("get", "/v1/jobs", &[200]),
    ("get", "/v1/jobs/{id}", &[200, 404]),
    ("get", "/v1/jobs/{id}/events", &[200, 404]),
    ("delete", "/v1/jobs/{id}", &[202, 404]),
    ("get", "/v1/nics", &[200]),
    ("post", "/v1/nics", &[201]),
    ("get", "/v1/nics/{uuid}", &[200, 404]),
    ("get", "/v1/nics/address", &[200, 404]),
    ("get", "/v1/nics/node", &[200]),
    ("patch", "/v1/nics/{uuid}", &[200]),
    ("delete", "/v1/nics/{uuid}", &[202]),
    ("get", "/v1/networks", &[200]),
    ("post", "/v1/networks", &[201]),
    ("get", "/v1/networks/{name}", &[200, 404]),
    ("patch", "/v1/networks/{name}", &[200, 404]),
    ("delete", "/v1/networks/{name}", &[202]),
    ("get", "/v1/osimages", &[200]),
    ("post", "/v1/osimages", &[201]),
    ("get", "/v1/osimages/{name}", &[200, 404]),
    ("get", "/v1/osimages/get_by_id", &[200, 404]),
    ("patch", "/v1/osimages/{name}", &[200, 404]),
    ("delete", "/v1/osimages/{name}", &[202]),
    ("get", "/v1/passwds", &[200]),
    ("post", "/v1/passwds", &[201]),
    ("get", "/v1/passwds/{key}", &[200, 404]),
    ("patch", "/v1/passwds/{key}", &[200, 404]),
    ("delete", "/v1/passwds/{key}", &[202]),
    ("get", "/v1/discovered", &[200]),
    ("delete", "/v1/discovered", &[202]),
    ("get", "/v1/discover", &[200, 202, 422]),
    ("get", "/v1/services", &[200]),
    ("get", "/v1/services/hostname", &[200]),
];

/// What every operation on many nodes takes.
const JOB: &[&str] = &[
    "nodes",
    "batch",
    "max_failures",
    "Accept",
    "Prefer",
    "Idempotency-Key",
];

/// Parameters that the contract names.
const PARAMETERS: &[(&str, &str, &[&str])] = &[
    ("get", "/v1/nodes", &["sort_key", "sort_dir", "nodes"]),
    ("patch", "/v1/nodes", &["nodes"]),
    ("delete", "/v1/nodes", &["nodes"]),
    ("get", "/v1/nodes/power", JOB),
    ("put", "/v1/nodes/power", JOB),
    ("get", "/v1/nodes/boot_device", JOB),
    ("put", "/v1/nodes/boot_device", JOB),
    ("get", "/v1/hardware/inventory", JOB),
    ("get", "/v1/hardware/sensors", JOB),
    ("get", "/v1/hardware/eventlog", JOB),
    ("delete", "/v1/hardware/eventlog", JOB),
    ("put", "/v1/hardware/beacon", JOB),
    ("put", "/v1/hardware/beacon", &["target"]),
    ("put", "/v1/hardware/bios", JOB),
    ("put", "/v1/hardware/media", JOB),
    ("put", "/v1/hardware/media", &["url", "boot"]),
    ("put", "/v1/nodes/provision", JOB),
    ("get", "/v1/jobs", &["limit", "before"]),
    ("get", "/v1/jobs/{id}", &["after", "limit"]),
    ("get", "/v1/jobs/{id}/events", &["after", "Last-Event-ID"]),
    ("get", "/v1/nodes/{name}", &["fields"]),
    ("get", "/v1/nodes/info", &["fields", "nodes"]),
    ("put", "/v1/nodes/power", &["target"]),
    (
        "put",
        "/v1/nodes/boot_device",
        &["target", "persistent", "uefi"],
    ),
    (
        "put",
        "/v1/nodes/provision",
        &["target", "osimage", "subnet"],
    ),
    ("put", "/v1/nodes/provision/callback", &["name"]),
    ("get", "/v1/nics/address", &["mac"]),
    ("get", "/v1/nics/node", &["node_name"]),
    ("get", "/v1/osimages/get_by_id", &["id"]),
    ("get", "/v1/services/hostname", &["name"]),
];

#[tokio::test]
async fn the_description_is_the_contract() {
    let world = World::without_conductor(1).await;
    let spec = world
        .expect(200, "GET", "/v1/openapi.json", Value::Null)
        .await;
    assert_eq!(spec["openapi"], "3.1.0");
    let paths = spec["paths"].as_object().unwrap();
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let contract: BTreeSet<(String, String)> = CONTRACT
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(described, contract);
    for (method, path, statuses) in CONTRACT {
        let responses = &paths[*path][*method]["responses"];
        for status in *statuses {
            let response = &responses[status.to_string()];
            assert!(
                response.is_object(),
                "{method} {path}: {status} in {responses}"
            );
        }
        let successes = responses.as_object().unwrap().keys();
        let named = statuses.iter().filter(|status| **status < 300).count();
        assert_eq!(
            successes.filter(|key| key.starts_with('2')).count(),
            named,
            "{method} {path}"
        );
        for status in ["400", "4XX", "5XX"] {
            assert!(
                responses[status].is_object(),
                "{method} {path} has no {status}"
            );
        }
    }
    for (method, path, names) in PARAMETERS {
        let parameters = paths[*path][*method]["parameters"].as_array().unwrap();
        let known: Vec<&str> = parameters
            .iter()
            .filter_map(|p| p["name"].as_str())
            .collect();
        assert!(
            names.iter().all(|name| known.contains(name)),
            "{method} {path}: {known:?}"
        );
    }
}

#[tokio::test]
async fn every_reference_of_the_description_leads_somewhere() {
    let spec = serde_json::to_value(xcat3_api::router::openapi()).unwrap();
    let mut references = Vec::new();
    collect(&spec, &mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(spec.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str);
            references.extend(reference.map(str::to_owned));
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn every_path_is_served_with_and_without_the_prefix() {
    let world = World::without_conductor(1).await;
    for (method, path, _) in CONTRACT {
        let with = path
            .replace("{name}", "x")
            .replace("{uuid}", "x")
            .replace("{key}", "x")
            .replace("{id}", "x");
        let without = with
            .strip_prefix("/v1")
            .filter(|path| !path.is_empty())
            .unwrap_or("/");
        if path.contains("openapi") {
            continue;
        }
        let method = method.to_uppercase();
        let answers = [
            world.ask(&method, &with, Value::Null).await,
            world.ask(&method, without, Value::Null).await,
        ];
        for answer in &answers {
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(
                !answer.text.contains("there is nothing at"),
                "{method} {path}"
            );
            assert!(answer.header("xcat3-request-id").starts_with("req-"));
        }
        if with != "/v1" {
            assert_eq!(answers[0].text, answers[1].text, "{method} {path}");
        }
    }
}
