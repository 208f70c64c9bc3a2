//! What a machine is made of, as far as its BMC tells by IPMI: who it is, its GUID, the MAC address of its
//! BMC, its replaceable units (FRU). Of processors, memory and disks IPMI knows only what has an inventory
//! of its own.

use xcat3_core::Outcome;
use xcat3_core::hardware::{BmcFacts, Inventory};
use xcat3_ipmi::command::device::{self, DeviceId};
use xcat3_ipmi::command::sdr::{FruLocator, Record};
use xcat3_ipmi::command::{fru, lan};
use xcat3_ipmi::{Error, Requester};

use super::super::bmc::Failure;
use super::board;
use super::exchange::failure;
use super::sensors::{records, told};

/// The address of the BMC itself.
const BMC: u8 = 0x20;
/// The most units that are read.
const MOST_UNITS: usize = 256;

/// Reads all of it. What a BMC does not tell is a note.
pub async fn report(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let id = device::id(bmc).await.map_err(failure)?;
    let mut report = Inventory::default();
    let notes = &mut report.notes;
    let guid = noted(notes, "GUID", device::guid(bmc).await)?;
    report.uuid = guid.flatten().map(|guid| guid.to_string());
    let mac = mac(bmc).await;
    let mac = noted(notes, "MAC address of the BMC", mac)?;
    report.bmc = Some(facts(&id, mac.flatten()));
    for unit in units(bmc, &id, notes).await? {
        let read = fru::read(bmc, unit.id).await;
        let name = format!("FRU {} ({})", unit.id, unit.name);
        let Some(fru) = noted(&mut report.notes, &name, read)?.flatten() else {
            continue;
        };
        let problems = fru.problems.iter();
        let notes = problems.map(|problem| format!("{name}: {problem}"));
        report.notes.extend(notes);
        if unit.id == 0 {
            board::describe(&fru, &mut report);
        }
        report.boards.push(board::of(&unit.name, &fru));
    }
    told(&report)
}

/// The units that the BMC has inventories of: its own, and those that its records name.
async fn units(
    bmc: &mut impl Requester,
    id: &DeviceId,
    notes: &mut Vec<String>,
) -> Result<Vec<FruLocator>, Failure> {
    let mut units = vec![FruLocator {
        name: "built-in".to_owned(),
        controller: BMC,
        id: 0,
        logical: true,
    }];
    let records = noted(
        notes,
        "records of replaceable units",
        records(bmc, id).await,
    )?;
    for record in records.map(|(records, _)| records).unwrap_or_default() {
        let Record::Fru(unit) = record else {
            continue;
        };
        let is_own = unit.logical && unit.controller == BMC;
        if !is_own || units.len() >= MOST_UNITS {
            continue;
        }
        match units.iter_mut().find(|known| known.id == unit.id) {
            Some(known) if known.id == 0 => known.name = unit.name,
            Some(_) => {}
            None => units.push(unit),
        }
    }
    Ok(units)
}

/// What was read; nothing and a note where the BMC refused it or told nonsense.
fn noted<T>(
    notes: &mut Vec<String>,
    what: &str,
    read: Result<T, Error>,
) -> Result<Option<T>, Failure> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ (Error::Refused(_) | Error::Malformed(_))) => {
            notes.push(format!("{what}: {error}"));
            Ok(None)
        }
        Err(error) => Err(failure(error)),
    }
}

/// The MAC address of the channel that we came by.
pub(super) async fn mac(bmc: &mut impl Requester) -> Result<Option<String>, Error> {
    let mac = lan::mac_address(bmc).await?;
    Ok(mac.map(|mac| {
        let bytes: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(":")
    }))
}

fn facts(id: &DeviceId, mac: Option<String>) -> BmcFacts {
    let number = format!("manufacturer {}", id.manufacturer);
    let name = id.manufacturer_name().map(str::to_owned);
    BmcFacts {
        manufacturer: Some(name.unwrap_or(number)),
        model: Some(format!("product {}", id.product)),
        firmware: Some(id.firmware_version()),
        mac,
    }
}
