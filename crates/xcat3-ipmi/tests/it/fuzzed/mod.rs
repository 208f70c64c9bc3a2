//! The bodies of the fuzz targets of IPMI, and a test that plays what fuzzing has found worth keeping:
//! `fuzz/corpus/TARGET.hex` has one input a line, in hexadecimal digits.

mod answers;
mod bmc;
mod console;
mod fru;
mod packet;
mod script;
mod sdr;
mod sel;
mod sol;

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

#[test]
fn inventories() {
    replay("ipmi_fru", fru::run);
}

#[test]
fn sensor_records() {
    replay("ipmi_sdr", sdr::run);
}

#[test]
fn event_logs() {
    replay("ipmi_sel", sel::run);
}

#[test]
fn serial_over_lan() {
    replay("ipmi_sol", sol::run);
}
