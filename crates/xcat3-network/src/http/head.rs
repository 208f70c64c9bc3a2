//! The header of a request (RFC 9112). Ambiguous headers are refused, above all those that leave open
//! where a body ends.

use super::Method;
use crate::path::{self, BadPath};

/// Most header fields of a request.
const MAX_FIELDS: usize = 64;

/// The header of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The path, decoded and normalised.
    pub path: String,
    /// The query, not decoded.
    pub query: Option<String>,
    /// Whether the client asks for a persistent connection.
    pub keep_alive: bool,
    /// Whether the client speaks HTTP/1.0.
    pub is_http10: bool,
    /// Length of the body, in bytes.
    pub body: u64,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// The Range field.
    pub range: Option<String>,
    /// The If-Range field.
    pub if_range: Option<String>,
    /// The If-None-Match field.
    pub if_none_match: Option<String>,
    /// The If-Modified-Since field.
    pub if_modified_since: Option<String>,
}

/// A request that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The status of the response.
    pub status: u16,
    /// The reason, as a sentence.
    pub sentence: &'static str,
}

const fn bad<T>(status: u16, sentence: &'static str) -> Result<T, BadRequest> {
    Err(BadRequest { status, sentence })
}

/// Parses the header at the beginning of `bytes` and returns it with its length, or `None` where it
/// is not complete.
///
/// # Errors
/// The request is refused.
pub fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, BadRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return bad(431, "The request has more than 64 header fields.");
        }
        Err(httparse::Error::Version) => {
            return bad(505, "Only HTTP/1.0 and HTTP/1.1 are supported.");
        }
        Err(_) => return bad(400, "The request can't be read."),
    };
    let method = match request.method.unwrap_or_default() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        _ => return bad(405, "Only GET, HEAD, PUT and POST are served."),
    };
    let is_http10 = request.version == Some(0);
    let (path, query) = target(request.path.unwrap_or_default())?;
    let mut head = Head {
        method,
        path,
        query,
        keep_alive: !is_http10,
        is_http10,
        body: 0,
        expects_continue: false,
        range: None,
        if_range: None,
        if_none_match: None,
        if_modified_since: None,
    };
    let has_host = read_fields(request.headers, &mut head)?;
    if !is_http10 && !has_host {
        return bad(400, "The request has no Host field.");
    }
    Ok(Some((head, len)))
}

/// The path and query of a request target, which may be a whole URL (RFC 9112, 3.2).
fn target(target: &str) -> Result<(String, Option<String>), BadRequest> {
    let lower = target.get(..7).map(str::to_ascii_lowercase);
    let target = if lower.as_deref() == Some("http://") {
        let authority_on = &target[7..];
        authority_on
            .find('/')
            .map_or("/", |slash| &authority_on[slash..])
    } else {
        target
    };
    if !target.starts_with('/') {
        return bad(400, "The request is for no path.");
    }
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let path = path::percent_decode(path).and_then(|path| path::normalise(&path));
    match path {
        Ok(path) => Ok((path, query)),
        Err(BadPath::Escapes) => bad(400, "The path leads out of what is served."),
        Err(BadPath::TooLong) => bad(414, "The path is too long."),
        Err(_) => bad(400, "The path is not well-formed."),
    }
}

