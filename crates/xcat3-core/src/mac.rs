//! Ethernet hardware addresses (IEEE 802, 48 bit) in the notations that operators paste.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 48-bit Ethernet address. Written in lower case with colons: `52:54:00:36:ac:b1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddr(pub [u8; 6]);

/// The text is no Ethernet address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a MAC address: write six bytes in hexadecimal, like 52:54:00:36:ac:b1")]
pub struct InvalidMac(String);

impl MacAddr {
    /// The address with `separator` between the bytes, as loaders ask for it
    /// (`01-52-54-00-36-ac-b1` is `01-` and this with `-`).
    #[must_use]
    pub fn joined_by(&self, separator: char) -> String {
        let mut text = String::with_capacity(17);
        for (position, byte) in self.0.iter().enumerate() {
            if position > 0 {
                text.push(separator);
            }
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }

    /// Whether this is a group address (multicast or broadcast), which no nic can own.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl FromStr for MacAddr {
    type Err = InvalidMac;

    /// Accepts `aa:bb:cc:dd:ee:ff`, `aa-bb-cc-dd-ee-ff`, `aabb.ccdd.eeff` and `aabbccddeeff` in
    /// either case. Separators must be of one kind and in their usual places.
    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let invalid = || InvalidMac(text.chars().take(64).collect());
        let group = match (text.len(), text.as_bytes().get(2)) {
            (17, Some(b':' | b'-')) => 2,
            (14, _) if text.as_bytes().get(4) == Some(&b'.') => 4,
            (12, _) => 12,
            _ => return Err(invalid()),
        };
        let bytes = text.as_bytes();
        let separator = bytes.get(group).copied();
        let mut digits = Vec::with_capacity(12);
        for (position, &byte) in bytes.iter().enumerate() {
            if position % (group + 1) == group {
                if Some(byte) != separator {
                    return Err(invalid());
                }
            } else {
                digits.push((byte as char).to_digit(16).ok_or_else(invalid)?);
            }
        }
        let mut address = [0u8; 6];
        for (target, pair) in address.iter_mut().zip(digits.chunks_exact(2)) {
            *target = u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| invalid())?;
        }
        Ok(Self(address))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined_by(':'))
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_notation_is_the_same_address() {
        for text in [
            "52:54:00:36:AC:B1",
            "52-54-00-36-ac-b1",
            "5254.0036.acb1",
            "52540036ACB1",
        ] {
            assert_eq!(
                text.parse::<MacAddr>().unwrap().to_string(),
                "52:54:00:36:ac:b1",
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address_is_named() {
        let mixed = [
            "52:54-00:36:ac:b1",
            "52:54:00:36:ac",
            "5254.0036.acbg",
            "",
            "é2540036acb",
            "52:54:00:36:ac:b1:",
        ];
        for text in mixed {
            let error = text.parse::<MacAddr>().unwrap_err().to_string();
            assert!(error.contains(&format!("'{text}'")), "{error}");
        }
    }
}
