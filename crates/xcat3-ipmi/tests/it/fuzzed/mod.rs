//! The bodies of the fuzz targets, and tests that replay the corpora: `fuzz/corpus/TARGET.hex` has one input per
//! line, in hexadecimal.

mod bmc;
mod console;
mod fru;
mod packet;
mod responses;
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
fn packet_corpus_has_no_failures() {
    replay("ipmi_packet", packet::run);
}

#[test]
fn console_corpus_has_no_failures() {
    replay("ipmi_console", console::run);
}

#[test]
fn bmc_corpus_has_no_failures() {
    replay("ipmi_bmc", bmc::run);
}

#[test]
fn inventory_corpus_has_no_failures() {
    replay("ipmi_fru", fru::run);
}

#[test]
fn sensor_record_corpus_has_no_failures() {
    replay("ipmi_sdr", sdr::run);
}

#[test]
fn event_log_corpus_has_no_failures() {
    replay("ipmi_sel", sel::run);
}

#[test]
fn serial_over_lan_corpus_has_no_failures() {
    replay("ipmi_sol", sol::run);
}
