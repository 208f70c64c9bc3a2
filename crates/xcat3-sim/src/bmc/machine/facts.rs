//! Of what a machine is made, by its number: all are of one build; what tells them apart are addresses,
//! serial numbers and UUIDs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::log::events;
use super::sensors::{sensors, states};
use super::{Machine, RestartCause, RestorePolicy, Slot};

/// The model of the processors.
pub(crate) const PROCESSOR: &str = "Simulated CPU 2.40GHz";
/// Processors, cores of each, threads of each.
pub(crate) const PROCESSORS: (usize, u32, u32) = (2, 16, 32);
/// Memory modules, and MiB of each.
pub(crate) const MODULES: (usize, u64) = (8, 32 * 1024);
/// Drives, and bytes of each.
pub(crate) const DRIVES: (usize, u64) = (2, 960_197_124_096);
/// Power supplies, and watts of each.
pub(crate) const SUPPLIES: (usize, u32) = (2, 800);

/// The machine of a number.
pub(super) fn machine(index: usize) -> Machine {
    let uuid = |kind: u8| {
        let mut bytes = [kind; 16];
        bytes[8..].copy_from_slice(&(index as u64).to_be_bytes());
        let text = hex::encode(bytes);
        let cut = [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ];
        cut.join("-")
    };
    Machine {
        power: false,
        boot: None,
        http_boot: None,
        boot_until: None,
        beacon: false,
        beacon_until: None,
        manufacturer: "Simulated Systems".to_owned(),
        model: "S1000".to_owned(),
        serial: format!("SIM{index:07}"),
        part_number: "S1000-A".to_owned(),
        asset_tag: String::new(),
        uuid: uuid(0x11),
        bmc_uuid: uuid(0x22),
        bios_version: "1.2.3".to_owned(),
        macs: (0..2).map(|nic| mac(index, nic)).collect(),
        bmc_mac: mac(index, 255),
        restart_cause: RestartCause::Unknown,
        restore: RestorePolicy::Previous,
        sensors: sensors(index).to_vec(),
        states: states(),
        events: events(),
        events_lost: false,
        bios: bios(),
        bios_pending: BTreeMap::new(),
        media: vec![
            Slot {
                name: "CD1",
                kinds: &["CD", "DVD"],
                image: None,
            },
            Slot {
                name: "USB1",
                kinds: &["USBStick"],
                image: None,
            },
        ],
        secure_boot: false,
        soft_time: Duration::ZERO,
        off_at: None,
        on_since: None,
        // Some have run for years.
        on_before: Duration::from_secs(index as u64 * 37 % 30_000 * 3600),
        varying: None,
    }
}

fn mac(index: usize, nic: u8) -> String {
    let [.., a, b, c] = (index as u64).to_be_bytes();
    format!("02:{nic:02x}:00:{a:02x}:{b:02x}:{c:02x}")
}

/// The BIOS attributes of a machine from the factory.
pub(crate) fn bios() -> BTreeMap<String, Value> {
    let attributes = [
        ("BootMode", Value::from("Uefi")),
        ("ProcVirtualization", Value::from("Enabled")),
        ("ProcHyperthreading", Value::from("Enabled")),
        ("NumaNodesPerSocket", Value::from(1)),
        ("AdminPhone", Value::from("")),
        ("QuietBoot", Value::from(true)),
    ];
    let named = attributes.map(|(name, value)| (name.to_owned(), value));
    named.into_iter().collect()
}
