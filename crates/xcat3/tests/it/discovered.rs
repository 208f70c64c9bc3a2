//! Machines that boot without being known: listed, enrolled, forgotten.

use serde_json::{Value, json};

use crate::fake::{Answer, Fake, Step, end};
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

fn found(address: &str, uuid: &str) -> Value {
    json!({"address": address, "protocol": "IPMI 2.0", "manufacturer": "ACME\u{1b}c", "model": "R1",
        "serial": "S1", "uuid": uuid, "bmc": {"manufacturer": "Supermicro", "firmware": "3.88"}})
}

/// An API where a search of three addresses finds two BMCs, of which `n1` has the first.
fn searched() -> Fake {
    let mut machine = machine("52:54:00:00:00:07", "a");
    machine["uuid"] = json!("u2");
    Fake::start(
        move |asked, _| match asked.line.split([' ', '?']).collect::<Vec<_>>()[..2] {
            ["GET", "/v1/discover"] => {
                let line = |sequence: usize, node: &str, report: Option<Value>| {
                    let word = if report.is_some() { "ok" } else { "silent" };
                    let mut line = json!({"sequence": sequence, "node": node, "outcome": "ok", "result": word});
                    if let Some(report) = report {
                        line["report"] = report;
                    }
                    Step::Say(format!("{line}\n"))
                };
                Answer::lines(vec![
                    line(1, "10-0-0-3", Some(found("10.0.0.3", "u2"))),
                    line(2, "10-0-0-2", None),
                    line(3, "10-0-0-1", Some(found("10.0.0.1", "u1"))),
                    end("done", 3, 0, 0),
                ])
            }
            ["GET", "/v1/discovered"] => Answer::json(200, &json!({"discovered": [machine]})),
            ["GET", "/v1/nodes"] => Answer::json(200, &json!({"nodes": ["n1"]})),
            ["GET", "/v1/nodes/info"] => {
                let n1 = json!({"name": "n1", "control_info": {"bmc_address": "10.0.0.1"}});
                Answer::json(200, &json!({"nodes": [n1]}))
            }
            _ => Answer::json(201, &json!({"nodes": {"n2": "ok"}})),
        },
    )
}

#[test]
fn bmcs_that_answer_are_listed_and_the_silent_are_counted() {
    let api = searched();
    let output = xcat3(&api.url, &["discover", "10.0.0.1-3", "--mgt", "ipmi"]);
    assert_eq!(
        stdout(&output),
        "ADDRESS   SPEAKS    MODEL              SERIAL  BMC              BMC MAC  UUID  MACS\n\
         10.0.0.1  IPMI 2.0  ACME\\u001bc R1     S1      Supermicro 3.88  -        u1    -\n\
         10.0.0.3  IPMI 2.0  ACME\\u001bc R1     S1      Supermicro 3.88  -        u2    -\n\
         \nFound: 2  Silent: 1  Total: 3\n"
            .replace("MODEL              ", "MODEL           ")
            .replace("R1     ", "R1  ")
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        api.asked()[0].line,
        "GET /v1/discover?mgt=ipmi&addresses=10.0.0.1-3"
    );
    assert_eq!(api.asked()[0].body, "");
    let json = xcat3(
        &api.url,
        &["--json", "discover", "10.0.0.1-3", "--mgt", "ipmi"],
    );
    let lines: Vec<Value> = stdout(&json)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0]["report"]["address"], "10.0.0.3");
    for (arguments, why) in [
        (
            &["discover", "10.0.0", "--mgt", "ipmi"][..],
            "'10.0.0' is no address",
        ),
        (
            &["discover", "10.0.0.1", "--mgt", "ipmi", "arch=x86_64"],
            "add --create",
        ),
        (
            &[
                "discover", "10.0.0.1", "--mgt", "ipmi", "--create", "n1", "--async",
            ],
            "does not wait",
        ),
    ] {
        let wrong = xcat3(&api.url, arguments);
        assert!(stderr(&wrong).contains(why), "{}", stderr(&wrong));
    }
    assert_eq!(api.asked().len(), 2);
}

#[test]
fn machines_of_new_bmcs_are_enrolled_with_the_nic_that_booted() {
    let api = searched();
    let arguments = [
        "discover",
        "10.0.0.1-3",
        "--mgt",
        "ipmi",
        "--port",
        "6230",
        "--create",
        "n[1-9]",
        "type=compute",
    ];
    let output = xcat3(&api.url, &arguments);
    assert!(
        stdout(&output).ends_with("n2: ok\n\nSuccess: 1  Total: 1\n"),
        "{}",
        stdout(&output)
    );
    assert!(stderr(&output).contains("1 of these BMCs belong to nodes already"));
    let asked = api.asked();
    let last = asked.last().unwrap();
    let body: Value = serde_json::from_str(&last.body).unwrap();
    let node = json!({"name": "n2", "mgt": "ipmi", "type": "compute", "netboot": "pxe", "arch": "x86_64",
        "control_info": {"bmc_address": "10.0.0.3", "bmc_port": "6230"},
        "nics_info": {"nics": [{"mac": "52:54:00:00:00:07", "primary": true}]}});
    assert_eq!(
        (last.line.as_str(), body),
        ("POST /v1/nodes", json!({"nodes": [node]}))
    );
}
