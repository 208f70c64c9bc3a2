//! Serial over LAN.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/sol.rs"]
mod sol;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sol::run(bytes));
