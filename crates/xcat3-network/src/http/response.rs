//! Responses and their headers on the wire.

use std::borrow::Cow;
use std::io::Write;
use std::time::SystemTime;

use super::content_type;
use super::head::{BadRequest, Head};
use super::select::{Selected, select};
use crate::content::Content;

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body.
    pub content: Content,
    /// The media type of the body.
    pub content_type: Cow<'static, str>,
    /// An entity tag, with its quotation marks: equal for equal bytes only.
    pub etag: Option<String>,
    /// When the content was last changed.
    pub modified: Option<SystemTime>,
    /// Whether the body was computed for this request and must not be cached.
    pub is_volatile: bool,
}

impl Response {
    /// A file. The media type follows from the path; the caller sets entity tag and date.
    #[must_use]
    pub fn file(path: &str, content: Content) -> Self {
        Self {
            status: 200,
            content,
            content_type: content_type::for_path(path).into(),
            etag: None,
            modified: None,
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
            is_volatile: true,
        }
    }

    /// 404 with a sentence.
    #[must_use]
    pub fn not_found(sentence: &str) -> Self {
        Self::text(404, format!("{sentence}\n"))
    }

    /// 403 with a sentence.
    #[must_use]
    pub fn forbidden(sentence: &str) -> Self {
        Self::text(403, format!("{sentence}\n"))
    }

    /// 405.
    #[must_use]
    pub fn wrong_method() -> Self {
        Self::text(405, "This path does not support the method.\n")
    }

    pub(super) fn bad(bad: &BadRequest) -> Self {
        Self::text(bad.status, format!("{}\n", bad.sentence))
    }

    /// Applies the client's conditions and range. Returns the response to send and, for a range, the
    /// Content-Range field.
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

    /// Replaces the contents of `out` by the header.
    pub(super) fn write_head(
        &self,
        range: Option<&str>,
        persistence: Persistence,
        out: &mut Vec<u8>,
    ) {
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
        match persistence {
            Persistence::KeepAlive => {}
            Persistence::KeepAliveHttp10 => field(out, format_args!("Connection: keep-alive")),
            Persistence::Close => field(out, format_args!("Connection: close")),
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Whether the connection stays open after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Open, which is the default of HTTP/1.1.
    KeepAlive,
    /// Open, which a client of HTTP/1.0 learns from a header field.
    KeepAliveHttp10,
    /// Closed.
    Close,
}

fn field(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = out.write_fmt(text);
    out.extend_from_slice(b"\r\n");
}

/// Whether a text is safe as the value of a header field.
fn is_field_text(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, range: Option<&str>, persistence: Persistence) -> String {
        let mut out = b"before".to_vec();
        response.write_head(range, persistence, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn file_response_header_has_its_fields() {
        let response = Response {
            etag: Some("\"a\"".to_owned()),
            modified: Some(SystemTime::UNIX_EPOCH),
            ..Response::file("a.efi", Content::from("1234"))
        };
        let text = written(&response, None, Persistence::KeepAlive);
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
    fn line_break_in_value_drops_the_field() {
        let response = Response {
            etag: Some("\"a\"\r\nX: y".to_owned()),
            content_type: "a\r\nX: y".into(),
            ..Response::text(200, "a")
        };
        assert!(!written(&response, None, Persistence::Close).contains("X: y"));
    }
}
