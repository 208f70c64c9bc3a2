//! TFTP packets.

#![no_main]

#[path = "../../crates/xcat3-network/tests/it/fuzzed/tftp_packet.rs"]
mod tftp_packet;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tftp_packet::run(bytes));
