//! Paths as clients ask for them, brought into one form. A path is looked up in an index of what may
//! be served and never given to the file system; this only sees to it that one content has one name.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Longest path that is looked at.
pub const LONGEST: usize = 4096;

/// Why a path is not looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It leads above the root.
    #[error("the path leads out of what is served")]
    Escapes,
    /// Control characters.
    #[error("the path has control characters in it")]
    Control,
    /// Longer than [`LONGEST`].
    #[error("the path is longer than 4096 bytes")]
    TooLong,
    /// Some other encoding.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a '%' that is not followed by two hexadecimal digits")]
    Percent,
}

/// The names of a path joined by single slashes, without one at the beginning. Empty names and `.`
/// are left out, `..` takes away the name before it, a slash at the end stays.
///
/// # Errors
/// Says why it is not looked up.
pub fn normalise(path: &str) -> Result<String, BadPath> {
    if path.len() > LONGEST {
        return Err(BadPath::TooLong);
    }
    if path.chars().any(char::is_control) {
        return Err(BadPath::Control);
    }
    let mut normal = String::with_capacity(path.len());
    let mut is_directory = false;
    for name in path.split('/') {
        is_directory = matches!(name, "" | "." | "..");
        match name {
            "" | "." => {}
            ".." if normal.is_empty() => return Err(BadPath::Escapes),
            ".." => normal.truncate(normal.rfind('/').unwrap_or(0)),
            name => {
                if !normal.is_empty() {
                    normal.push('/');
                }
                normal.push_str(name);
            }
        }
    }
    if is_directory && !normal.is_empty() {
        normal.push('/');
    }
    Ok(normal)
}

/// Decodes `%` escapes (RFC 3986 section 2.1).
///
/// # Errors
/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
pub fn percent_decode(text: &str) -> Result<String, BadPath> {
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(BadPath::Percent);
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| BadPath::NotUtf8)
}

/// All but slashes and the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes a path for a URL.
#[must_use]
pub fn percent_encode(path: &str) -> String {
    utf8_percent_encode(path, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form() {
        for (path, normal) in [
            ("/images/deb//pool/./a", "images/deb/pool/a"),
            ("//a", "a"),
            ("a/b/", "a/b/"),
            ("a/b/..", "a/"),
            ("a/../b", "b"),
            ("/", ""),
            ("", ""),
            ("a/..", ""),
            ("...", "..."),
        ] {
            assert_eq!(normalise(path).as_deref(), Ok(normal), "{path:?}");
        }
        for path in ["..", "/..", "a/../..", "/../etc/passwd", "./../a"] {
            assert_eq!(normalise(path), Err(BadPath::Escapes), "{path:?}");
        }
        assert_eq!(normalise("a\0b"), Err(BadPath::Control));
        assert_eq!(normalise("a\nb"), Err(BadPath::Control));
        assert_eq!(normalise(&"a".repeat(4097)), Err(BadPath::TooLong));
    }

    #[test]
    fn percent() {
        assert_eq!(percent_decode("a%2Bb%20c+").as_deref(), Ok("a+b c+"));
        assert_eq!(percent_decode("%2e%2E/%C3%a9").as_deref(), Ok("../é"));
        for bad in ["%", "%a", "a%", "%+1", "%g0", "%%41"] {
            assert_eq!(percent_decode(bad), Err(BadPath::Percent), "{bad:?}");
        }
        assert_eq!(percent_decode("%ff"), Err(BadPath::NotUtf8));
    }

    proptest! {
        #[test]
        fn normal_paths_never_lead_upwards(path in "[a./\\PC]{0,40}") {
            if let Ok(normal) = normalise(&path) {
                prop_assert!(!normal.starts_with('/'));
                prop_assert!(normal.split('/').all(|name| !matches!(name, "." | "..")));
                prop_assert!(!normal.contains("//"));
                prop_assert_eq!(normalise(&normal), Ok(normal));
            }
        }

        #[test]
        fn what_is_encoded_is_decoded_again(path in "\\PC{0,40}") {
            prop_assert_eq!(percent_decode(&percent_encode(&path)), Ok(path));
        }

        #[test]
        fn decoding_never_panics(text in "[%0-9a-f\\PC]{0,40}") {
            let _ = percent_decode(&text);
        }
    }
}
