//! What is in a system: processors, memory, drives, network interfaces, secure boot. All machines are of
//! one build; what tells them apart are serial numbers and addresses.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::resources::{add, collection, head, here, link};
use crate::bmc::machine::facts::{DRIVES, MODULES, PROCESSOR, PROCESSORS};
use crate::bmc::machine::{Machine, Part};

/// The resources below a system; `parts` are those of the path behind its id.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    let habits = face.habits(index);
    if let (["SecureBoot"], &Method::PATCH) = (parts, ask.method) {
        return set_secure_boot(face, index, &ask.body);
    }
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    let path = here(ask);
    match parts {
        ["Processors"] => collection(ask, "Processor", "Processors", &ids("CPU", PROCESSORS.0)),
        ["Processors", id] => one(id, "CPU", PROCESSORS.0, ask, |_| processor(path, id)),
        ["Memory"] => collection(ask, "Memory", "Memory", &ids("DIMM", MODULES.0)),
        ["Memory", id] => one(id, "DIMM", MODULES.0, ask, |number| {
            module(path, id, &serial(face, index), number)
        }),
        ["Storage", rest @ ..] if habits.storage => storage(face, index, ask, rest),
        ["SimpleStorage", rest @ ..] if !habits.storage => simple_storage(ask, rest),
        ["EthernetInterfaces"] => {
            let count = face.machine(index).macs.len();
            let ids = ids("NIC", count);
            collection(ask, "EthernetInterface", "Ethernet Interfaces", &ids)
        }
        ["EthernetInterfaces", id] => {
            let macs = face.machine(index).macs.clone();
            one(id, "NIC", macs.len(), ask, |number| {
                interface(path, id, &macs[number - 1], number == 1)
            })
        }
        ["SecureBoot"] => Answer::document(secure_boot(face, index, path)),
        _ => Answer::not_found(ask.path),
    }
}

fn serial(face: &Face, index: usize) -> String {
    face.machine(index).serial.clone()
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}

/// The member of that id, numbered from 1.
fn one(
    id: &str,
    prefix: &str,
    count: usize,
    ask: &Ask<'_>,
    document: impl FnOnce(usize) -> Value,
) -> Answer {
    let number = id
        .strip_prefix(prefix)
        .and_then(|number| number.parse().ok());
    match number {
        Some(number) if (1..=count).contains(&number) => Answer::document(document(number)),
        _ => Answer::not_found(ask.path),
    }
}

fn processor(path: &str, id: &str) -> Value {
    let mut document = head(path, "#Processor.v1_11_0.Processor", id, "Processor");
    let (_, cores, threads) = PROCESSORS;
    add(
        &mut document,
        json!({
            "Socket": id,
            "ProcessorType": "CPU",
            "ProcessorArchitecture": "x86",
            "InstructionSet": "x86-64",
            "Manufacturer": "Simulated Systems",
            "Model": PROCESSOR,
            "MaxSpeedMHz": 3500,
            "OperatingSpeedMHz": 2400,
            "TotalCores": cores,
            "TotalThreads": threads,
            "Status": {"State": "Enabled", "Health": "OK"},
        }),
    );
    document
}

fn module(path: &str, id: &str, serial: &str, number: usize) -> Value {
    let mut document = head(path, "#Memory.v1_11_0.Memory", id, "Memory Module");
    add(
        &mut document,
        json!({
            "DeviceLocator": id,
            "MemoryType": "DRAM",
            "MemoryDeviceType": "DDR5",
            "CapacityMiB": MODULES.1,
            "OperatingSpeedMhz": 4800,
            "Manufacturer": "Simulated Systems",
            "PartNumber": "M32-4800",
            "SerialNumber": format!("{serial}-M{number}"),
            "Status": {"State": "Enabled", "Health": "OK"},
        }),
    );
    document
}

