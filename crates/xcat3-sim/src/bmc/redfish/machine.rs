//! The machines as the Redfish face needs them.

use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the next boots take instead of the usual order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootOverride {
    /// `Pxe`, `Hdd`, `Cd`, `BiosSetup`, `UefiHttp` and so on.
    pub target: String,
    /// Whether it stays after the next boot.
    pub persistent: bool,
    /// Whether by UEFI.
    pub uefi: bool,
}

/// One simulated machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Whether it is on.
    pub power: bool,
    /// What it boots instead of the usual.
    pub boot: Option<BootOverride>,
    /// The URI of UEFI HTTP boot.
    pub http_boot: Option<String>,
    /// Whether its LED blinks.
    pub beacon: bool,
    /// Who made it.
    pub manufacturer: String,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Its part number.
    pub part_number: String,
    /// The owner's tag.
    pub asset_tag: String,
    /// Its UUID.
    pub uuid: String,
    /// The BMC's UUID.
    pub bmc_uuid: String,
    /// The firmware's version.
    pub bios_version: String,
}

/// All machines: one an address, from the first on.
pub struct Machines {
    base: Ipv4Addr,
    all: Vec<Mutex<Machine>>,
}

impl Machines {
    /// So many machines from this address on.
    #[must_use]
    pub fn new(base: Ipv4Addr, count: usize) -> Self {
        Self {
            base,
            all: (0..count).map(|index| Mutex::new(machine(index))).collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Which machine answers at the address.
    #[must_use]
    pub fn index_of(&self, address: Ipv4Addr) -> Option<usize> {
        let distance = u32::from(address).checked_sub(u32::from(self.base))?;
        let index = usize::try_from(distance).ok()?;
        (index < self.all.len()).then_some(index)
    }

    /// A machine.
    pub fn machine(&self, index: usize) -> MutexGuard<'_, Machine> {
        self.all[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn machine(index: usize) -> Machine {
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
        beacon: false,
        manufacturer: "Simulated Systems".to_owned(),
        model: "S1000".to_owned(),
        serial: format!("SIM{index:07}"),
        part_number: "S1000-A".to_owned(),
        asset_tag: String::new(),
        uuid: uuid(0x11),
        bmc_uuid: uuid(0x22),
        bios_version: "1.2.3".to_owned(),
    }
}
