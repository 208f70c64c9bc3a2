//! A session against a BMC whose datagrams are damaged, forged, replayed and reordered.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/console.rs"]
mod console;
#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| console::run(bytes));
