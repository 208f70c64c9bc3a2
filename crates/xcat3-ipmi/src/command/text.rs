//! Text in FRU areas and sensor records (Platform Management FRU Information Storage Definition v1.0, 13;
//! IPMI v2.0, 43.15): a type/length byte, then the characters.

/// Encoding of the characters: the two highest bits of the type/length byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// In a FRU: binary. In a sensor record: UTF-16.
    Unspecified,
    /// BCD plus: two digits per byte.
    Bcd,
    /// Four characters in three bytes.
    SixBit,
    /// One byte per character, ASCII and Latin 1; in a FRU in another language than English two bytes.
    EightBit,
}

impl Encoding {
    pub(crate) fn from_type_length(type_length: u8) -> Self {
        match type_length >> 6 {
            0 => Self::Unspecified,
            1 => Self::Bcd,
            2 => Self::SixBit,
            _ => Self::EightBit,
        }
    }
}

/// Decodes text and removes its padding.
pub(crate) fn decode(encoding: Encoding, bytes: &[u8]) -> String {
    let text: String = match encoding {
        Encoding::Unspecified => return hex::encode(bytes),
        Encoding::Bcd => bytes.iter().flat_map(|byte| bcd(*byte)).collect(),
        Encoding::SixBit => six_bit(bytes),
        Encoding::EightBit => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    clean(&text)
}

/// Decodes UTF-16, low byte first.
pub(crate) fn decode_utf16(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let characters = char::decode_utf16(units);
    let text: String = characters
        .map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    clean(&text)
}

/// Cuts the text at the first zero (quirk: names are padded with zeros or end early with one), replaces control
/// characters and trims blanks.
fn clean(text: &str) -> String {
    let text = text.split('\0').next().unwrap_or_default();
    let printable = |one: char| if one.is_control() { ' ' } else { one };
    text.chars()
        .map(printable)
        .collect::<String>()
        .trim()
        .to_owned()
}

const BCD: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ' ', '-', '.', ':', ',', '_',
];

fn bcd(byte: u8) -> [char; 2] {
    [BCD[usize::from(byte >> 4)], BCD[usize::from(byte & 0x0f)]]
}

/// Decodes four characters from three bytes; the first character is in the lowest bits.
fn six_bit(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut bits = 0_u32;
        for (at, byte) in group.iter().enumerate() {
            bits |= u32::from(*byte) << (8 * at);
        }
        for at in 0..group.len() * 8 / 6 {
            let number = (bits >> (6 * at)) & 0x3f;
            text.extend(char::from_u32(number + 0x20));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_each_encoding_is_decoded() {
        // "IPMI" is the example of the specification (43.15).
        assert_eq!(decode(Encoding::SixBit, &[0x29, 0xdc, 0xa6]), "IPMI");
        assert_eq!(decode(Encoding::SixBit, &[0x29, 0xdc]), "IP");
        assert_eq!(
            decode(Encoding::Bcd, &[0x12, 0xb3, 0xc4, 0xd5, 0xe6, 0xfa]),
            "12-3.4:5,6_"
        );
        assert_eq!(
            decode(Encoding::EightBit, b" CPU\xb5\x07x\0 rest"),
            "CPU\u{b5} x"
        );
        assert_eq!(decode(Encoding::Unspecified, &[0x0a, 0xff]), "0aff");
        assert_eq!(decode_utf16(&[0x41, 0, 0xac, 0x20, 0x42]), "A\u{20ac}");
    }

    proptest::proptest! {
        #[test]
        fn text_arbitrary_has_no_control_characters(bytes: Vec<u8>, type_length: u8) {
            let text = decode(Encoding::from_type_length(type_length), &bytes);
            proptest::prop_assert!(!text.contains(char::is_control));
            proptest::prop_assert!(!decode_utf16(&bytes).contains(char::is_control));
        }
    }
}
