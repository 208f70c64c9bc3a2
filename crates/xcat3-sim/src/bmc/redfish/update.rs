//! The update service: what firmware there is, and an update that changes nothing.

use std::sync::Arc;

use hyper::Method;
use serde_json::json;

use super::answer::Answer;
use super::face::{Ask, Face};
use super::resources::{add, collection, head, here, link, text};
use super::{tasks, words};

const UPDATE: &str = "UpdateService.SimpleUpdate";

/// The update service; `parts` are those of the path behind `UpdateService`.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    if let (["Actions", UPDATE], &Method::POST) = (parts, ask.method) {
        return match text(&ask.body, "ImageURI") {
            Some(_) => tasks::begin(face, index, "Firmware Update", |_| ()),
            None => Answer::missing("ImageURI"),
        };
    }
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    let path = here(ask);
    match parts {
        [] => {
            let kind = "#UpdateService.v1_8_1.UpdateService";
            let mut document = head(path, kind, "UpdateService", "Update Service");
            let inventory = link(&format!("{path}/FirmwareInventory"));
            let target = json!({"target": format!("{path}/Actions/{UPDATE}")});
            let more = json!({
                "ServiceEnabled": true,
                "FirmwareInventory": inventory,
                "Actions": {format!("#{UPDATE}"): target},
            });
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
