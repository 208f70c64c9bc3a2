//! `$expand` (DSP0266, query parameters): a collection with its members in it.

use std::sync::Arc;

use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::Value;

use super::answer::Answer;
use super::face::{Ask, Face};
use super::flavour::Expand;
use super::resources;

/// Levels that are told at once.
pub(super) const MOST_LEVELS: u32 = 1;

/// `answer` to a reading request, with the members of the collection in it where that is asked for.
pub(super) fn expanded(face: &Arc<Face>, index: usize, ask: &Ask<'_>, answer: Answer) -> Answer {
    let Some(wanted) = ask.parameter("$expand") else {
        return answer;
    };
    match face.habits(index).expand {
        Expand::Ignored => return answer,
        Expand::Refused => {
            let message = "Querying is not supported by the implementation.";
            return Answer::error(501, "QueryNotSupported", message);
        }
        Expand::Done => {}
    }
    let wanted = wanted.replace("%24", "$");
    let (which, levels) = wanted.split_at(wanted.len().min(1));
    match (which, levels) {
        ("." | "*", "" | "($levels=1)") => filled(face, index, answer),
        // Members stand below a collection, not in its links.
        ("~", "" | "($levels=1)") => answer,
        _ => {
            let message =
                format!("The value '{wanted}' for the parameter $expand is of a different format.");
            Answer::error(400, "QueryParameterValueFormatError", &message)
        }
    }
}

fn filled(face: &Arc<Face>, index: usize, mut answer: Answer) -> Answer {
    let members = answer.body.get_mut("Members").and_then(Value::as_array_mut);
    for member in members.into_iter().flatten() {
        if let Some(whole) = referred(face, index, member) {
            *member = whole;
        }
    }
    answer
}

/// The document that `member` refers to, where it is a reference and nothing more.
fn referred(face: &Arc<Face>, index: usize, member: &Value) -> Option<Value> {
    let fields = member.as_object().filter(|fields| fields.len() == 1)?;
    let uri = fields.get("@odata.id")?.as_str()?.parse().ok()?;
    let headers = HeaderMap::new();
    let ask = Ask::new(&Method::GET, &uri, &headers, Value::Null);
    let answer = resources::answer(face, index, &ask);
    (answer.status == 200).then_some(answer.body)
}
