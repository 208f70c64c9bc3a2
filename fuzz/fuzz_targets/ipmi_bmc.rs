//! The BMC side against arbitrary datagrams.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/bmc.rs"]
mod bmc;
#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmc::run(bytes));
