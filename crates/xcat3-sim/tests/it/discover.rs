//! BMCs are looked for, end to end: what is found, what is enrolled, and that it works then.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use crate::site::{Outcomes, Site};

/// How many machines there are at the addresses where is looked.
const MACHINES: usize = 24;

fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// A site that knows the login of most BMCs.
fn site(config: &str) -> Site {
    let site = Site::start_in(tempfile::tempdir().unwrap(), config);
    let login = [
        "passwd-create",
        "bmc",
        "username=admin",
        "password=password",
    ];
    let made = site.cli(&login);
    assert!(made.status.success(), "{}", text(&made));
    site
}

/// Those that answered.
fn found(outcomes: &Outcomes) -> Vec<&Value> {
    let reports = outcomes.values().map(|outcome| &outcome.report);
    reports.filter(|report| report.is_object()).collect()
}

fn port(nodes: &[Value]) -> String {
    nodes[0]["control_info"]["bmc_port"]
        .to_string()
        .replace('"', "")
}

#[test]
#[ignore = "real: programs"]
fn by_ipmi_machines_are_found_enrolled_once_and_driven() {
    let mut site = site("");
    let ipmi = ["--mgt", "ipmi", "--ipmi-port", "0"];
    // Of twenty-four machines some are dead and some have another password.
    let faults = ["--faults", "black-hole=10%,wrong-password=10%"];
    let arguments = [&ipmi[..], &faults].concat();
    let nodes = site.simulate("sim", "127.83.0.1", MACHINES, &arguments);
    let port = port(&nodes);
    let look = [
        "discover",
        "127.83.0.0/26",
        "--mgt",
        "ipmi",
        "--port",
        &port,
    ];
    let outcomes = site.outcomes(&look);
    let all = found(&outcomes);
    let is_known = |report: &&Value| report["serial"].is_string();
    let (known, strange): (Vec<&Value>, Vec<&Value>) = all.iter().copied().partition(is_known);
    assert!(
        !strange.is_empty() && all.len() < MACHINES,
        "the faults draw some of each"
    );
    for report in &known {
        assert_eq!(report["protocol"], "IPMI 2.0", "{report}");
        assert_eq!(report["manufacturer"], "Simulated Systems", "{report}");
        assert_eq!(report["model"], "S1000", "{report}");
        let serial = report["serial"].as_str().unwrap();
        assert!(serial.starts_with("SIM00000"), "{report}");
        let mac = report["bmc"]["mac"].as_str().unwrap();
        assert!(mac.starts_with("02:ff:00"), "{report}");
    }
    for report in &strange {
        let notes = report["notes"].to_string();
        assert!(notes.contains("wrong password"), "{report}");
    }
    assert_eq!(all.len(), outcomes.len(), "who is silent is no line");

    let create = [&look[..], &["--create", "n%02d"]].concat();
    let made = site.cli(&create);
    assert!(made.status.success(), "{}", text(&made));
    let names = format!("n[01-{:02}]", all.len());
    let status = site.outcomes(&["power", &names, "status"]);
    let off = status.values().filter(|one| one.result == "off").count();
    assert_eq!((status.len(), off), (all.len(), known.len()), "{status:?}");

    // Another look finds the same and enrols nobody.
    let again = site.cli(&create);
    let said = text(&again);
    assert!(again.status.success(), "{said}");
    let expected = format!("{} of these BMCs belong to nodes already", all.len());
    assert!(said.contains(&expected), "{said}");
    let listed = site.curl("GET", "/v1/nodes", &[]);
    assert_eq!(listed.matches("\"n").count() - 1, all.len(), "{listed}");
}

