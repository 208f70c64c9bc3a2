//! Paths as clients ask for them, brought into one form. A path is looked up in an index of what may
//! be served and never given to the file system; this only sees to it that one content has one name.

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
/// A `%` without two hexadecimal digits, or what comes out is not UTF-8.
pub fn percent_decode(text: &str) -> Result<String, BadPath> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(BadPath::Percent);
        };
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return Err(BadPath::Percent);
        };
        bytes.push(high * 16 + low);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| BadPath::NotUtf8)
}

/// Encodes a path for a URL: all but slashes and the unreserved characters of RFC 3986.
#[must_use]
pub fn percent_encode(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
                encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
        }
    }
    encoded
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