fn storage(face: &Face, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    let path = here(ask);
    match parts {
        [] => collection(ask, "Storage", "Storage", &["1".to_owned()]),
        ["1"] => {
            let drives = ids("Drive", DRIVES.0);
            let drives = drives.iter().map(|id| link(&format!("{path}/Drives/{id}")));
            let drives: Vec<Value> = drives.collect();
            let mut document = head(path, "#Storage.v1_10_0.Storage", "1", "Storage");
            add(
                &mut document,
                json!({
                    "StorageControllers": [{
                        "MemberId": "0",
                        "Name": "SATA Controller",
                        "SupportedDeviceProtocols": ["SATA"],
                    }],
                    "Drives": drives,
                    "Drives@odata.count": DRIVES.0,
                    "Status": {"State": "Enabled", "Health": "OK"},
                }),
            );
            Answer::document(document)
        }
        ["1", "Drives", id] => one(id, "Drive", DRIVES.0, ask, |number| {
            drive(path, id, &face.machine(index), number)
        }),
        _ => Answer::not_found(ask.path),
    }
}

fn drive(path: &str, id: &str, machine: &Machine, number: usize) -> Value {
    let serial = &machine.serial;
    let health = match machine.is_faulty(Part::Drive, number) {
        true => "Critical",
        false => "OK",
    };
    let mut document = head(path, "#Drive.v1_12_0.Drive", id, "Drive");
    add(
        &mut document,
        json!({
            "Manufacturer": "Simulated Systems",
            "Model": "SSD-960",
            "SerialNumber": format!("{serial}-D{number}"),
            "CapacityBytes": DRIVES.1,
            "MediaType": "SSD",
            "Protocol": "SATA",
            "Status": {"State": "Enabled", "Health": health},
        }),
    );
    document
}

fn simple_storage(ask: &Ask<'_>, parts: &[&str]) -> Answer {
    match parts {
        [] => collection(ask, "SimpleStorage", "Simple Storage", &["1".to_owned()]),
        ["1"] => {
            let kind = "#SimpleStorage.v1_3_0.SimpleStorage";
            let mut document = head(here(ask), kind, "1", "Simple Storage");
            let devices = ids("Drive", DRIVES.0);
            let devices = devices
                .iter()
                .map(|id| json!({"Name": id, "Model": "SSD-960", "CapacityBytes": DRIVES.1}));
            let devices: Vec<Value> = devices.collect();
            add(&mut document, json!({"Devices": devices}));
            Answer::document(document)
        }
        _ => Answer::not_found(ask.path),
    }
}

fn interface(path: &str, id: &str, mac: &str, linked: bool) -> Value {
    let kind = "#EthernetInterface.v1_6_0.EthernetInterface";
    let mut document = head(path, kind, id, "Ethernet Interface");
    add(
        &mut document,
        json!({
            "MACAddress": mac,
            "PermanentMACAddress": mac,
            "LinkStatus": if linked { "LinkUp" } else { "LinkDown" },
            "SpeedMbps": if linked { 25_000 } else { 0 },
            "InterfaceEnabled": true,
            "Status": {"State": "Enabled", "Health": "OK"},
        }),
    );
    document
}

fn secure_boot(face: &Face, index: usize, path: &str) -> Value {
    let wanted = face.machine(index).secure_boot;
    let mut document = head(
        path,
        "#SecureBoot.v1_1_0.SecureBoot",
        "SecureBoot",
        "Secure Boot",
    );
    add(
        &mut document,
        json!({
            "SecureBootEnable": wanted,
            "SecureBootCurrentBoot": if wanted { "Enabled" } else { "Disabled" },
            "SecureBootMode": "UserMode",
        }),
    );
    document
}

fn set_secure_boot(face: &Face, index: usize, body: &Value) -> Answer {
    match body.get("SecureBootEnable") {
        Some(Value::Bool(wanted)) => {
            face.machine(index).secure_boot = *wanted;
            Answer::empty(204)
        }
        Some(value) => Answer::bad_value("SecureBootEnable", value),
        None => Answer::missing("SecureBootEnable"),
    }
}

/// How processors and memory stand in the system's own document.
pub(super) fn summaries() -> Value {
    let (count, cores, threads) = PROCESSORS;
    let processors = u32::try_from(count).unwrap_or(u32::MAX);
    let gib = MODULES.1 * MODULES.0 as u64 / 1024;
    json!({
        "ProcessorSummary": {
            "Count": count,
            "Model": PROCESSOR,
            "CoreCount": cores.saturating_mul(processors),
            "LogicalProcessorCount": threads.saturating_mul(processors),
            "Status": {"State": "Enabled", "Health": "OK"},
        },
        "MemorySummary": {
            "TotalSystemMemoryGiB": gib,
            "Status": {"State": "Enabled", "Health": "OK"},
        },
    })
}
