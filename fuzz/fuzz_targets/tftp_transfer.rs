//! The state of a TFTP transfer.

#![no_main]

#[path = "../../crates/xcat3-network/tests/it/fuzzed/tftp_transfer.rs"]
mod tftp_transfer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tftp_transfer::run(bytes));
