//! The bodies of the fuzz targets of IPMI, and a test that plays what fuzzing has found worth keeping:
//! `fuzz/corpus/TARGET.hex` has one input a line, in hexadecimal digits.

mod bmc;
mod console;
mod packet;
mod script;

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = workspace.join(format!("fuzz/corpus/{target}.hex"));
    let text = std::fs::read_to_string(&corpus).unwrap();
    let inputs: Vec<Vec<u8>> = text
        .lines()
        .map(|line| hex::decode(line).unwrap())
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", corpus.display());
    inputs.iter().for_each(|input| run(input));
}

#[test]
fn packets() {
    replay("ipmi_packet", packet::run);
}

#[test]
fn consoles() {
    replay("ipmi_console", console::run);
}

#[test]
fn bmcs() {
    replay("ipmi_bmc", bmc::run);
}
