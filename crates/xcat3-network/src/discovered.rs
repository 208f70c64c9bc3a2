//! Machines that boot over the network and are no nodes: the DHCP servers record them in memory, and a
//! task writes all of them to the store every few seconds, so that an operator can enrol them.
//!
//! Requests from ever new MACs cost a bounded table here and in the store.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::{Builder, Uuid};
use xcat3_core::{DiscoveredMachine, MacAddr};
use xcat3_store::Store;

use crate::dhcp::packet::{MessageType, Request, code};

const WRITE_INTERVAL: Duration = Duration::from_secs(3);
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// Most machines recorded between two writes. Machines beyond that are recorded when they repeat their
/// requests.
const MAX_MACHINES: usize = 4_096;

/// The machines that are not written yet. Clones share them.
#[derive(Clone, Default)]
pub struct DiscoveredMachines(Arc<Mutex<HashMap<MacAddr, DiscoveredMachine>>>);

/// The machine that a request describes, where its firmware sent the request. An operating system that
/// requests an address is no machine to enrol.
#[must_use]
pub fn from_request(
    request: &Request,
    network: &str,
    ip: Option<Ipv4Addr>,
    now_ms: i64,
) -> Option<DiscoveredMachine> {
    if !matches!(
        request.message_type(),
        Some(MessageType::Discover | MessageType::Request)
    ) {
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
    let is_ipxe = request
        .option(code::USER_CLASS)
        .is_some_and(|user| user.ends_with(b"iPXE"));
    let machine_id = request.option(code::MACHINE_ID);
    Some(DiscoveredMachine {
        mac: request.mac,
        network: network.to_owned(),
        ip,
        vendor_class: class.and_then(DiscoveredMachine::class_from_bytes),
        architecture,
        uuid: machine_id.and_then(|bytes| parse_machine_id(bytes, is_ipxe)),
        first_ms: now_ms,
        last_ms: now_ms,
    })
}

/// The UUID in option 97. Firmware sends the bytes of SMBIOS, where the first three fields are
/// little-endian; iPXE sends the byte order of RFC 9562.
fn parse_machine_id(bytes: &[u8], is_ipxe: bool) -> Option<Uuid> {
    let (id_type, id) = bytes.split_first()?;
    let id: [u8; 16] = id.try_into().ok()?;
    if *id_type != 0 || id == [0; 16] || id == [0xff; 16] {
        return None;
    }
    let builder = if is_ipxe {
        Builder::from_bytes(id)
    } else {
        Builder::from_bytes_le(id)
    };
    Some(builder.into_uuid())
}

impl DiscoveredMachines {
    /// Records a machine.
    pub fn record(&self, machine: DiscoveredMachine) {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = machines.get_mut(&machine.mac) {
            known.seen_again(machine);
        } else if machines.len() < MAX_MACHINES {
            machines.insert(machine.mac, machine);
        }
    }

    fn drain(&self) -> Vec<DiscoveredMachine> {
        let mut machines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *machines).into_values().collect()
    }
}

/// Writes recorded machines to the store until `stop`, and a last time then.
pub async fn write(store: Store, discovered: DiscoveredMachines, stop: CancellationToken) {
    loop {
        let waiting = stop.run_until_cancelled(tokio::time::sleep(WRITE_INTERVAL));
        let stopped = waiting.await.is_none();
        let machines = discovered.drain();
        if !machines.is_empty() {
            let writing = store.record_discovered(&machines);
            if !matches!(
                tokio::time::timeout(STORE_TIMEOUT, writing).await,
                Ok(Ok(()))
            ) {
                let count = machines.len();
                tracing::debug!(machines = count, "cannot save discovered machines yet");
                for machine in machines {
                    discovered.record(machine);
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
    fn machine_id_of_firmware_and_ipxe_is_one_uuid() {
        let uuid = parse_machine_id(&ID, false).unwrap();
        assert_eq!(uuid.to_string(), "00112233-4455-6677-0809-0a0b0c0d0e0f");
        let turned = [&[0], uuid.as_bytes().as_slice()].concat();
        assert_eq!(parse_machine_id(&turned, true), Some(uuid));
        for bad in [
            &[][..],
            &ID[..16],
            &[1; 17],
            &[0; 17],
            &[&[0u8][..], &[0xff; 16]].concat(),
        ] {
            assert_eq!(parse_machine_id(bad, false), None);
        }
    }

    #[test]
    fn ever_new_macs_fill_a_bounded_table() {
        let machines = DiscoveredMachines::default();
        for number in 0..100_000_u32 {
            let [a, b, c, d] = number.to_be_bytes();
            machines.record(DiscoveredMachine {
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
        assert_eq!(machines.drain().len(), MAX_MACHINES);
        assert!(machines.drain().is_empty());
    }
}
