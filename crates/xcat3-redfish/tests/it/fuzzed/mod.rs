//! The bodies of the fuzz targets of Redfish, and tests that replay their corpora:
//! `fuzz/corpus/TARGET.hex` has one input a line, in hexadecimal digits.

mod bmc;
pub mod damage;
pub mod documents;
mod json;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn corpus_redfish_json_is_replayed() {
    replay("redfish_json", json::run);
}

#[test]
fn corpus_redfish_bmc_is_replayed() {
    replay("redfish_bmc", bmc::run);
}

fn replay(target: &str, run: fn(&[u8])) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(workspace.join(format!("fuzz/corpus/{target}.hex")));
    let inputs: Vec<Vec<u8>> = text
        .unwrap()
        .lines()
        .map(|line| hex::decode(line).unwrap())
        .collect();
    assert!(!inputs.is_empty());
    for input in &inputs {
        run(input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn operations_damaged_bmc_end_in_reports_and_errors(
        script in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        bmc::run(&script);
    }
}
