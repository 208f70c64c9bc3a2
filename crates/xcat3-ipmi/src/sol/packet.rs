//! Packets of serial over LAN (IPMI v2.0, 15.9): number, acknowledgement, characters.

use crate::command::{Malformed, truncated};
use crate::wire::Reader;

/// The most characters in a packet.
pub const MAX_DATA: usize = 255;

/// Bytes before the characters.
pub(super) const HEADER: usize = 4;

/// Bits of the last header byte, in both directions.
const NACK: u8 = 0x40;
/// From the BMC.
const UNAVAILABLE: u8 = 0x20;
const DEACTIVATED: u8 = 0x10;
const OVERRUN: u8 = 0x08;
const BREAK_DETECTED: u8 = 0x04;
/// From the console.
const SEND_BREAK: u8 = 0x10;

/// A packet from a console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsolePacket {
    /// Packet number, 1 to 15; 0 in a packet that only acknowledges.
    pub number: u8,
    /// Number of the acknowledged packet; 0 if none.
    pub acknowledged: u8,
    /// How many of its characters were accepted.
    pub accepted: u8,
    /// Not all of them were accepted.
    pub nack: bool,
    /// The BMC has to send the machine a break.
    pub is_break: bool,
    /// Characters, at most [`MAX_DATA`].
    pub data: Vec<u8>,
}

/// A packet from a BMC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BmcPacket {
    /// Packet number, 1 to 15; 0 in a packet that only acknowledges.
    pub number: u8,
    /// Number of the acknowledged packet; 0 if none.
    pub acknowledged: u8,
    /// How many of its characters were accepted.
    pub accepted: u8,
    /// Not all of them were accepted.
    pub nack: bool,
    /// The BMC accepts no characters now.
    pub unavailable: bool,
    /// The BMC has deactivated serial over LAN.
    pub deactivated: bool,
    /// Characters of the machine were lost.
    pub overrun: bool,
    /// The machine sent a break.
    pub is_break: bool,
    /// Characters, at most [`MAX_DATA`].
    pub data: Vec<u8>,
}

impl ConsolePacket {
    /// Encodes the packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let operation = flag(self.nack, NACK) | flag(self.is_break, SEND_BREAK);
        encode(
            [self.number, self.acknowledged, self.accepted, operation],
            &self.data,
        )
    }

    /// Decodes a packet.
    ///
    /// # Errors
    /// The packet is truncated or too long.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let ([number, acknowledged, accepted, operation], data) = decode(bytes)?;
        Ok(Self {
            number: number & 0x0f,
            acknowledged: acknowledged & 0x0f,
            accepted,
            nack: operation & NACK != 0,
            is_break: operation & SEND_BREAK != 0,
            data: data.to_vec(),
        })
    }
}

impl BmcPacket {
    /// Encodes the packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let status = flag(self.nack, NACK)
            | flag(self.unavailable, UNAVAILABLE)
            | flag(self.deactivated, DEACTIVATED)
            | flag(self.overrun, OVERRUN)
            | flag(self.is_break, BREAK_DETECTED);
        encode(
            [self.number, self.acknowledged, self.accepted, status],
            &self.data,
        )
    }

    /// Decodes a packet.
    ///
    /// # Errors
    /// The packet is truncated or too long.
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
            is_break: status & BREAK_DETECTED != 0,
            data: data.to_vec(),
        })
    }
}

fn flag(is_set: bool, bit: u8) -> u8 {
    if is_set { bit } else { 0 }
}

fn encode([number, acknowledged, accepted, last]: [u8; HEADER], data: &[u8]) -> Vec<u8> {
    let data = &data[..data.len().min(MAX_DATA)];
    [&[number & 0x0f, acknowledged & 0x0f, accepted, last], data].concat()
}

fn decode(bytes: &[u8]) -> Result<([u8; HEADER], &[u8]), Malformed> {
    let mut reader = Reader::new(bytes);
    let header = reader.array();
    let header = header.map_err(truncated("the serial-over-LAN packet"))?;
    let data = reader.rest();
    if data.len() > MAX_DATA {
        let length = data.len();
        let sentence =
            format!("the serial-over-LAN packet has {length} characters, more than {MAX_DATA}");
        return Err(Malformed::new(sentence));
    }
    Ok((header, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_encoded_has_layout_of_specification() {
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
        fn packet_decoded_encodes_to_the_same(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
        ) {
            if let Ok(packet) = BmcPacket::decode(&bytes) {
                proptest::prop_assert_eq!(BmcPacket::decode(&packet.encode()).unwrap(), packet);
            }
            if let Ok(packet) = ConsolePacket::decode(&bytes) {
                proptest::prop_assert_eq!(ConsolePacket::decode(&packet.encode()).unwrap(), packet);
            }
        }
    }
}
