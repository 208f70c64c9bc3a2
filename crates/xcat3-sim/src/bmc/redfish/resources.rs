//! Which resource a path means. Below are the words that all resources share: collections with their
//! pages, links, fields of a request.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::{bios, chassis, hardware, logs, managers, media, root, systems, tasks, update};

/// Members of a page where the client does not say.
const PAGE: usize = 50;

/// The answer of the resource at the path of the request.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>) -> Answer {
    let habits = face.habits(index);
    let Some(parts) = ask.parts.strip_prefix(&["redfish", "v1"]) else {
        return Answer::not_found(ask.path);
    };
    match parts {
        ["SessionService", rest @ ..] => root::sessions(face, index, ask, rest),
        ["AccountService", rest @ ..] if habits.sessions => root::accounts(face, index, ask, rest),
        ["TaskService", rest @ ..] => tasks::answer(face, index, ask, rest),
        ["UpdateService", rest @ ..] => update::answer(face, index, ask, rest),
        ["Systems"] => listed(ask, "ComputerSystem", "Computer System", habits.system),
        ["Systems", id, rest @ ..] if *id == habits.system => match rest {
            ["Bios", rest @ ..] => bios::answer(face, index, ask, rest),
            ["LogServices", rest @ ..] => logs::answer(face, index, ask, false, rest),
            ["VirtualMedia", rest @ ..] => media::answer(face, index, ask, false, rest),
            [
                "Processors" | "Memory" | "Storage" | "SimpleStorage" | "EthernetInterfaces"
                | "SecureBoot",
                ..,
            ] => hardware::answer(face, index, ask, rest),
            _ => systems::answer(face, index, ask, rest),
        },
        ["Chassis"] => listed(ask, "Chassis", "Chassis", habits.chassis),
        ["Chassis", id, rest @ ..] if *id == habits.chassis => {
            chassis::answer(face, index, ask, rest)
        }
        ["Managers"] => listed(ask, "Manager", "Manager", habits.manager),
        ["Managers", id, rest @ ..] if *id == habits.manager => match rest {
            ["LogServices", rest @ ..] => logs::answer(face, index, ask, true, rest),
            ["VirtualMedia", rest @ ..] => media::answer(face, index, ask, true, rest),
            _ => managers::answer(face, index, ask, rest),
        },
        _ => Answer::not_found(ask.path),
    }
}

/// A collection of one member.
fn listed(ask: &Ask<'_>, kind: &str, name: &str, id: &str) -> Answer {
    collection(ask, kind, name, &[id.to_owned()])
}

/// The collection at the path of the request, with links to its members.
pub(super) fn collection(ask: &Ask<'_>, kind: &str, name: &str, ids: &[String]) -> Answer {
    let path = here(ask);
    let link_to = |id: &String| link(&format!("{path}/{id}"));
    paged(ask, kind, name, ids.len(), PAGE, |range| {
        ids[range].iter().map(link_to).collect()
    })
}

/// A page of the collection at the path of the request: from `$skip`, `$top` members or those that fit.
pub(super) fn paged(
    ask: &Ask<'_>,
    kind: &str,
    name: &str,
    count: usize,
    page: usize,
    members: impl FnOnce(std::ops::Range<usize>) -> Vec<Value>,
) -> Answer {
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    let path = here(ask);
    let skip = number(ask, "$skip").unwrap_or(0).min(count);
    let wanted = number(ask, "$top").unwrap_or(usize::MAX);
    let end = count.min(skip + page.min(wanted));
    let mut document = json!({
        "@odata.id": path,
        "@odata.type": format!("#{kind}Collection.{kind}Collection"),
        "Name": format!("{name} Collection"),
        "Members@odata.count": count,
        "Members": members(skip..end),
    });
    if end < count && end - skip < wanted {
        let next = format!("{path}?$skip={end}");
        document["Members@odata.nextLink"] = next.into();
    }
    Answer::document(document)
}

fn number(ask: &Ask<'_>, name: &str) -> Option<usize> {
    ask.parameter(name)?.parse().ok()
}

/// The path of the request without a slash at its end.
pub(super) fn here<'a>(ask: &Ask<'a>) -> &'a str {
    ask.path.trim_end_matches('/')
}

/// A reference to another resource.
pub(super) fn link(path: &str) -> Value {
    json!({"@odata.id": path})
}

/// A text of a request's document.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

/// The head of a document: its address, type, id and name.
pub(super) fn head(path: &str, kind: &str, id: &str, name: &str) -> Value {
    json!({"@odata.id": path, "@odata.type": kind, "Id": id, "Name": name})
}

/// Adds fields to a document.
pub(super) fn add(document: &mut Value, more: Value) {
    if let (Some(fields), Value::Object(more)) = (document.as_object_mut(), more) {
        fields.extend(more);
    }
}
