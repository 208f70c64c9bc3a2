//! What a BMC answers by Redfish, as a resource.

#![no_main]

#[path = "../../crates/xcat3-redfish/tests/it/fuzzed/json.rs"]
mod json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| json::run(bytes));
