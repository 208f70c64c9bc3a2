//! Inventories of replaceable units.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/responses.rs"]
mod responses;
#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/fru.rs"]
mod fru;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fru::run(bytes));
