//! The bodies of the network fuzz targets, and tests that replay their corpora: `fuzz/corpus/TARGET.hex`
//! has one input a line, in hexadecimal digits.

mod dhcp_decide;
mod dhcp_packet;
mod http_head;
mod tftp_packet;
mod tftp_transfer;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn dhcp_packet_corpus_is_replayed() {
    replay("dhcp_packet", dhcp_packet::run);
}

#[test]
fn dhcp_decide_corpus_is_replayed() {
    replay("dhcp_decide", dhcp_decide::run);
}

#[test]
fn tftp_packet_corpus_is_replayed() {
    replay("tftp_packet", tftp_packet::run);
}

#[test]
fn tftp_transfer_corpus_is_replayed() {
    replay("tftp_transfer", tftp_transfer::run);
}

#[test]
fn http_head_corpus_is_replayed() {
    replay("http_head", http_head::run);
}

fn replay(target: &str, run: fn(&[u8])) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let corpus = workspace.join(format!("fuzz/corpus/{target}.hex"));
    let text = std::fs::read_to_string(&corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    assert!(!text.is_empty(), "{} is empty", corpus.display());
    for line in text.lines() {
        run(&hex::decode(line).expect("hexadecimal digits"));
    }
}

proptest! {
    #[test]
    fn lease_is_exclusive_and_never_a_fixed_address(
        script in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        dhcp_decide::run(&script);
    }

    #[test]
    fn transfer_to_hostile_client_stays_within_its_bounds(
        script in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        tftp_transfer::run(&script);
    }
}
