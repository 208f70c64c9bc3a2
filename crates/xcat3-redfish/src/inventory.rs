//! The parts of a machine: system, processors, memory, drives, nics, firmware, Secure Boot, BMC.
//! Unreadable parts are left out and become notes.

use xcat3_core::hardware::{
    BmcFacts, Drive, Firmware, HardwareNic, Inventory, MemoryModule, Processor, SecureBoot,
};

use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

/// The most parts of each type that are read.
const MAX_PARTS: usize = 256;
/// The most notes in a report.
const MAX_NOTES: usize = 32;

impl Client {
    /// The inventory of the system that `selector` selects.
    ///
    /// # Errors
    /// There is no such system, or further requests would fail too.
    pub async fn inventory(&mut self, selector: Option<&str>) -> Result<Inventory, Error> {
        let system = self.system(selector).await?;
        let mut report = summary(&system);
        let mut notes = Vec::new();
        let link = system.link("Processors");
        let all = self.members_or_note(link, MAX_PARTS, &mut notes).await?;
        report.processors = present(&all)
            .filter(|part| is_cpu(part))
            .map(processor)
            .collect();
        let link = system.link("Memory");
        let all = self.members_or_note(link, MAX_PARTS, &mut notes).await?;
        report.memory = present(&all).map(memory).collect();
        report.drives = self.drives(&system, &mut notes).await?;
        report.nics = self.nics(&system, &mut notes).await?;
        report.firmware = self.firmware(&mut notes).await?;
        let link = system.link("SecureBoot");
        let secure = self.get_or_note(link, &mut notes).await?;
        report.secure_boot = secure.as_ref().map(secure_boot);
        report.bmc = self.bmc(&system, &mut notes).await?;
        notes.truncate(MAX_NOTES);
        report.notes = notes;
        Ok(report)
    }

