//! Logs: one log service, under the system or the manager as the flavour has it, whose entries come in
//! pages.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::resources::{add, collection, head, here, link, paged};
use super::words::{rfc3339, severity};
use crate::bmc::machine::Event;

/// The log services; `parts` are those of the path behind `LogServices`.
pub(super) fn answer(
    face: &Arc<Face>,
    index: usize,
    ask: &Ask<'_>,
    of_manager: bool,
    parts: &[&str],
) -> Answer {
    if face.habits(index).manager_logs != of_manager {
        return Answer::not_found(ask.path);
    }
    match parts {
        [] => collection(ask, "LogService", "Log Services", &["SEL".to_owned()]),
        ["SEL", "Actions", "LogService.ClearLog"] => {
            if *ask.method != Method::POST {
                return Answer::not_allowed("POST");
            }
            face.machine(index).clear_log();
            Answer::empty(204)
        }
        _ if !ask.reads() => Answer::not_allowed("GET"),
        ["SEL"] => Answer::document(service(here(ask))),
        ["SEL", "Entries"] => {
            let machine = face.machine(index);
            let (events, path) = (&machine.events, here(ask));
            let page = face.options.page;
            paged(ask, "LogEntry", "Log Entry", events.len(), page, |range| {
                events[range]
                    .iter()
                    .map(|event| entry(&format!("{path}/{}", event.id), event))
                    .collect()
            })
        }
        ["SEL", "Entries", id] => {
            let machine = face.machine(index);
            let id = id.parse().ok();
            let event = machine.events.iter().find(|event| Some(event.id) == id);
            match event {
                Some(event) => Answer::document(entry(here(ask), event)),
                None => Answer::not_found(ask.path),
            }
        }
        _ => Answer::not_found(ask.path),
    }
}

fn service(path: &str) -> Value {
    let mut document = head(
        path,
        "#LogService.v1_2_0.LogService",
        "SEL",
        "System Event Log",
    );
    add(
        &mut document,
        json!({
            "ServiceEnabled": true,
            "LogEntryType": "SEL",
            "OverWritePolicy": "WrapsWhenFull",
            "Entries": link(&format!("{path}/Entries")),
            "Actions": {"#LogService.ClearLog": {
                "target": format!("{path}/Actions/LogService.ClearLog"),
            }},
        }),
    );
    document
}

fn entry(path: &str, event: &Event) -> Value {
    let id = event.id.to_string();
    let mut document = head(path, "#LogEntry.v1_8_0.LogEntry", &id, "Log Entry");
    add(
        &mut document,
        json!({
            "EntryType": "SEL",
            "Severity": severity(event.severity),
            "Created": rfc3339(event.time),
            "SensorType": event.source,
            "Message": event.message,
        }),
    );
    document
}
