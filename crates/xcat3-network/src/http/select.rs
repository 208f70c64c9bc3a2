//! Which part of a file a request gets: conditions (RFC 9110, 13) and ranges (RFC 9110, 14).

use std::ops::Range;
use std::time::{Duration, SystemTime};

use super::head::Head;

/// The part of a file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// The whole file.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Nothing: the client has the current version.
    NotModified,
    /// Nothing: the range is beyond the end.
    Unsatisfiable,
}

/// Selects what a GET or HEAD of a file of `len` bytes gets.
#[must_use]
pub fn select(head: &Head, etag: Option<&str>, modified: Option<SystemTime>, len: u64) -> Selected {
    if client_has_current(head, etag, modified) {
        return Selected::NotModified;
    }
    let is_get = head.method == super::Method::Get;
    let Some(range) = head.range.as_deref().filter(|_| is_get) else {
        return Selected::Whole;
    };
    let condition = head.if_range.as_deref();
    if condition.is_some_and(|condition| !if_range_matches(condition, etag, modified)) {
        return Selected::Whole;
    }
    part(range, len)
}

/// Whether the client has the current version (If-None-Match, else If-Modified-Since).
fn client_has_current(head: &Head, etag: Option<&str>, modified: Option<SystemTime>) -> bool {
    if let Some(tags) = &head.if_none_match {
        let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        return match etag {
            Some(etag) => tags.trim() == "*" || tags.split(',').any(|tag| weak(tag) == weak(etag)),
            None => false,
        };
    }
    let since = head.if_modified_since.as_deref();
    let since = since.and_then(|since| httpdate::parse_http_date(since).ok());
    match (since, modified) {
        (Some(since), Some(modified)) => whole_seconds(modified) <= since,
        _ => false,
    }
}

/// Whether an If-Range names the current version, by exactly its tag or its date.
fn if_range_matches(condition: &str, etag: Option<&str>, modified: Option<SystemTime>) -> bool {
    if condition.ends_with('"') {
        return etag == Some(condition) && !condition.starts_with("W/");
    }
    let date = httpdate::parse_http_date(condition).ok();
    date.is_some() && date == modified.map(whole_seconds)
}

/// A time in whole seconds, which is the resolution of dates in HTTP.
fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// The bytes that a Range field names. Malformed fields and lists of ranges select the whole file, as
/// RFC 9110, 14.2 allows.
fn part(range: &str, len: u64) -> Selected {
    let Some((unit, range)) = range.split_once('=') else {
        return Selected::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Selected::Whole;
    }
    let Some((first, last)) = range.trim().split_once('-') else {
        return Selected::Whole;
    };
    let selected = match (byte_position(first), byte_position(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(len),
        (Some(first), None) if last.is_empty() => first..len,
        (None, Some(suffix)) if first.is_empty() => len.saturating_sub(suffix)..len,
        _ => return Selected::Whole,
    };
    if selected.is_empty() {
        return Selected::Unsatisfiable;
    }
    Selected::Part(selected)
}

/// A number of bytes; one that is too large for a `u64` is the largest.
fn byte_position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::head;

    const TAG: Option<&str> = Some("\"a1\"");

    fn get(fields: &str) -> Head {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        head::parse(text.as_bytes())
            .expect("a request")
            .expect("complete")
            .0
    }

    fn time() -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500))
    }

    fn selected(fields: &str) -> Selected {
        select(&get(fields), TAG, time(), 100)
    }

    #[test]
    fn range_field_selects_its_bytes() {
        for (range, expected) in [
            ("bytes=0-0", Selected::Part(0..1)),
            ("bytes=10-", Selected::Part(10..100)),
            ("bytes=90-1000", Selected::Part(90..100)),
            ("bytes=-7", Selected::Part(93..100)),
            ("bytes=-1000", Selected::Part(0..100)),
            ("Bytes=5-6", Selected::Part(5..7)),
            ("bytes=99-99999999999999999999999", Selected::Part(99..100)),
            ("bytes=100-", Selected::Unsatisfiable),
            ("bytes=99999999999999999999999-", Selected::Unsatisfiable),
            ("bytes=-0", Selected::Unsatisfiable),
            ("bytes=7-6", Selected::Whole),
            ("bytes=0-1,5-6", Selected::Whole),
            ("bytes=-", Selected::Whole),
            ("bytes=+1-2", Selected::Whole),
            ("items=0-1", Selected::Whole),
            ("bytes", Selected::Whole),
        ] {
            assert_eq!(
                selected(&format!("Range: {range}\r\n")),
                expected,
                "{range}"
            );
        }
        let nothing = select(&get("Range: bytes=0-\r\n"), TAG, time(), 0);
        assert_eq!(nothing, Selected::Unsatisfiable);
    }

    #[test]
    fn condition_fields_select_by_version() {
        const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const OLDER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
        for (fields, expected) in [
            ("If-None-Match: \"a1\"", Selected::NotModified),
            ("If-None-Match: \"b\", W/\"a1\"", Selected::NotModified),
            ("If-None-Match: *", Selected::NotModified),
            ("If-None-Match: \"b\"", Selected::Whole),
            (&format!("If-Modified-Since: {SAME}"), Selected::NotModified),
            (&format!("If-Modified-Since: {OLDER}"), Selected::Whole),
            (
                &format!("If-None-Match: \"b\"\r\nIf-Modified-Since: {SAME}"),
                Selected::Whole,
            ),
            ("If-Modified-Since: yesterday", Selected::Whole),
            ("Range: bytes=1-2\r\nIf-Range: \"a1\"", Selected::Part(1..3)),
            ("Range: bytes=1-2\r\nIf-Range: W/\"a1\"", Selected::Whole),
            ("Range: bytes=1-2\r\nIf-Range: \"b\"", Selected::Whole),
            (
                &format!("Range: bytes=1-2\r\nIf-Range: {SAME}"),
                Selected::Part(1..3),
            ),
            (
                &format!("Range: bytes=1-2\r\nIf-Range: {OLDER}"),
                Selected::Whole,
            ),
            ("Range: bytes=1-2\r\nIf-Range: yesterday", Selected::Whole),
        ] {
            assert_eq!(selected(&format!("{fields}\r\n")), expected, "{fields}");
        }
    }

    #[test]
    fn file_without_tag_and_date_is_always_sent() {
        let head = get("If-None-Match: *\r\n");
        assert_eq!(select(&head, None, None, 1), Selected::Whole);
        let head = get("Range: bytes=0-0\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
        assert_eq!(select(&head, None, None, 1), Selected::Whole);
    }

    proptest! {
        #[test]
        fn selected_part_is_inside_the_file(range in "(bytes=)?[-0-9, ]{0,30}", len: u64) {
            if let Selected::Part(part) = part(&range, len) {
                prop_assert!(part.start < part.end && part.end <= len);
            }
        }
    }
}
