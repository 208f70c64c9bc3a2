//! Operations on a BMC of which any part is damaged, by Redfish and by OpenBMC's REST.

#![no_main]

#[path = "../../crates/xcat3-redfish/tests/it/fuzzed/bmc.rs"]
mod bmc;
#[path = "../../crates/xcat3-redfish/tests/it/fuzzed/documents.rs"]
mod documents;
#[path = "../../crates/xcat3-redfish/tests/it/fuzzed/damage.rs"]
mod damage;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bmc::run(bytes));
