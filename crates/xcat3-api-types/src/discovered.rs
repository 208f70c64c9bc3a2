//! Machines that boot over the network without being known, as they are told.

use serde::Serialize;
use utoipa::ToSchema;
use xcat3_core::{DiscoveredMachine, MacAddr};

/// The answer of `GET /discovered`.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoveredList {
    /// The machines, by when they were first seen.
    pub discovered: Vec<DiscoveredRecord>,
}

/// Such a machine.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoveredRecord {
    /// The nic that asked for an address.
    #[schema(value_type = String, examples("52:54:00:36:ac:b1"))]
    pub mac: MacAddr,
    /// The network that it asked in.
    #[schema(examples("c920"))]
    pub network: String,
    /// The address that it was given, where it was.
    #[schema(examples("11.4.40.111"))]
    pub ip: Option<String>,
    /// What its firmware calls itself (DHCP option 60).
    #[schema(examples("PXEClient:Arch:00007:UNDI:003016"))]
    pub vendor_class: Option<String>,
    /// Its firmware's architecture (option 93, RFC 4578).
    #[schema(examples(7))]
    pub architecture: Option<u16>,
    /// The same in words, where it is known.
    #[schema(examples("UEFI x86_64"))]
    pub firmware: Option<&'static str>,
    /// What `arch` a node of this kind has.
    #[schema(examples("x86_64"))]
    pub arch: Option<&'static str>,
    /// The machine's UUID (option 97), as its operating system sees it.
    #[schema(examples("4c4c4544-0031-3510-8052-b4c04f4e3732"))]
    pub uuid: Option<String>,
    /// When it was first seen, in milliseconds since 1970 (UTC).
    pub first_ms: i64,
    /// When it was last seen.
    pub last_ms: i64,
}

/// The answer of `DELETE /discovered`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Forgotten {
    /// How many machines are forgotten.
    pub forgotten: u64,
}

impl From<DiscoveredMachine> for DiscoveredRecord {
    fn from(machine: DiscoveredMachine) -> Self {
        Self {
            firmware: machine.firmware(),
            arch: machine.arch(),
            mac: machine.mac,
            network: machine.network,
            ip: machine.ip.map(|ip| ip.to_string()),
            vendor_class: machine.vendor_class,
            architecture: machine.architecture,
            uuid: machine.uuid.map(|uuid| uuid.to_string()),
            first_ms: machine.first_ms,
            last_ms: machine.last_ms,
        }
    }
}
