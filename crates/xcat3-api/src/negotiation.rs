//! How a client wants to be answered, as its headers say.
//!
//! - `Accept: application/x-ndjson` (RFC 9110, section 12.5.1): a line for each node as it happens.
//!   It has to be named: `*/*`, which clients send who know nothing of it, is no wish for it.
//! - `Prefer: respond-async` (RFC 7240): the job at once, its outcomes later.
//! - `Idempotency-Key`: a repeated request is the same job.
//! - `Last-Event-ID` (WHATWG HTML, section 9.2): go on after this event.

use axum::http::{HeaderMap, HeaderName, header};

use crate::error::ApiError;

/// The media type of streams: a JSON document a line.
pub const NDJSON: &str = "application/x-ndjson";

/// The longest `Idempotency-Key`, in characters.
const LONGEST_KEY: usize = 255;

/// How to tell what comes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// One document with all outcomes, at the end.
    Together,
    /// Each outcome as it happens.
    Streamed,
    /// Only that there is a job.
    Later,
}

/// How the client wants to hear what comes of a job.
pub fn told(headers: &HeaderMap) -> Told {
    if prefers_async(headers) {
        return Told::Later;
    }
    let accepted = Accepted::of(headers);
    if accepted.lines > 0 && accepted.lines >= accepted.document() {
        return Told::Streamed;
    }
    Told::Together
}

fn prefers_async(headers: &HeaderMap) -> bool {
    let preferences = elements(headers, &HeaderName::from_static("prefer"));
    preferences.iter().any(|preference| {
        let name = preference.split([';', '=']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("respond-async")
    })
}

/// How much a client likes what we have, in thousandths. What it says that can't be understood counts
/// as not said.
#[derive(Debug, Default)]
struct Accepted {
    lines: u16,
    json: Option<u16>,
    application: Option<u16>,
    anything: Option<u16>,
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        for element in elements(headers, &header::ACCEPT) {
            let mut parts = quoted_split(&element, ';').into_iter();
            let range = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let Some(quality) = quality(parts) else {
                continue;
            };
            match range.as_str() {
                NDJSON => accepted.lines = accepted.lines.max(quality),
                "application/json" => accepted.json = accepted.json.max(Some(quality)),
                "application/*" => accepted.application = Some(quality),
                "*/*" => accepted.anything = Some(quality),
                _ => {}
            }
        }
        accepted
    }

    /// The quality of one document: the most specific range counts.
    fn document(&self) -> u16 {
        let quality = self.json.or(self.application).or(self.anything);
        // A range that is there only for what else a server may have is no wish for one document.
        let named = self.json.is_some();
        quality.filter(|_| named || self.lines == 0).unwrap_or(0)
    }
}

/// The `q` among the parameters of a media range, in thousandths; nothing where it is none.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let given = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(text) = given else {
        return Some(1_000);
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

/// The elements of a header that is a list, from all its lines.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|l| l.to_str().ok());
    lines
        .flat_map(|line| quoted_split(line, ','))
        .map(|element| element.trim().to_owned())
        .collect()
}

/// Splits at each `separator` outside quotes.
fn quoted_split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// What tells this request from others.
///
/// # Errors
/// It is given twice, empty, too long, or has something else than visible ASCII.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(ApiError::bad_request("Idempotency-Key is given twice"));
    }
    let key = key.as_bytes();
    if key.is_empty() || key.len() > LONGEST_KEY || !key.iter().all(u8::is_ascii_graphic) {
        return Err(ApiError::bad_request(format!(
            "Idempotency-Key must be 1 to {LONGEST_KEY} visible ASCII characters without spaces"
        )));
    }
    Ok(Some(String::from_utf8_lossy(key).into_owned()))
}

/// After which outcome a client that was cut off wants to go on.
///
/// # Errors
/// It is no number of an outcome.
pub fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let number = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    match number {
        Some(number) if number >= 0 => Ok(Some(number)),
        _ => Err(ApiError::bad_request(
            "Last-Event-ID is not the id of an event of a job: these are numbers",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn lines_are_for_who_names_them() {
        for (accept, expected) in [
            ("application/x-ndjson", Told::Streamed),
            ("Application/X-NDJSON; charset=utf-8", Told::Streamed),
            ("application/x-ndjson;q=0.2", Told::Streamed),
            ("application/x-ndjson, application/json", Told::Streamed),
            ("application/x-ndjson, */*", Told::Streamed),
            ("application/x-ndjson;q=0.5, */*;q=0.8", Told::Streamed),
            ("text/html;x=\",\", application/x-ndjson", Told::Streamed),
            (
                "application/json, application/x-ndjson;q=0.9",
                Told::Together,
            ),
            ("application/x-ndjson;q=0", Told::Together),
            ("application/x-ndjson;q=2", Told::Together),
            ("application/x-ndjson;q=0.1234", Told::Together),
            ("application/x-ndjson;q=", Told::Together),
            ("text/html;x=\"application/x-ndjson", Told::Together),
            ("application/json", Told::Together),
            ("application/*", Told::Together),
            ("*/*", Told::Together),
            ("text/html", Told::Together),
            ("", Told::Together),
            (",,;;=", Told::Together),
        ] {
            assert_eq!(told(&headers(&[("accept", accept)])), expected, "{accept}");
        }
        assert_eq!(told(&HeaderMap::new()), Told::Together);
        let lines = [("accept", "text/html"), ("accept", NDJSON)];
        assert_eq!(told(&headers(&lines)), Told::Streamed);
    }

    #[test]
    fn a_preference_is_found_among_others() {
        for (prefer, expected) in [
            ("respond-async", Told::Later),
            ("Respond-Async", Told::Later),
            ("return=minimal, respond-async; x=1", Told::Later),
            ("respond-async, wait=10", Told::Later),
            ("foo=\"a, respond-async\"", Told::Together),
            ("respond-asynchronously", Told::Together),
            ("wait=10", Told::Together),
        ] {
            assert_eq!(told(&headers(&[("prefer", prefer)])), expected, "{prefer}");
        }
        let both = [("accept", NDJSON), ("prefer", "respond-async")];
        assert_eq!(told(&headers(&both)), Told::Later);
    }

    #[test]
    fn a_key_is_visible_ascii_and_given_once() {
        let key = |text: &str| idempotency_key(&headers(&[("idempotency-key", text)]));
        assert_eq!(key("8e03978e-40d5").unwrap().unwrap(), "8e03978e-40d5");
        assert!(key(&"x".repeat(255)).is_ok());
        for bad in ["", "a b", "ä", &"x".repeat(256)] {
            assert!(key(bad).is_err(), "{bad}");
        }
        let twice = [("idempotency-key", "a"), ("idempotency-key", "a")];
        assert!(idempotency_key(&headers(&twice)).is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn an_event_id_is_a_number() {
        let id = |text: &str| last_event_id(&headers(&[("last-event-id", text)]));
        assert_eq!(id("17").unwrap(), Some(17));
        for bad in ["", "-1", "x", "9999999999999999999999"] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }
}
