//! Sensor data records and readings of their sensors.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/responses.rs"]
mod responses;
#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/sdr.rs"]
mod sdr;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sdr::run(bytes));
