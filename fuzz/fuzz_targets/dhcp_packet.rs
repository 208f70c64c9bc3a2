//! DHCP messages of clients.

#![no_main]

#[path = "../../crates/xcat3-network/tests/it/fuzzed/dhcp_packet.rs"]
mod dhcp_packet;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dhcp_packet::run(bytes));
