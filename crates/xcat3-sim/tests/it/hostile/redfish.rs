//! By Redfish: connections that break in each way, answers that never end, lie or are not for us,
//! certificates that change, users that may not.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{ALL_FINE, PEAK_KIB, assert_fine, names};
use crate::site::{Outcomes, Site};

/// How many machines have the same fault.
const EACH: usize = 3;
/// What is wrong with the machines of a simulator, and what power status says of them.
const FAULTS: [(&str, &str); 17] = [
    ("content-type=100%", "off"),
    ("slow=100%:300ms", "off"),
    ("loop=100%", "off"),
    ("read-only=100%", "off"),
    ("forget=100%", "off"),
    ("black-hole=100%", "no connection within 3 s"),
    // Before or after the first bytes of TLS.
    ("refuse=100%", " connection: "),
    ("reset=100%", "the connection broke before the response to "),
    (
        "truncated=100%",
        "the connection broke before the response to ",
    ),
    ("drip=100%:1s", "no response to GET /redfish/v1"),
    ("error=100%", "was refused with 500"),
    ("busy=100%", "the BMC is busy (GET /redfish/v1"),
    ("html=100%", "is not JSON"),
    ("huge-headers=100%", "message head is too large"),
    ("huge=100%:100000000", "is longer than 8 MiB"),
    (
        "wrong-password=100%",
        "the BMC rejects the user or the password",
    ),
    // Its machines are enrolled with trust on first use: what they show first is taken.
    ("certificate=100%", "off"),
];
/// All requests get an answer in this time or none, in seconds.
const LIMITS: &str = "[conductor]\noperation_deadline_s = 20\n\
                      [control.redfish]\nanswer_deadline_s = 3\nconnect_deadline_s = 3\n";

fn name(fault: &str) -> &str {
    fault.split('=').next().unwrap_or_default()
}

/// The site, its nodes and where none of the simulators is, to which some redirect.
struct Plant {
    site: Site,
    nodes: Vec<Value>,
    elsewhere: TcpListener,
}

impl Plant {
    /// Healthy machines, one whose certificate is not the pinned one, one that is asked by a user that it
    /// does not know, and some with each fault.
    fn grow() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authorities = directory.path().join("authorities.pem");
        let ca_file = Value::from(authorities.display().to_string());
        let mut site = Site::start_in(directory, &format!("{LIMITS}ca_file = {ca_file}\n"));
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let redirect = format!("redirect=100%:https://{}", elsewhere.local_addr().unwrap());

        let mut trusted = String::new();
        let mut simulate = |prefix: &str, count, more: &[&str]| {
            let number = trusted.matches("BEGIN").count();
            let authority = site.directory().join(format!("{prefix}.pem"));
            let file = authority.display().to_string();
            let always = ["--mgt", "redfish", "--redfish-port", "0", "--redfish-ca"];
            let arguments = [&always[..], &[&file], more].concat();
            let nodes = site.simulate(prefix, &format!("127.81.{number}.1"), count, &arguments);
            trusted += &fs::read_to_string(authority).unwrap();
            nodes
        };
        let mut nodes = simulate("fine", ALL_FINE + 2, &[]);
        let [.., pinned, stranger] = &mut nodes[..] else {
            panic!("too few machines");
        };
        pinned["name"] = json!("pinned");
        pinned["control_info"]["bmc_tls"] = json!(format!("pin:{}", "ab".repeat(32)));
        stranger["name"] = json!("stranger");
        stranger["control_info"]["bmc_username"] = json!("nobody");
        for (fault, _) in FAULTS {
            let more = ["--redfish-faults", fault, "--redfish-close"];
            // A certificate is seen to have changed by who connects again.
            let changes = fault.starts_with("certificate");
            let mut some = simulate(name(fault), EACH, &more[..if changes { 3 } else { 2 }]);
            if changes {
                for node in &mut some {
                    node["control_info"]["bmc_tls"] = json!("first-use");
                }
            }
            nodes.extend(some);
        }
        nodes.extend(simulate("redirect", EACH, &["--redfish-faults", &redirect]));
        fs::write(&authorities, trusted).unwrap();
        site.enrol(&nodes);
        Self {
            site,
            nodes,
            elsewhere,
        }
    }

    /// Nobody followed to where some redirect, and nothing huge was kept.
    fn assert_unharmed(&self) {
        let followed = self.elsewhere.accept();
        assert!(followed.is_err(), "{followed:?}");
        let peak = self.site.peak_kib();
        assert!(peak < PEAK_KIB, "{peak} KiB");
    }
}

/// The outcomes of the machines with this fault.
fn of<'o>(outcomes: &'o Outcomes, fault: &str) -> impl Iterator<Item = &'o str> {
    let prefix = name(fault);
    let nodes = (0..EACH).map(move |number| format!("{prefix}{number}"));
    nodes.map(|node| outcomes[&node].result.as_str())
}

/// All that were given up say why, without an address of a library's documentation.
fn assert_said(outcomes: &Outcomes, fault: &str, expected: &str) {
    for said in of(outcomes, fault) {
        assert!(said.contains(expected), "{fault}: {said}");
        assert!(!said.contains("docs.rs"), "{fault}: {said}");
        assert!(said == "off" || said.starts_with("BMC 127.81."), "{said}");
    }
}

#[test]
#[ignore = "real: programs"]
fn each_costs_its_own_node_a_sentence() {
    let plant = Plant::grow();
    let site = &plant.site;
    let all = names(&plant.nodes);
    let status = site.outcomes(&["power", &all, "status"]);
    assert_eq!(status.len(), plant.nodes.len());
    assert_fine(&status, "off");
    for (fault, expected) in FAULTS {
        assert_said(&status, fault, expected);
    }
    assert_said(
        &status,
        "redirect",
        "the BMC redirects to another host, 127.0.0.1:",
    );
    let said = |node: &str| status[node].result.as_str();
    assert!(said("pinned").contains("is not the one pinned"));
    assert!(said("stranger").contains("the BMC rejects the user or the password"));
    plant.assert_unharmed();

    // What was rejected is not tried again, a certificate that changed is not trusted.
    let on = site.outcomes(&["power", &all, "on"]);
    assert_fine(&on, "ok");
    assert_said(&on, "wrong-password", "it rejected these credentials");
    assert!(
        on["stranger"]
            .result
            .contains("it rejected these credentials")
    );
    assert_said(
        &on,
        "certificate",
        "the BMC's certificate has changed from ",
    );
    assert_said(&on, "read-only", "was refused with 403");
    let mended = site.cli(&["update", "stranger", "--control", "bmc_username=admin"]);
    assert!(mended.status.success());
    let mended = site.outcomes(&["power", "stranger", "status"]);
    assert_eq!(mended["stranger"].result, "off");
    plant.assert_unharmed();
}

#[test]
#[ignore = "real: programs"]
fn what_goes_round_in_a_circle_is_a_note_beside_what_could_be_read() {
    let plant = Plant::grow();
    let all = names(&plant.nodes);
    for what in ["inventory", "eventlog"] {
        let outcomes = plant.site.outcomes(&[what, &all]);
        assert_fine(&outcomes, "ok");
        for number in 0..EACH {
            let outcome = &outcomes[&format!("loop{number}")];
            assert_eq!(outcome.outcome, "ok", "{what}: {outcome:?}");
            let notes = outcome.report["notes"].to_string();
            assert!(notes.contains("its pages form a loop"), "{what}: {notes}");
        }
        plant.assert_unharmed();
    }
}
