//! Sensor data records and what sensors read by them.

#![no_main]

#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/answers.rs"]
mod answers;
#[path = "../../crates/xcat3-ipmi/tests/it/fuzzed/sdr.rs"]
mod sdr;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sdr::run(bytes));
