//! Discs with any metadata.

#![no_main]

#[path = "../../crates/xcat3-copycds/tests/it/fuzzed/disc.rs"]
mod disc;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| disc::run(bytes));
