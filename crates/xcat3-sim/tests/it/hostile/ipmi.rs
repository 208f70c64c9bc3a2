//! By IPMI: logins that are refused in each way, answers that are lost, doubled, overtaken, for somebody
//! else or lies.

use std::process::Command;

use serde_json::{Value, json};

use super::{ALL_FINE, PEAK_KIB, assert_fine, names};
use crate::site::{Outcomes, Site};

/// The arguments of each simulator.
const IPMI: [&str; 4] = ["--mgt", "ipmi", "--ipmi-port", "0"];

/// What is wrong with the machines of a simulator, and what power status says of them.
const FAULTS: [(&str, &str); 11] = [
    ("duplicate=100%/50%", "off"),
    ("reorder=100%/50%:50ms", "off"),
    ("drop=100%/20%", "off"),
    ("lying-fru=100%", "off"),
    ("lying-sdr=100%", "off"),
    ("black-hole=100%", "does not answer"),
    ("wrong-password=100%", "wrong password"),
    (
        "no-privilege=100%:none",
        "the user may not have the privilege level",
    ),
    ("slots-full=100%", "all session slots are taken"),
    (
        "cipher=100%",
        "it offers none of the cipher suites 17 and 3",
    ),
    ("other-session=100%", "answers, but for other sessions"),
];

fn name(fault: &str) -> &str {
    fault.split('=').next().unwrap_or_default()
}

/// Healthy machines, one that is asked by a user that it does not know, and some with each fault.
fn plant() -> (Site, Vec<Value>) {
    let mut site = Site::start("[conductor]\noperation_deadline_s = 20\n");
    let mut nodes = site.simulate("fine", "127.80.0.1", ALL_FINE + 1, &IPMI);
    let stranger = nodes.last_mut().unwrap();
    stranger["name"] = json!("stranger");
    stranger["control_info"]["bmc_username"] = json!("nobody");
    for (number, (fault, _)) in FAULTS.iter().enumerate() {
        let base = format!("127.80.{}.1", number + 1);
        let arguments = [&IPMI[..], &["--faults", fault]].concat();
        nodes.extend(site.simulate(name(fault), &base, 4, &arguments));
    }
    site.enrol(&nodes);
    (site, nodes)
}

/// The outcomes of the four machines with this fault.
fn of<'o>(outcomes: &'o Outcomes, fault: &str) -> impl Iterator<Item = &'o str> {
    let prefix = name(fault);
    let nodes = (0..4).map(move |number| format!("{prefix}{number}"));
    nodes.map(|node| outcomes[&node].result.as_str())
}

#[test]
#[ignore = "real: programs"]
fn each_costs_its_own_node_a_sentence() {
    let (site, nodes) = plant();
    let all = names(&nodes);
    let status = site.outcomes(&["power", &all, "status"]);
    assert_eq!(status.len(), nodes.len());
    assert_fine(&status, "off");
    for (fault, expected) in FAULTS {
        for said in of(&status, fault) {
            let is_sentence = said.starts_with("BMC 127.80.");
            assert!(said.ends_with(expected) || is_sentence, "{fault}: {said}");
            assert!(said.contains(expected), "{fault}: {said}");
        }
    }
    assert!(status["stranger"].result.contains("no such user"));

    // What was rejected is not tried again, and said again.
    let again = site.outcomes(&["power", &all, "status"]);
    assert_fine(&again, "off");
    for said in of(&again, "wrong-password").chain([again["stranger"].result.as_str()]) {
        assert!(said.contains("it rejected these credentials"), "{said}");
    }
    let mended = site.cli(&["update", "stranger", "--control", "bmc_username=admin"]);
    assert!(mended.status.success());
    assert_eq!(
        site.outcomes(&["power", "stranger", "status"])["stranger"].result,
        "off"
    );

    assert!(site.peak_kib() < PEAK_KIB, "{} KiB", site.peak_kib());
    let on = site.outcomes(&["power", &all, "on"]);
    assert_fine(&on, "ok");
    for fault in ["duplicate", "reorder", "drop"] {
        assert!(of(&on, fault).all(|said| said == "ok"), "{fault}: {on:?}");
    }
    assert_eq!(ipmitool(&nodes[0]), "Chassis Power is on");
}

#[test]
#[ignore = "real: programs"]
fn lies_in_records_are_notes_beside_what_could_be_read() {
    let (site, nodes) = plant();
    let all = names(&nodes);
    let inventory = site.outcomes(&["inventory", &all]);
    assert_fine(&inventory, "ok");
    let notes = |outcomes: &Outcomes, node: &str| outcomes[node].report["notes"].to_string();
    for (node, note) in [
        (
            "lying-fru1",
            "the chassis area has length 2040, but 136 bytes follow",
        ),
        ("lying-fru2", "the chassis area has a wrong checksum"),
        ("lying-fru3", "the count is 255 bytes, but 8 follow"),
    ] {
        assert!(notes(&inventory, node).contains(note), "{inventory:?}");
        assert_eq!(inventory[node].outcome, "ok");
    }
    let sensors = site.outcomes(&["sensors", &all]);
    assert_fine(&sensors, "ok");
    assert!(notes(&sensors, "lying-sdr0").contains("length is 255 bytes, but"));
    assert!(notes(&sensors, "lying-sdr1").contains("0 bytes are too few"));
    let said = &sensors["lying-sdr3"].result;
    assert!(said.contains("the list of SDRs is circular"), "{said}");
    let log = site.outcomes(&["eventlog", &all]);
    assert_fine(&log, "ok");
    assert!(site.peak_kib() < PEAK_KIB, "{} KiB", site.peak_kib());
}

/// What `ipmitool` says of the machine's power.
fn ipmitool(node: &Value) -> String {
    let info = &node["control_info"];
    let of = |key: &str| info[key].to_string().trim_matches('"').to_owned();
    let output = Command::new("ipmitool")
        .args(["-I", "lanplus", "-C", "17", "-H", &of("bmc_address")])
        .args(["-p", &of("bmc_port"), "-U", &of("bmc_username")])
        .args(["-P", &of("bmc_password"), "chassis", "power", "status"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