/// Reads the header fields into `head`. Returns whether there is a Host field.
fn read_fields(headers: &[httparse::Header<'_>], head: &mut Head) -> Result<bool, BadRequest> {
    let (mut length, mut has_host) = (None, false);
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // All fields that are read here have values that are text.
        let Ok(value) = std::str::from_utf8(header.value).map(str::trim) else {
            continue;
        };
        let text = || Some(value.to_owned());
        match header.name.len() {
            4 if is("host") => {
                if has_host {
                    return bad(400, "The request has two Host fields.");
                }
                has_host = true;
            }
            5 if is("range") => head.range = text(),
            6 if is("expect") => {
                if !value.eq_ignore_ascii_case("100-continue") {
                    return bad(417, "This expectation is not supported.");
                }
                head.expects_continue = !head.is_http10;
            }
            8 if is("if-range") => head.if_range = text(),
            10 if is("connection") => {
                for option in value.split(',').map(str::trim) {
                    if option.eq_ignore_ascii_case("close") {
                        head.keep_alive = false;
                    } else if option.eq_ignore_ascii_case("keep-alive") && head.is_http10 {
                        head.keep_alive = true;
                    }
                }
            }
            13 if is("if-none-match") => head.if_none_match = text(),
            14 if is("content-length") => {
                let is_number =
                    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let Some(value) = value.parse::<u64>().ok().filter(|_| is_number) else {
                    return bad(400, "Content-Length is not a number.");
                };
                if length.is_some_and(|length| length != value) {
                    return bad(400, "The request has two different lengths.");
                }
                length = Some(value);
            }
            17 if is("transfer-encoding") => {
                return bad(411, "The body of a request needs a Content-Length.");
            }
            17 if is("if-modified-since") => head.if_modified_since = text(),
            _ => {}
        }
    }
    head.body = length.unwrap_or(0);
    Ok(has_host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(text: &str) -> Result<Head, BadRequest> {
        let text = text.replace('\n', "\r\n");
        parse(text.as_bytes()).map(|found| {
            let (head, len) = found.expect("a complete header");
            assert_eq!(len, text.len());
            head
        })
    }

    fn status(text: &str) -> u16 {
        head(text).expect_err("a bad request").status
    }

    #[test]
    fn request_with_fields_is_parsed() {
        let head = head(
            "GET /images/deb//a%2bb/?x=1&y HTTP/1.1\nHost: h:3011\nrange:  bytes=0-1 \n\
             User-Agent: Wget\nConnection: TE, close\n\n",
        );
        let head = head.expect("a request");
        assert_eq!(head.path, "images/deb/a+b/");
        assert_eq!(head.query.as_deref(), Some("x=1&y"));
        assert_eq!(head.range.as_deref(), Some("bytes=0-1"));
        assert!(!head.keep_alive);
    }

    #[test]
    fn http10_connection_closes_unless_kept_alive() {
        let plain = head("GET / HTTP/1.0\n\n").expect("a request");
        assert!(plain.is_http10 && !plain.keep_alive);
        let persistent = head("GET / HTTP/1.0\nConnection: Keep-Alive\n\n").expect("a request");
        assert!(persistent.keep_alive);
    }

    #[test]
    fn target_as_url_yields_its_path() {
        for (target, path) in [
            ("http://h:3011/a?b", "a"),
            ("HTTP://h/a", "a"),
            ("http://h", ""),
        ] {
            let head = head(&format!("GET {target} HTTP/1.1\nHost: h\n\n"));
            assert_eq!(head.expect("a request").path, path);
        }
    }

    #[test]
    fn malformed_request_is_refused_with_status() {
        for (text, expected) in [
            ("DELETE / HTTP/1.1\nHost: h\n\n", 405),
            ("GET / HTTP/2.0\nHost: h\n\n", 505),
            ("GET / HTTP/1.1\n\n", 400),
            ("GET / HTTP/1.1\nHost: a\nHost: b\n\n", 400),
            ("GET * HTTP/1.1\nHost: h\n\n", 400),
            ("GET /../etc/passwd HTTP/1.1\nHost: h\n\n", 400),
            ("GET /%2e%2e/a HTTP/1.1\nHost: h\n\n", 400),
            ("GET /a%00 HTTP/1.1\nHost: h\n\n", 400),
            ("GET /%zz HTTP/1.1\nHost: h\n\n", 400),
            ("PUT / HTTP/1.1\nHost: h\nContent-Length: +1\n\n", 400),
            ("PUT / HTTP/1.1\nHost: h\nContent-Length: \n\n", 400),
            (
                "PUT / HTTP/1.1\nHost: h\nContent-Length: 1\nContent-Length: 2\n\n",
                400,
            ),
            (
                "PUT / HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\n\n",
                411,
            ),
            ("PUT / HTTP/1.1\nHost: h\nExpect: tea\n\n", 417),
        ] {
            assert_eq!(status(text), expected, "{text}");
        }
        let many = format!("GET / HTTP/1.1\nHost: h\n{}\n", "a: b\n".repeat(64));
        assert_eq!(status(&many), 431);
        let long = format!("GET /{} HTTP/1.1\nHost: h\n\n", "a".repeat(5000));
        assert_eq!(status(&long), 414);
        assert_eq!(parse(b"\x16\x03\x01\x02\0").expect_err("TLS").status, 400);
    }

    #[test]
    fn incomplete_header_is_not_parsed() {
        let whole = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        for len in 0..whole.len() {
            assert_eq!(parse(&whole[..len]), Ok(None), "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn arbitrary_request_yields_normal_path(
            target in "\\PC{0,30}", name in "[a-z-]{1,18}", value in "\\PC{0,30}", version in 0..3
        ) {
            let text = format!("GET {target} HTTP/1.{version}\r\nHost: h\r\n{name}: {value}\r\n\r\n");
            if let Ok(Some((head, len))) = parse(text.as_bytes()) {
                prop_assert_eq!(len, text.len());
                prop_assert!(!head.path.starts_with('/'));
                prop_assert!(head.path.split('/').all(|name| name != ".."));
            }
        }
    }
}
