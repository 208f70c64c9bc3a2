//! Headers of HTTP requests to the boot file server.

#![no_main]

#[path = "../../crates/xcat3-network/tests/it/fuzzed/http_head.rs"]
mod http_head;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| http_head::run(bytes));
