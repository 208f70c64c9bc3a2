//! Normal form of the paths that clients request, so that one content has one path.

use percent_encoding::percent_decode_str;

/// Longest path that is accepted, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// The path leads above the root.
    #[error("the path leads out of what is served")]
    Escapes,
    /// The path contains control characters.
    #[error("the path contains control characters")]
    Control,
    /// The path is longer than [`MAX_LENGTH`].
    #[error("the path is longer than 4096 bytes")]
    TooLong,
    /// The path is not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A percent sign without two hexadecimal digits.
    #[error("the path has a '%' that is not followed by two hexadecimal digits")]
    Percent,
}

/// Normalises a path: no slash at the beginning, single slashes between names, no `.` and no `..`. A
/// slash at the end stays.
///
/// # Errors
/// The path is refused.
pub fn normalise(path: &str) -> Result<String, BadPath> {
    if path.len() > MAX_LENGTH {
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

/// Decodes `%` escapes (RFC 3986, 2.1).
///
/// # Errors
/// A `%` is not followed by two hexadecimal digits, or the result is not UTF-8.
pub fn percent_decode(text: &str) -> Result<String, BadPath> {
    // The library leaves malformed escapes as they are.
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(BadPath::Percent);
    }
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded.map_err(|_| BadPath::NotUtf8)?.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn path_is_normalised_or_refused() {
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
    fn percent_escape_is_decoded_or_refused() {
        assert_eq!(percent_decode("a%2Bb%20c+").as_deref(), Ok("a+b c+"));
        assert_eq!(percent_decode("%2e%2E/%C3%a9").as_deref(), Ok("../é"));
        for bad in ["%", "%a", "a%", "%+1", "%g0", "%%41"] {
            assert_eq!(percent_decode(bad), Err(BadPath::Percent), "{bad:?}");
        }
        assert_eq!(percent_decode("%ff"), Err(BadPath::NotUtf8));
    }

    proptest! {
        #[test]
        fn normal_path_never_leads_upwards(path in "[a./\\PC]{0,40}") {
            if let Ok(normal) = normalise(&path) {
                prop_assert!(!normal.starts_with('/'));
                prop_assert!(normal.split('/').all(|name| !matches!(name, "." | "..")));
                prop_assert!(!normal.contains("//"));
                prop_assert_eq!(normalise(&normal), Ok(normal));
            }
        }

        #[test]
        fn percent_decode_of_any_text_does_not_panic(text in "[%0-9a-f\\PC]{0,40}") {
            let _ = percent_decode(&text);
        }
    }
}
