//! Parsing of datagrams and messages.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/packet.rs"]
mod packet;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| packet::run(bytes));
