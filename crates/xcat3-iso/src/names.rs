//! Names in directory records, decoded for users.

/// A name in UTF-8, otherwise in Latin-1.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// A Joliet name: UCS-2, big-endian, with an optional version.
pub(crate) fn joliet(identifier: &[u8]) -> String {
    let units = identifier
        .chunks_exact(2)
        .map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
    let name = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    let name: String = name.collect();
    without_version(&name).to_owned()
}

/// A plain ISO 9660 name, shown as Linux does: `README.TXT;1` is `readme.txt`, `KERNEL.;1` is `kernel`.
pub(crate) fn plain(identifier: &[u8]) -> String {
    let name = text(identifier).to_ascii_lowercase();
    without_version(&name).trim_end_matches('.').to_owned()
}

fn without_version(name: &str) -> &str {
    match name.rsplit_once(';') {
        Some((name, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_name_is_shown_as_in_linux() {
        assert_eq!(plain(b"README.TXT;1"), "readme.txt");
        assert_eq!(plain(b"KERNEL.;1"), "kernel");
        assert_eq!(plain(b"DIR"), "dir");
    }

    #[test]
    fn joliet_name_is_decoded_from_ucs2() {
        assert_eq!(joliet(b"\0a\x01\x7e\0;\x001"), "a\u{17e}");
        assert_eq!(joliet(b"\0a\0;\0b"), "a;b");
    }

    #[test]
    fn name_not_utf8_is_decoded_from_latin1() {
        assert_eq!(text(b"caf\xe9"), "caf\u{e9}");
        assert_eq!(text("caf\u{e9}".as_bytes()), "caf\u{e9}");
    }
}
