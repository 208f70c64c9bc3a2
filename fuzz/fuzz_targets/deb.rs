//! Debian packages with any content.

#![no_main]

#[path = "../../crates/xcat3-copycds/tests/it/fuzzed/deb.rs"]
mod deb;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| deb::run(bytes));
