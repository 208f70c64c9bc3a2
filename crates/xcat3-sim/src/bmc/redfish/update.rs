//! The update service: only what firmware there is.

use std::sync::Arc;

use serde_json::json;

use super::answer::Answer;
use super::face::{Ask, Face};
use super::resources::{add, collection, head, here, link};
use super::words;

/// The update service; `parts` are those of the path behind `UpdateService`.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    let path = here(ask);
    match parts {
        [] => {
            let kind = "#UpdateService.v1_8_1.UpdateService";
            let mut document = head(path, kind, "UpdateService", "Update Service");
            let inventory = link(&format!("{path}/FirmwareInventory"));
            let more = json!({"ServiceEnabled": true, "FirmwareInventory": inventory});
            add(&mut document, more);
            Answer::document(document)
        }
        ["FirmwareInventory"] => {
            let ids = ["BIOS".to_owned(), "BMC".to_owned()];
            collection(ask, "SoftwareInventory", "Firmware Inventory", &ids)
        }
        ["FirmwareInventory", id @ ("BIOS" | "BMC")] => {
            let machine = face.machine(index);
            let version = match *id {
                "BIOS" => machine.bios_version.as_str(),
                _ => words::BMC_FIRMWARE,
            };
            let kind = "#SoftwareInventory.v1_3_0.SoftwareInventory";
            let mut document = head(path, kind, id, id);
            let more = json!({
                "Version": version,
                "Updateable": false,
                "Manufacturer": machine.manufacturer,
                "Status": {"State": "Enabled", "Health": "OK"},
            });
            add(&mut document, more);
            Answer::document(document)
        }
        _ => Answer::not_found(ask.path),
    }
}
