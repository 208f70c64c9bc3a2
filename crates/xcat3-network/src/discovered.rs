//! Machines that boot over the network without being known: noted in memory by the DHCP servers,
//! written to the store for all at once every few seconds, so that an operator finds and enrols them.
//!
//! Whoever sends requests from ever new addresses costs a bounded table here and in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::{Builder, Uuid};
use xcat3_core::{DiscoveredMachine, MacAddr};
use xcat3_store::Store;

use crate::dhcp::packet::{Kind, Request, code};

const WRITE_EVERY: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(5);
/// So many are noted between two writings; of more, those that come later are noted when they ask
/// again.
const MOST: usize = 4_096;

/// Where unknown machines are noted. Cheap to clone.
#[derive(Clone, Default)]
pub struct DiscoveredMachines(Arc<Mutex<HashMap<MacAddr, DiscoveredMachine>>>);

/// What a request of a machine that is no node says of it, where its firmware sent it. An operating
/// system that asks for an address is no machine to be enrolled.
#[must_use]
pub fn of(request: &Request, network: &str, now_ms: i64) -> Option<DiscoveredMachine> {
    if !matches!(request.kind(), Some(Kind::Discover | Kind::Request)) {
        return None;
    }
    let class = request.option(code::VENDOR_CLASS);
    let boots = class
        .is_some_and(|class| class.starts_with(b"PXEClient") || class.starts_with(b"HTTPClient"));
    let architecture = request.architectures().next();
    // OpenPOWER machines send no vendor class, but only firmware sends an architecture.
    if !boots && architecture.is_none() {
        return None;
    }
    let ipxe = request
        .option(code::USER_CLASS)
        .is_some_and(|user| user.ends_with(b"iPXE"));
    Some(DiscoveredMachine {
        mac: request.mac,
        network: network.to_owned(),
        ip: None,
        vendor_class: class.and_then(DiscoveredMachine::class_from_bytes),
        architecture,
        uuid: request
            .option(code::MACHINE_ID)
            .and_then(|bytes| machine_id(bytes, ipxe)),
        first_ms: now_ms,
        last_ms: now_ms,
    })
}

/// The UUID in option 97. Firmware sends the bytes as they stand in SMBIOS, where the first three
/// fields are little-endian; iPXE turns them into the order of RFC 9562.
fn machine_id(bytes: &[u8], turned: bool) -> Option<Uuid> {
    let (kind, id) = bytes.split_first()?;
    let id: [u8; 16] = id.try_into().ok()?;
    if *kind != 0 || id == [0; 16] || id == [0xff; 16] {
        return None;
    }
    let builder = if turned {
        Builder::from_bytes(id)
    } else {
        Builder::from_bytes_le(id)
    };
    Some(builder.into_uuid())
}

impl DiscoveredMachines {
    /// Notes a machine.
    pub fn note(&self, machine: DiscoveredMachine) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = noted.get_mut(&machine.mac) {
            known.seen_again(machine);
        } else if noted.len() < MOST {
            noted.insert(machine.mac, machine);
        }
    }

    fn take(&self) -> Vec<DiscoveredMachine> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *noted).into_values().collect()
    }
}

/// Writes what was noted to the store until `stop`, and the last of it then.
pub async fn write(store: Store, discovered: DiscoveredMachines, stop: CancellationToken) {
    loop {
        let waiting = stop.run_until_cancelled(tokio::time::sleep(WRITE_EVERY));
        let stopped = waiting.await.is_none();
        let seen = discovered.take();
        if !seen.is_empty() {
            let writing = tokio::time::timeout(PATIENCE, store.record_discovered(&seen)).await;
            if !matches!(writing, Ok(Ok(()))) {
                tracing::debug!(
                    count = seen.len(),
                    "machines that are no nodes are not saved yet"
                );
                for machine in seen {
                    discovered.note(machine);
                }
            }
        }
        if stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 17] = [
        0, 0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 8, 9, 10, 11, 12, 13, 14, 15,
    ];

    #[test]
    fn a_machine_has_one_uuid_whoever_sends_it() {
        let uuid = machine_id(&ID, false).unwrap();
        assert_eq!(uuid.to_string(), "00112233-4455-6677-0809-0a0b0c0d0e0f");
        let turned = [&[0], uuid.as_bytes().as_slice()].concat();
        assert_eq!(machine_id(&turned, true), Some(uuid));
        for bad in [
            &[][..],
            &ID[..16],
            &[1; 17],
            &[0; 17],
            &[&[0u8][..], &[0xff; 16]].concat(),
        ] {
            assert_eq!(machine_id(bad, false), None);
        }
    }

    #[test]
    fn ever_new_addresses_fill_a_bounded_table() {
        let discovered = DiscoveredMachines::default();
        for number in 0..100_000_u32 {
            let [a, b, c, d] = number.to_be_bytes();
            discovered.note(DiscoveredMachine {
                mac: MacAddr([2, 0, a, b, c, d]),
                network: "n".to_owned(),
                ip: None,
                vendor_class: None,
                architecture: Some(7),
                uuid: None,
                first_ms: 1,
                last_ms: i64::from(number),
            });
        }
        assert_eq!(discovered.take().len(), MOST);
        assert!(discovered.take().is_empty());
    }
}
