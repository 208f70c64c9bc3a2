//! The bodies of the fuzz targets of Redfish, and tests that play what fuzzing has found worth
//! keeping: `fuzz/corpus/TARGET.hex` has one input a line, in hexadecimal digits.

mod bmc;
pub mod documents;
mod json;
pub mod spoil;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn bodies() {
    play("redfish_json", json::run);
}

#[test]
fn bmcs() {
    play("redfish_bmc", bmc::run);
}

fn play(target: &str, run: fn(&[u8])) {
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
    fn a_bmc_that_is_spoilt_anywhere_ends_in_reports_and_sentences(
        script in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        bmc::run(&script);
    }
}