#[test]
#[ignore = "real: programs"]
fn by_redfish_who_is_trusted_is_the_operators_choice_and_nodes_keep_to_it() {
    let mut site = site("[control.redfish]\nprobe_rate = 50\n");
    let redfish = [
        "--mgt",
        "redfish",
        "--redfish-port",
        "0",
        "--redfish-self-signed",
        "--redfish-close",
    ];
    let nodes = site.simulate("sim", "127.84.0.1", 4, &redfish);
    let port = port(&nodes);
    let look = [
        "discover",
        "127.84.0.[1-4]",
        "--mgt",
        "redfish",
        "--port",
        &port,
    ];
    // No password goes to who shows a certificate of its own making.
    let outcomes = site.outcomes(&look);
    let all = found(&outcomes);
    assert_eq!(all.len(), 4, "{outcomes:?}");
    for report in all {
        let notes = report["notes"].to_string();
        assert!(
            notes.contains("look for it with --tls first-use"),
            "{report}"
        );
        assert!(report["serial"].is_null(), "{report}");
    }
    let trusting = [&look[..], &["--tls", "first-use"]].concat();
    let outcomes = site.outcomes(&trusting);
    let certificates: BTreeSet<String> = found(&outcomes)
        .iter()
        .map(|report| report["certificate"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(certificates.len(), 4, "each has its own");
    for report in found(&outcomes) {
        assert_eq!(report["model"], "S1000", "{report}");
        let macs = report["macs"].as_array().unwrap();
        assert_eq!(macs.len(), 2, "{report}");
    }
    let made = site.cli(&[&trusting[..], &["--create", "r[1-4]"]].concat());
    assert!(made.status.success(), "{}", text(&made));
    let shown = site.cli(&["show", "r1", "--json"]);
    let shown = text(&shown);
    let pins: Vec<&String> = certificates
        .iter()
        .filter(|pin| shown.contains(*pin))
        .collect();
    assert_eq!(pins.len(), 1, "{shown}");
    let status = site.outcomes(&["power", "r[1-4]", "status"]);
    assert!(status.values().all(|one| one.result == "off"), "{status:?}");

    // Another certificate is not the one that was found.
    let change = "/redfish/v1/Managers/1/Actions/Oem/Simulator.ChangeCertificate";
    let url = format!("https://127.84.0.2:{port}{change}");
    let curl = [
        "-sfk",
        "-u",
        "admin:password",
        "-X",
        "POST",
        "-d",
        "{}",
        "-H",
    ];
    let changed = std::process::Command::new("curl")
        .args(curl)
        .args(["Content-Type: application/json", &url])
        .status();
    assert!(changed.unwrap().success());
    let status = site.outcomes(&["power", "r[1-4]", "status"]);
    assert!(
        status["r2"].result.contains("is not the one pinned"),
        "{status:?}"
    );
    assert_eq!(status["r1"].result, "off");
}

#[test]
#[ignore = "real: programs"]
fn what_is_wrong_with_a_search_is_said_before_anyone_is_asked() {
    let site = site("");
    for (words, says) in [
        (&["discover", "10.0.0.0/8", "--mgt", "ipmi"][..], "65536"),
        (&["discover", "10.0.0.300", "--mgt", "ipmi"], "10.0.0.300"),
        (&["discover", "127.0.0.1", "--mgt", "kvm"], "ipmi"),
        (
            &[
                "discover",
                "127.0.0.1",
                "--mgt",
                "ipmi",
                "--tls",
                "insecure",
            ],
            "--mgt redfish",
        ),
        (
            &["discover", "127.0.0.1", "--mgt", "ipmi", "arch=x86_64"],
            "--create",
        ),
    ] {
        let told = site.cli(words);
        assert!(!told.status.success(), "{words:?}");
        assert!(text(&told).contains(says), "{words:?}: {}", text(&told));
    }
    for (query, says) in [
        (
            "mgt=ipmi&addresses=127.0.0.1&tls=insecure",
            "'tls' is for mgt=redfish",
        ),
        (
            "mgt=redfish&addresses=127.0.0.1&tls=maybe",
            "tls 'maybe' is not known",
        ),
        (
            "mgt=kvm&addresses=127.0.0.1",
            "BMCs are not looked for by 'kvm'",
        ),
    ] {
        let answer = site.curl("GET", &format!("/v1/discover?{query}"), &[]);
        assert!(answer.contains(says), "{query}: {answer}");
    }
    // Nobody is there, which is no failure.
    let outcomes = site.outcomes(&["discover", "127.85.0.[1-20]", "--mgt", "redfish"]);
    assert!(outcomes.is_empty(), "{outcomes:?}");
}
