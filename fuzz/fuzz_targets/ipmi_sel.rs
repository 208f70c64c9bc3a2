//! The system event log.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/responses.rs"]
mod responses;
#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/sel.rs"]
mod sel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sel::run(bytes));
