//! The netascii form of a file (RFC 764 as RFC 1350 uses it): a line ends with CR LF, and a CR that
//! does not end a line is followed by NUL.

/// The netascii form of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut ascii = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for &byte in bytes {
        match byte {
            b'\n' => ascii.extend_from_slice(b"\r\n"),
            b'\r' => ascii.extend_from_slice(b"\r\0"),
            byte => ascii.push(byte),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(ascii: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = ascii.iter();
        while let Some(&byte) = rest.next() {
            bytes.push(match byte {
                b'\r' => match rest.next() {
                    Some(b'\n') => b'\n',
                    Some(0) => b'\r',
                    other => panic!("CR before {other:?}"),
                },
                byte => byte,
            });
        }
        bytes
    }

    #[test]
    fn line_ends_are_encoded() {
        assert_eq!(encode(b"a\nb\r\n"), b"a\r\nb\r\0\r\n");
    }

    proptest! {
        #[test]
        fn encoded_bytes_decode_to_the_same(bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)), bytes);
        }
    }
}
