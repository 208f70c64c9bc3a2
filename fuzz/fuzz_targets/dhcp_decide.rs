//! The DHCP decision over a script of requests.

#![no_main]

#[path = "../../crates/xcat3-network/tests/it/fuzzed/dhcp_decide.rs"]
mod dhcp_decide;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dhcp_decide::run(bytes));
