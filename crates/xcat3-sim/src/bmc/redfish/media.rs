//! Virtual media, under the manager or the system as the flavour has it; inserted by action, or by a
//! change of `Image` where the flavour knows no actions.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::flavour::{Habits, MediaAt};
use super::resources::{add, collection, head, here, text};
use super::tasks;
use crate::bmc::machine::Slot;

/// The virtual media; `parts` are those of the path behind `VirtualMedia`.
pub(super) fn answer(
    face: &Arc<Face>,
    index: usize,
    ask: &Ask<'_>,
    of_manager: bool,
    parts: &[&str],
) -> Answer {
    let habits = face.habits(index);
    let here_too = match habits.media {
        MediaAt::Manager => of_manager,
        MediaAt::System => !of_manager,
        MediaAt::Both => true,
        MediaAt::Nowhere => false,
    };
    if !here_too {
        return Answer::not_found(ask.path);
    }
    let Some((id, rest)) = parts.split_first() else {
        let names = face.machine(index).media.clone();
        let names: Vec<String> = names.iter().map(|slot| slot.name.to_owned()).collect();
        return collection(ask, "VirtualMedia", "Virtual Media", &names);
    };
    let Some(slot) = slot(face, index, id) else {
        return Answer::not_found(ask.path);
    };
    match rest {
        [] if ask.reads() => Answer::document(document(here(ask), &slot, &habits)),
        [] if *ask.method == Method::PATCH && !habits.media_actions => {
            patch(face, index, &slot, &ask.body)
        }
        [] => Answer::not_allowed("GET"),
        ["Actions", action] if habits.media_actions && *ask.method == Method::POST => {
            act(face, index, &slot, action, ask)
        }
        _ => Answer::not_found(ask.path),
    }
}

fn slot(face: &Face, index: usize, id: &str) -> Option<Slot> {
    let machine = face.machine(index);
    machine.media.iter().find(|slot| slot.name == id).cloned()
}

fn put(face: &Face, index: usize, id: &str, image: Option<String>) {
    let mut machine = face.machine(index);
    if let Some(slot) = machine.media.iter_mut().find(|slot| slot.name == id) {
        slot.image = image;
    }
}

fn document(path: &str, slot: &Slot, habits: &Habits) -> Value {
    let kind = "#VirtualMedia.v1_3_0.VirtualMedia";
    let mut document = head(path, kind, slot.name, "Virtual Removable Media");
    let file = slot.image.as_deref().map(file_name);
    add(
        &mut document,
        json!({
            "MediaTypes": slot.kinds,
            "Image": slot.image,
            "ImageName": file,
            "Inserted": slot.image.is_some(),
            "ConnectedVia": if slot.image.is_some() { "URI" } else { "NotConnected" },
            "WriteProtected": true,
        }),
    );
    if habits.media_actions {
        let target = |action: &str| json!({"target": format!("{path}/Actions/{action}")});
        let actions = json!({
            "#VirtualMedia.InsertMedia": target("VirtualMedia.InsertMedia"),
            "#VirtualMedia.EjectMedia": target("VirtualMedia.EjectMedia"),
        });
        add(&mut document, json!({"Actions": actions}));
    }
    document
}

fn file_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn act(face: &Arc<Face>, index: usize, slot: &Slot, action: &str, ask: &Ask<'_>) -> Answer {
    let image = match action {
        "VirtualMedia.InsertMedia" => match text(&ask.body, "Image") {
            Some(_) if slot.image.is_some() => {
                return Answer::conflict("The virtual media is in use: eject what is inserted.");
            }
            Some(image) if is_url(image) => Some(image.to_owned()),
            Some(_) => return Answer::bad_value("Image", &ask.body["Image"]),
            None => return Answer::missing("Image"),
        },
        "VirtualMedia.EjectMedia" if slot.image.is_none() => {
            return Answer::conflict("The virtual media holds no image.");
        }
        "VirtualMedia.EjectMedia" => None,
        _ => return Answer::not_found(ask.path),
    };
    let name = slot.name;
    if face.options.tasks {
        return tasks::begin(face, index, "Virtual Media", move |face| {
            put(face, index, name, image);
        });
    }
    put(face, index, name, image);
    Answer::empty(204)
}

fn patch(face: &Face, index: usize, slot: &Slot, body: &Value) -> Answer {
    let image = match body.get("Image") {
        Some(Value::Null) => None,
        Some(Value::String(image)) if is_url(image) => Some(image.clone()),
        Some(value) => return Answer::bad_value("Image", value),
        None => match body.get("Inserted") {
            Some(Value::Bool(false)) => None,
            _ => return Answer::missing("Image"),
        },
    };
    put(face, index, slot.name, image);
    Answer::empty(204)
}

fn is_url(image: &str) -> bool {
    let schemes = ["http://", "https://", "nfs://", "cifs://", "smb://"];
    image.len() <= 2048 && schemes.iter().any(|scheme| image.starts_with(scheme))
}
