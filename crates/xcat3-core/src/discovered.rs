//! Discovered machines: they boot over the network, are no nodes, and can be enrolled from what their DHCP requests say.

use std::net::Ipv4Addr;

use uuid::Uuid;

use crate::mac::MacAddr;

/// The longest vendor class that is kept, in characters.
const LONGEST_CLASS: usize = 128;

/// A machine that is no node, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredMachine {
    /// The nic that asked.
    pub mac: MacAddr,
    /// The network that it asked in.
    pub network: String,
    /// The address that it was given, where it was.
    pub ip: Option<Ipv4Addr>,
    /// What its firmware calls itself (DHCP option 60).
    pub vendor_class: Option<String>,
    /// Its firmware's architecture (option 93, RFC 4578).
    pub architecture: Option<u16>,
    /// The machine's UUID (option 97).
    pub uuid: Option<Uuid>,
    /// When it was first seen, in milliseconds since 1970 (UTC).
    pub first_ms: i64,
    /// When it was last seen.
    pub last_ms: i64,
}

impl DiscoveredMachine {
    /// The same machine as it was seen later: what the later request does not say is kept.
    pub fn seen_again(&mut self, later: Self) {
        let first_ms = self.first_ms.min(later.first_ms);
        *self = Self {
            ip: later.ip.or(self.ip),
            vendor_class: later.vendor_class.or(self.vendor_class.take()),
            architecture: later.architecture.or(self.architecture),
            uuid: later.uuid.or(self.uuid),
            first_ms,
            last_ms: self.last_ms.max(later.last_ms),
            ..later
        };
    }

    /// A vendor class as text: one short line, whatever was sent.
    #[must_use]
    pub fn class_from_bytes(bytes: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(bytes);
        let text: String = text
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_CLASS)
            .collect();
        Some(text).filter(|text| !text.is_empty())
    }

    /// What kind of firmware it is, in words.
    #[must_use]
    pub fn firmware(&self) -> Option<&'static str> {
        Some(match self.architecture? {
            0 => "BIOS x86",
            6 => "UEFI x86",
            7 | 9 => "UEFI x86_64",
            10 => "UEFI ARM",
            11 => "UEFI aarch64",
            14 => "OPAL ppc64le",
            15 | 16 => "UEFI HTTP x86_64",
            18 => "UEFI HTTP ARM",
            19 => "UEFI HTTP aarch64",
            27 => "UEFI riscv64",
            28 => "UEFI HTTP riscv64",
            _ => return None,
        })
    }

    /// The architecture that a node of this kind is declared with. A PC BIOS says nothing of it, but
    /// is found on x86_64 only by now.
    #[must_use]
    pub fn arch(&self) -> Option<&'static str> {
        match self.architecture? {
            0 | 7 | 9 | 16 => Some("x86_64"),
            11 | 19 => Some("aarch64"),
            14 => Some("ppc64le"),
            27 | 28 => Some("riscv64"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_known_is_kept() {
        let first = DiscoveredMachine {
            mac: "52:54:00:00:00:01".parse().unwrap(),
            network: "a".to_owned(),
            ip: Some(Ipv4Addr::new(10, 0, 0, 1)),
            vendor_class: Some("PXEClient".to_owned()),
            architecture: Some(7),
            uuid: Some(Uuid::from_u128(1)),
            first_ms: 5,
            last_ms: 5,
        };
        let later = DiscoveredMachine {
            network: "b".to_owned(),
            ip: None,
            vendor_class: None,
            architecture: None,
            uuid: None,
            first_ms: 9,
            last_ms: 9,
            ..first.clone()
        };
        let mut seen = first.clone();
        seen.seen_again(later);
        let expected = DiscoveredMachine {
            network: "b".to_owned(),
            last_ms: 9,
            ..first
        };
        assert_eq!(seen, expected);
        assert_eq!(
            (seen.firmware(), seen.arch()),
            (Some("UEFI x86_64"), Some("x86_64"))
        );
    }

    #[test]
    fn a_class_is_one_short_line() {
        let long = [b"PXE\r\n\x1b[2J\xff".as_slice(), &[b'x'; 300]].concat();
        let class = DiscoveredMachine::class_from_bytes(&long).unwrap();
        assert!(class.starts_with("PXE[2J\u{fffd}xxx"), "{class}");
        assert_eq!(class.chars().count(), 128);
        assert_eq!(DiscoveredMachine::class_from_bytes(b"\0"), None);
    }
}
