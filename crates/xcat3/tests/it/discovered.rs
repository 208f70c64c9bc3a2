//! Machines that boot without being known: listed, enrolled, forgotten.

use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::{stderr, stdout, xcat3};

fn machine(mac: &str, network: &str) -> Value {
    json!({"mac": mac, "network": network, "ip": null, "vendor_class": "PXE\u{1b}[2J", "architecture": 7,
        "firmware": "UEFI x86_64", "arch": "x86_64", "uuid": null, "first_ms": 0, "last_ms": 0})
}

/// An API that discovered three machines and has the node `n2`.
fn api() -> Fake {
    let found = json!({"discovered": [machine("52:54:00:00:00:01", "a"), machine("52:54:00:00:00:02", "b"),
        machine("52:54:00:00:00:03", "a")]});
    Fake::start(
        move |asked, _| match asked.line.split([' ', '?']).collect::<Vec<_>>()[..2] {
            ["GET", "/v1/discovered"] => Answer::json(200, &found),
            ["GET", "/v1/nodes"] => Answer::json(200, &json!({"nodes": ["n2"]})),
            ["DELETE", _] => Answer::json(202, &json!({"forgotten": 2})),
            _ => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                let nodes = body["nodes"].as_array().unwrap();
                let ok = |node: &Value| (node["name"].as_str().unwrap().to_owned(), json!("ok"));
                Answer::json(
                    201,
                    &json!({"nodes": Value::Object(nodes.iter().map(ok).collect())}),
                )
            }
        },
    )
}

#[test]
fn they_are_a_table_without_what_a_terminal_would_act_on() {
    let api = api();
    let output = xcat3(&api.url, &["discovered", "--network", "a"]);
    let text = stdout(&output);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(
        lines[1][..5],
        ["52:54:00:00:00:01", "a", "-", "UEFI", "x86_64"]
    );
    assert_eq!(lines[1].last(), Some(&r"PXE\u001b[2J"));
    let json = xcat3(&api.url, &["--json", "discovered", "--mac", "525400000002"]);
    let told: Value = serde_json::from_str(&stdout(&json)).unwrap();
    assert_eq!(
        told,
        json!({"discovered": [machine("52:54:00:00:00:02", "b")]})
    );
    let missing = xcat3(&api.url, &["discovered", "--mac", "52:54:00:00:00:09"]);
    assert!(stderr(&missing).contains("52:54:00:00:00:09 was discovered"));
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn they_are_enrolled_by_the_names_that_are_free() {
    let api = api();
    let arguments = [
        "discovered",
        "--create",
        "n[1-9]",
        "--ip",
        "10.0.0.254",
        "mgt=ipmi",
        "arch=aarch64",
    ];
    let output = xcat3(&api.url, &arguments);
    assert_eq!(
        stdout(&output),
        "n1: ok\nn3: ok\nn4: ok\n\nSuccess: 3  Total: 3\n"
    );
    let asked = api.asked();
    let body: Value = serde_json::from_str(&asked[2].body).unwrap();
    let node = |name: &str, mac: &str, ip: &str| {
        json!({"name": name, "netboot": "pxe", "arch": "aarch64", "mgt": "ipmi",
            "nics_info": {"nics": [{"mac": mac, "primary": true, "ip": ip}]}})
    };
    let expected = json!({"nodes": [node("n1", "52:54:00:00:00:01", "10.0.0.254"),
        node("n3", "52:54:00:00:00:02", "10.0.0.255"), node("n4", "52:54:00:00:00:03", "10.0.1.0")]});
    assert_eq!((asked[2].line.as_str(), body), ("POST /v1/nodes", expected));
    let few = xcat3(&api.url, &["discovered", "--create", "n[1-3]"]);
    assert!(stderr(&few).contains("has 2 names that no node has, and 3 machines"));
    let alone = xcat3(&api.url, &["discovered", "mgt=ipmi"]);
    assert!(
        stderr(&alone).contains("add --create"),
        "{}",
        stderr(&alone)
    );
    assert_eq!(
        api.asked()
            .iter()
            .filter(|asked| asked.line.starts_with("POST"))
            .count(),
        1
    );
}

#[test]
fn only_those_that_are_named_are_forgotten() {
    let api = api();
    let output = xcat3(&api.url, &["discovered", "--forget", "--network", "a"]);
    assert_eq!(stdout(&output), "2 machines are forgotten\n");
    let asked =
        "DELETE /v1/discovered?mac=52%3A54%3A00%3A00%3A00%3A01%2C52%3A54%3A00%3A00%3A00%3A03";
    assert_eq!(api.asked()[1].line, asked);
}
