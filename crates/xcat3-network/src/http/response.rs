//! Answers, and the header of one as it goes over the wire.

use std::borrow::Cow;
use std::io::Write;
use std::time::SystemTime;

use super::content_type;
use super::head::{Bad, Head};
use super::select::{Selected, select};
use crate::content::Content;
use crate::path::percent_encode;

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub content: Content,
    /// What the body is.
    pub content_type: Cow<'static, str>,
    /// An entity tag, with its quotation marks: the same for the same bytes only.
    pub etag: Option<String>,
    /// When the content was last changed.
    pub modified: Option<SystemTime>,
    /// Where to go instead.
    pub location: Option<String>,
    /// Computed for this request: nobody may keep it.
    pub is_volatile: bool,
}

impl Response {
    /// A file. Its type is told by the path; set tag and date where there are any.
    #[must_use]
    pub fn file(path: &str, content: Content) -> Self {
        Self {
            status: 200,
            content,
            content_type: content_type::of(path).into(),
            etag: None,
            modified: None,
            location: None,
            is_volatile: false,
        }
    }

    /// Text computed for this request.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            content: Content::from(text.into()),
            content_type: content_type::TEXT.into(),
            etag: None,
            modified: None,
            location: None,
            is_volatile: true,
        }
    }

    /// There is nothing of that name; the sentence says so to whoever reads it.
    #[must_use]
    pub fn not_found(sentence: &str) -> Self {
        Self::text(404, format!("{sentence}\n"))
    }

    /// It is not for this client; the sentence says so to whoever reads it.
    #[must_use]
    pub fn forbidden(sentence: &str) -> Self {
        Self::text(403, format!("{sentence}\n"))
    }

    /// What was asked is not done to what is there; the sentence says so to whoever reads it.
    #[must_use]
    pub fn wrong_method() -> Self {
        Self::text(405, "This can't be done to it.\n")
    }

    /// It is elsewhere on this server: at this path, which is not encoded yet.
    #[must_use]
    pub fn moved(path: &str) -> Self {
        Self {
            location: Some(percent_encode(path)),
            ..Self::text(301, format!("It is at {path} .\n"))
        }
    }

    pub(super) fn bad(bad: &Bad) -> Self {
        Self::text(bad.status, format!("{}\n", bad.sentence))
    }

    /// What is left of this answer when the client's conditions and range are looked at: the answer
    /// and, of a part, the Content-Range.
    pub(super) fn select(mut self, head: &Head) -> (Self, Option<String>) {
        let is_read = matches!(head.method, super::Method::Get | super::Method::Head);
        if self.status != 200 || !is_read {
            return (self, None);
        }
        let len = self.content.len();
        match select(head, self.etag.as_deref(), self.modified, len) {
            Selected::Whole => (self, None),
            Selected::Part(part) => {
                self.status = 206;
                let range = format!("bytes {}-{}/{len}", part.start, part.end - 1);
                self.content = self.content.slice(part);
                (self, Some(range))
            }
            Selected::NotModified => {
                self.status = 304;
                self.content = Content::from("");
                (self, None)
            }
            Selected::Unsatisfiable => {
                let sentence = format!("The range is beyond the end, which is at {len} bytes.\n");
                (Self::text(416, sentence), Some(format!("bytes */{len}")))
            }
        }
    }

    /// Writes the header into `out`, in place of what is there.
    pub(super) fn write_head(&self, range: Option<&str>, keep: Keep, out: &mut Vec<u8>) {
        out.clear();
        let now = httpdate::HttpDate::from(SystemTime::now());
        let status = self.status;
        let reason = reason(status);
        field(
            out,
            format_args!("HTTP/1.1 {status} {reason}\r\nServer: xcat3\r\nDate: {now}"),
        );
        if !matches!(status, 204 | 304) {
            field(out, format_args!("Content-Length: {}", self.content.len()));
            if !self.content.is_empty() && is_field_text(&self.content_type) {
                field(out, format_args!("Content-Type: {}", self.content_type));
            }
        }
        if let Some(etag) = self.etag.as_deref().filter(|etag| is_field_text(etag)) {
            field(out, format_args!("ETag: {etag}"));
        }
        if let Some(modified) = self.modified {
            let modified = httpdate::HttpDate::from(modified.max(SystemTime::UNIX_EPOCH));
            field(out, format_args!("Last-Modified: {modified}"));
        }
        if let Some(location) = self.location.as_deref().filter(|text| is_field_text(text)) {
            field(out, format_args!("Location: {location}"));
        }
        match (status, range) {
            (_, Some(range)) => field(out, format_args!("Content-Range: {range}")),
            (200, None) if !self.is_volatile => field(out, format_args!("Accept-Ranges: bytes")),
            (405, None) => field(out, format_args!("Allow: GET, HEAD, PUT, POST")),
            (503, None) => field(out, format_args!("Retry-After: 5")),
            _ => {}
        }
        if self.is_volatile {
            field(out, format_args!("Cache-Control: no-store"));
        }
        match keep {
            Keep::Open => {}
            Keep::OpenOld => field(out, format_args!("Connection: keep-alive")),
            Keep::Close => field(out, format_args!("Connection: close")),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It stays open, as HTTP/1.1 expects.
    Open,
    /// It stays open, of which a client of HTTP/1.0 has to be told.
    OpenOld,
    /// It is closed.
    Close,
}

fn field(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
    out.extend_from_slice(b"\r\n");
}

/// Whether a text can't be taken for anything but the value of a field.
fn is_field_text(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, range: Option<&str>, keep: Keep) -> String {
        let mut out = b"before".to_vec();
        response.write_head(range, keep, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_header() {
        let response = Response {
            etag: Some("\"a\"".to_owned()),
            modified: Some(SystemTime::UNIX_EPOCH),
            ..Response::file("a.efi", Content::from("1234"))
        };
        let text = written(&response, None, Keep::Open);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        for line in [
            "Content-Length: 4",
            "Content-Type: application/efi",
            "ETag: \"a\"",
            "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT",
            "Accept-Ranges: bytes",
        ] {
            assert!(
                text.contains(&format!("\r\n{line}\r\n")),
                "{line} in {text}"
            );
        }
        assert!(!text.contains("Connection"), "{text}");
    }

    #[test]
    fn fields_can_not_be_smuggled_in() {
        let response = Response {
            etag: Some("\"a\"\r\nX: y".to_owned()),
            location: Some("/a\r\nX: y".to_owned()),
            content_type: "a\r\nX: y".into(),
            ..Response::text(200, "a")
        };
        assert!(!written(&response, None, Keep::Close).contains("X: y"));
        let moved = Response::moved("/a b\r\nX: y/é");
        let text = written(&moved, None, Keep::Close);
        assert!(
            text.contains("\r\nLocation: /a%20b%0D%0AX%3A%20y/%C3%A9\r\n"),
            "{text}"
        );
    }
}
