//! Hostile and broken BMCs, end to end: each costs its own node a clear sentence, and the healthy ones
//! beside it in the same request nothing.

mod ipmi;
mod redfish;

use serde_json::Value;

use crate::site::Outcomes;

/// How many healthy machines stand beside the others, named `fine0` and so on.
const ALL_FINE: usize = 20;
/// More memory than `xcat3d` takes for any of this, in KiB: a hundred megabytes are not kept anywhere.
const PEAK_KIB: u64 = 250 << 10;

/// A range of all nodes.
fn names(nodes: &[Value]) -> String {
    let names = nodes.iter().filter_map(|node| node["name"].as_str());
    names.collect::<Vec<_>>().join(",")
}

/// All healthy machines did what they were asked for.
fn assert_fine(outcomes: &Outcomes, result: &str) {
    for number in 0..ALL_FINE {
        let outcome = &outcomes[&format!("fine{number}")];
        assert_eq!(outcome.outcome, "ok", "fine{number}: {outcome:?}");
        assert_eq!(outcome.result, result, "fine{number}");
    }
}
