//! BIOS attributes: those that hold, and those that hold after the next boot, under the name that the
//! flavour has for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::resources::{add, head, here, link};
use super::words;

const KIND: &str = "#Bios.v1_1_1.Bios";

/// The BIOS resource; `parts` are those of the path behind `Bios`.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    let Some(settings) = face.habits(index).bios else {
        return Answer::not_found(ask.path);
    };
    match parts {
        [] if ask.reads() => {
            let mut document = head(here(ask), KIND, "Bios", "BIOS Configuration");
            add(
                &mut document,
                json!({
                    "AttributeRegistry": "BiosAttributeRegistry.v1_0_0",
                    "Attributes": face.machine(index).bios,
                    "@Redfish.Settings": {
                        "@odata.type": "#Settings.v1_3_1.Settings",
                        "SettingsObject": link(&format!("{}/{settings}", here(ask))),
                        "SupportedApplyTimes": ["OnReset"],
                    },
                    "Actions": {"#Bios.ResetBios": {
                        "target": format!("{}/Actions/Bios.ResetBios", here(ask)),
                    }},
                }),
            );
            Answer::document(document)
        }
        [id] if *id == settings && ask.reads() => {
            let mut document = head(here(ask), KIND, id, "BIOS Settings");
            let pending = json!({"Attributes": face.machine(index).bios_pending});
            add(&mut document, pending);
            Answer::document(document)
        }
        [id] if *id == settings && matches!(*ask.method, Method::PATCH | Method::PUT) => {
            set(face, index, &ask.body)
        }
        ["Actions", "Bios.ResetBios"] if *ask.method == Method::POST => {
            let mut machine = face.machine(index);
            machine.bios_pending = words::factory_bios();
            Answer::empty(204)
        }
        [] => Answer::not_allowed("GET"),
        [id] if *id == settings => Answer::not_allowed("GET, PATCH"),
        ["Actions", "Bios.ResetBios"] => Answer::not_allowed("POST"),
        _ => Answer::not_found(ask.path),
    }
}

/// Notes attributes for the next boot: all of them, or none where one is wrong.
fn set(face: &Face, index: usize, body: &Value) -> Answer {
    let Some(attributes) = body.get("Attributes").and_then(Value::as_object) else {
        return Answer::missing("Attributes");
    };
    let mut machine = face.machine(index);
    let mut pending = BTreeMap::new();
    for (name, value) in attributes {
        let Some(current) = machine.bios.get(name) else {
            return Answer::unknown_property(name);
        };
        if std::mem::discriminant(current) != std::mem::discriminant(value) {
            let message = format!("The value of the property {name} is of a different type.");
            return Answer::error(400, "PropertyValueTypeError", &message);
        }
        pending.insert(name.clone(), value.clone());
    }
    machine.bios_pending.extend(pending);
    Answer::empty(204)
}