    /// The drives of storage subsystems, otherwise the devices of simple storage.
    async fn drives(
        &mut self,
        system: &Resource,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Drive>, Error> {
        let link = system.link("Storage");
        let mut drives: Vec<Drive> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for storage in self.members_or_note(link, MAX_PARTS, notes).await? {
            let mut links = storage.links("Drives");
            if let Some(collection) = storage.link("Drives") {
                for drive in self
                    .members_or_note(Some(collection), MAX_PARTS, notes)
                    .await?
                {
                    if seen.insert(drive.path.clone()) && !drive.is_absent() {
                        drives.push(self::drive(&drive));
                    }
                }
            }
            links.truncate(MAX_PARTS);
            for link in links {
                if !seen.insert(link.clone()) || drives.len() >= MAX_PARTS {
                    continue;
                }
                let drive = self.get_or_note(Some(&link), notes).await?;
                drives.extend(
                    drive
                        .filter(|drive| !drive.is_absent())
                        .as_ref()
                        .map(self::drive),
                );
            }
        }
        if !drives.is_empty() {
            return Ok(drives);
        }
        let link = system.link("SimpleStorage");
        for storage in self.members_or_note(link, MAX_PARTS, notes).await? {
            let devices = storage.objects("Devices");
            drives.extend(present(&devices).take(MAX_PARTS).map(drive));
        }
        Ok(drives)
    }

    /// The interfaces of the system, otherwise the ports of its adapters.
    async fn nics(
        &mut self,
        system: &Resource,
        notes: &mut Vec<String>,
    ) -> Result<Vec<HardwareNic>, Error> {
        let link = system.link("EthernetInterfaces");
        let all = self.members_or_note(link, MAX_PARTS, notes).await?;
        let nics: Vec<HardwareNic> = present(&all).map(nic).collect();
        if nics.iter().any(|nic| nic.mac.is_some()) {
            return Ok(nics);
        }
        let mut ports = Vec::new();
        for chassis in self.chassis(system).await? {
            let link = chassis.link("NetworkAdapters");
            for adapter in self.members_or_note(link, 32, notes).await? {
                let link = adapter
                    .link("Ports")
                    .or_else(|| adapter.link("NetworkPorts"));
                let all = self.members_or_note(link, 32, notes).await?;
                let named = |port: &Resource| HardwareNic {
                    name: format!("{} {}", adapter.name(), port.name()),
                    ..nic(port)
                };
                ports.extend(present(&all).map(named));
            }
        }
        Ok(if ports.is_empty() { nics } else { ports })
    }

    async fn firmware(&mut self, notes: &mut Vec<String>) -> Result<Vec<Firmware>, Error> {
        let root = self.root().await?;
        let service = self.get_or_note(root.link("UpdateService"), notes).await?;
        let link = service
            .as_ref()
            .and_then(|service| service.link("FirmwareInventory"));
        let all = self.members_or_note(link, MAX_PARTS, notes).await?;
        let firmware = |part: &Resource| Firmware {
            name: part.name(),
            version: part.short_text("Version"),
        };
        Ok(present(&all).map(firmware).collect())
    }

    async fn bmc(
        &mut self,
        system: &Resource,
        notes: &mut Vec<String>,
    ) -> Result<Option<BmcFacts>, Error> {
        let managers = self.managers(system).await?;
        let is_bmc = |manager: &&Resource| manager.text("ManagerType") == Some("BMC");
        let Some(manager) = managers.iter().find(is_bmc).or(managers.first()) else {
            return Ok(None);
        };
        let link = manager.link("EthernetInterfaces");
        let interfaces = self.members_or_note(link, 8, notes).await?;
        let macs = interfaces.iter().filter_map(mac);
        Ok(Some(BmcFacts {
            manufacturer: manager.short_text("Manufacturer"),
            model: manager.short_text("Model"),
            firmware: manager.short_text("FirmwareVersion"),
            mac: macs.into_iter().next(),
        }))
    }
}

fn present(all: &[Resource]) -> impl Iterator<Item = &Resource> {
    all.iter().filter(|part| !part.is_absent())
}

fn summary(system: &Resource) -> Inventory {
    let gib = system.number("MemorySummary/TotalSystemMemoryGiB");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let mib = gib
        .filter(|gib| (0.0..1e9).contains(gib))
        .map(|gib| (gib * 1024.0).round() as u64);
    Inventory {
        manufacturer: system.short_text("Manufacturer"),
        model: system.short_text("Model"),
        serial: system.short_text("SerialNumber"),
        part_number: system
            .short_text("PartNumber")
            .or_else(|| system.short_text("SKU")),
        asset_tag: system.short_text("AssetTag"),
        uuid: system.short_text("UUID").map(|uuid| uuid.to_lowercase()),
        bios_version: system.short_text("BiosVersion"),
        memory_mib: mib,
        ..Inventory::default()
    }
}

/// Whether the processor is not an accelerator.
fn is_cpu(part: &Resource) -> bool {
    part.text("ProcessorType").is_none_or(|kind| kind == "CPU")
}

fn processor(part: &Resource) -> Processor {
    Processor {
        name: part.short_text("Socket").unwrap_or_else(|| part.name()),
        model: part.short_text("Model"),
        cores: part.count_u32("TotalCores"),
        threads: part.count_u32("TotalThreads"),
        mhz: part.count_u32("MaxSpeedMHz"),
    }
}

fn memory(part: &Resource) -> MemoryModule {
    MemoryModule {
        slot: part
            .short_text("DeviceLocator")
            .unwrap_or_else(|| part.name()),
        mib: part.count("CapacityMiB"),
        kind: part.short_text("MemoryDeviceType"),
        mhz: part.count_u32("OperatingSpeedMhz"),
        manufacturer: part.short_text("Manufacturer"),
        part_number: part.short_text("PartNumber"),
        serial: part.short_text("SerialNumber"),
    }
}

fn drive(part: &Resource) -> Drive {
    Drive {
        name: part.name(),
        model: part.short_text("Model"),
        serial: part.short_text("SerialNumber"),
        bytes: part.count("CapacityBytes"),
        media: part.short_text("MediaType"),
        protocol: part.short_text("Protocol"),
    }
}

fn nic(part: &Resource) -> HardwareNic {
    let link = part.text("LinkStatus").and_then(|status| match status {
        "LinkUp" | "Up" => Some(true),
        "LinkDown" | "NoLink" | "Down" => Some(false),
        _ => None,
    });
    let gbps = part
        .number("CurrentSpeedGbps")
        .filter(|gbps| (0.0..1e6).contains(gbps));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let from_gbps = gbps.map(|gbps| (gbps * 1000.0).round() as u64);
    let mbps = part
        .count("SpeedMbps")
        .or_else(|| part.count("CurrentLinkSpeedMbps"));
    HardwareNic {
        name: part.short_text("Id").unwrap_or_else(|| part.name()),
        mac: mac(part),
        link,
        mbps: mbps.or(from_gbps).filter(|mbps| *mbps > 0),
    }
}

/// The MAC address of an interface or port, in lower case with colons.
fn mac(part: &Resource) -> Option<String> {
    let fields = ["PermanentMACAddress", "MACAddress"];
    let own = fields.iter().find_map(|field| part.text(field));
    let listed = || {
        let lists = [
            "AssociatedNetworkAddresses",
            "Ethernet/AssociatedMACAddresses",
        ];
        lists
            .iter()
            .find_map(|list| part.texts(list).first().copied())
    };
    let text = own.or_else(listed)?.to_lowercase().replace('-', ":");
    let mut pairs = text.split(':');
    let fits = pairs.clone().count() == 6
        && pairs.all(|pair| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (fits && text != "00:00:00:00:00:00").then_some(text)
}

fn secure_boot(part: &Resource) -> SecureBoot {
    let current = part
        .text("SecureBootCurrentBoot")
        .map(|state| state == "Enabled");
    SecureBoot {
        enabled: current.or_else(|| part.flag("SecureBootEnable")),
        mode: part.short_text("SecureBootMode"),
    }
}
