//! ISO 9660 images with any content.

#![no_main]

#[path = "../../crates/xcat3-iso/tests/it/fuzzed/iso.rs"]
mod iso;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| iso::run(bytes));
