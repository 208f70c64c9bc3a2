//! Packets of serial over LAN (IPMI v2.0, 15.9): number, what is acknowledged, characters.

use crate::command::Malformed;
use crate::wire::{Reader, Short};

/// The most characters of a packet, by its format.
pub const MAX_DATA: usize = 255;

/// Bytes before the characters.
pub(super) const HEADER: usize = 4;

/// Bits of the last byte of the header, both ways.
const NACK: u8 = 0x40;
/// From the BMC.
const UNAVAILABLE: u8 = 0x20;
const DEACTIVATED: u8 = 0x10;
const OVERRUN: u8 = 0x08;
const BREAK_SEEN: u8 = 0x04;
/// From the console.
const BREAK: u8 = 0x10;

/// A packet from a console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsolePacket {
    /// Its number, 1 to 15; 0 where it only acknowledges.
    pub number: u8,
    /// The number that it acknowledges; 0 is none.
    pub acknowledged: u8,
    /// How many characters of that were taken.
    pub accepted: u8,
    /// Not all were.
    pub nack: bool,
    /// The machine is to see a break.
    pub is_break: bool,
    /// Characters, at most [`MAX_DATA`].
    pub data: Vec<u8>,
}

/// A packet from a BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BmcPacket {
    /// Its number, 1 to 15; 0 where it only acknowledges.
    pub number: u8,
    /// The number that it acknowledges; 0 is none.
    pub acknowledged: u8,
    /// How many characters of that were taken.
    pub accepted: u8,
    /// Not all were.
    pub nack: bool,
    /// None can be taken now.
    pub unavailable: bool,
    /// The BMC ends serial over LAN.
    pub deactivated: bool,
    /// Characters of the machine were lost.
    pub overrun: bool,
    /// The machine sent a break.
    pub is_break: bool,
    /// Characters.
    pub data: Vec<u8>,
}

impl ConsolePacket {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let operation = bit(self.nack, NACK) | bit(self.is_break, BREAK);
        encode(
            [self.number, self.acknowledged, self.accepted, operation],
            &self.data,
        )
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is cut off, or longer than it can be.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let ([number, acknowledged, accepted, operation], data) = decode(bytes)?;
        Ok(Self {
            number: number & 0x0f,
            acknowledged: acknowledged & 0x0f,
            accepted,
            nack: operation & NACK != 0,
            is_break: operation & BREAK != 0,
            data: data.to_vec(),
        })
    }
}

impl BmcPacket {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let status = bit(self.nack, NACK)
            | bit(self.unavailable, UNAVAILABLE)
            | bit(self.deactivated, DEACTIVATED)
            | bit(self.overrun, OVERRUN)
            | bit(self.is_break, BREAK_SEEN);
        encode(
            [self.number, self.acknowledged, self.accepted, status],
            &self.data,
        )
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is cut off, or longer than it can be.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let ([number, acknowledged, accepted, status], data) = decode(bytes)?;
        Ok(Self {
            number: number & 0x0f,
            acknowledged: acknowledged & 0x0f,
            accepted,
            nack: status & NACK != 0,
            unavailable: status & UNAVAILABLE != 0,
            deactivated: status & DEACTIVATED != 0,
            overrun: status & OVERRUN != 0,
            is_break: status & BREAK_SEEN != 0,
            data: data.to_vec(),
        })
    }
}

fn bit(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

fn encode([number, acknowledged, accepted, last]: [u8; HEADER], data: &[u8]) -> Vec<u8> {
    let data = &data[..data.len().min(MAX_DATA)];
    [&[number & 0x0f, acknowledged & 0x0f, accepted, last], data].concat()
}

fn decode(bytes: &[u8]) -> Result<([u8; HEADER], &[u8]), Malformed> {
    let mut reader = Reader::new(bytes);
    let header = reader.array();
    let header = header.map_err(|Short| Malformed::new("a serial-over-LAN packet is cut off"))?;
    let data = reader.rest();
    if data.len() > MAX_DATA {
        let length = data.len();
        let sentence = format!("a serial-over-LAN packet has {length} characters");
        return Err(Malformed::new(sentence));
    }
    Ok((header, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_the_specification_lays_them_out() {
        let packet = ConsolePacket {
            number: 3,
            acknowledged: 15,
            accepted: 20,
            is_break: true,
            data: b"ls".to_vec(),
            ..ConsolePacket::default()
        };
        assert_eq!(packet.encode(), [3, 15, 20, 0x10, b'l', b's']);
        let status = BmcPacket::decode(&[2, 1, 0, 0x7c, b'#']).unwrap();
        assert!(status.nack && status.unavailable && status.deactivated);
        assert!(status.overrun && status.is_break);
        assert_eq!((status.number, &*status.data), (2, &b"#"[..]));
        assert!(BmcPacket::decode(&[1, 2, 3]).is_err());
        assert!(ConsolePacket::decode(&[0; HEADER + MAX_DATA + 1]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn packets_come_back(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            if let Ok(packet) = BmcPacket::decode(&bytes) {
                proptest::prop_assert_eq!(BmcPacket::decode(&packet.encode()).unwrap(), packet);
            }
            if let Ok(packet) = ConsolePacket::decode(&bytes) {
                proptest::prop_assert_eq!(ConsolePacket::decode(&packet.encode()).unwrap(), packet);
            }
        }
    }
}
