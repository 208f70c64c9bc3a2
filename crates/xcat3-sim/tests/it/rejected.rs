//! Credentials that BMCs reject, end to end: accounts that lock out after three wrong passwords are not
//! locked by requests that come again and again, nor by daemons that are started anew.

use serde_json::{Value, json};

use crate::site::Site;

/// The same BMCs by Redfish and by IPMI, whose accounts lock out.
fn nodes(site: &mut Site) -> Vec<Value> {
    const LOCKOUT: [&str; 4] = ["--redfish-lockout", "3", "--redfish-lockout-time", "3600"];
    let redfish = ["--mgt", "redfish", "--redfish-port", "0", "--redfish-plain"];
    let mut nodes = site.simulate("red", "127.85.1.1", 2, &[&redfish[..], &LOCKOUT].concat());
    let ipmi = ["--mgt", "ipmi", "--ipmi-port", "0"];
    nodes.extend(site.simulate("ipm", "127.85.2.1", 2, &ipmi));
    for node in &mut nodes {
        node["control_info"]["bmc_password"] = json!("wrong");
    }
    nodes
}

#[test]
#[ignore = "real: programs"]
fn rejected_credentials_are_tried_once_until_an_operator_says_otherwise() {
    let mut site = Site::start("");
    let nodes = nodes(&mut site);
    site.enrol(&nodes);
    let all = "red0,red1,ipm0,ipm1";
    let status = ["power", all, "status"];
    for (node, outcome) in site.outcomes(&status) {
        let is_first = !outcome.result.contains("rejected these credentials");
        assert!(
            outcome.outcome == "failed" && is_first,
            "{node}: {outcome:?}"
        );
    }
    for _ in 0..3 {
        for _ in 0..2 {
            for (node, outcome) in site.outcomes(&status) {
                let said = "it rejected these credentials";
                assert!(outcome.result.contains(said), "{node}: {outcome:?}");
            }
        }
        site.restart();
    }
    // What was right is written for one of each kind; that what is written is right, for the other.
    let (given, same) = ("red0,ipm0", "red1,ipm1");
    let right = ["update", given, "--control", "bmc_password=password"];
    assert!(site.cli(&right).status.success());
    let again = ["update", same, "--control", "bmc_password=wrong"];
    assert!(site.cli(&again).status.success());
    for (node, outcome) in site.outcomes(&status) {
        let was_tried = !outcome.result.contains("rejected these credentials");
        assert!(was_tried, "{node}: {outcome:?}");
        let is_right = given.contains(&node);
        assert_eq!(outcome.outcome == "ok", is_right, "{node}: {outcome:?}");
    }
}
