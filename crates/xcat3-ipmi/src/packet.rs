//! RMCP+ packets (IPMI v2.0, 13.6): the frame around a payload, inside and outside sessions.

use crate::handshake::SessionKeys;
use crate::wire::{Reader, Truncated};

/// Version, reserved byte, "no acknowledgement", class IPMI (13.1.3).
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// Authentication type of IPMI v2.0 packets.
const FORMAT: u8 = 0x06;
/// Bit: the payload is encrypted.
const ENCRYPTED: u8 = 0x80;
/// Bit: the packet ends with an authentication code.
const AUTHENTICATED: u8 = 0x40;
/// The byte before the authentication code.
const NEXT_HEADER: u8 = 0x07;
/// The largest accepted packet. BMCs send less than 300 bytes.
const MAX_PACKET: usize = 1_500;

/// The type of a payload (13.27.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadType {
    /// IPMI request or response.
    Message,
    /// Serial over LAN.
    Sol,
    /// RMCP+ Open Session Request.
    OpenRequest,
    /// RMCP+ Open Session Response.
    OpenResponse,
    /// RAKP message 1.
    Rakp1,
    /// RAKP message 2.
    Rakp2,
    /// RAKP message 3.
    Rakp3,
    /// RAKP message 4.
    Rakp4,
}

impl PayloadType {
    const TABLE: [(Self, u8); 8] = [
        (Self::Message, 0x00),
        (Self::Sol, 0x01),
        (Self::OpenRequest, 0x10),
        (Self::OpenResponse, 0x11),
        (Self::Rakp1, 0x12),
        (Self::Rakp2, 0x13),
        (Self::Rakp3, 0x14),
        (Self::Rakp4, 0x15),
    ];

    fn number(self) -> u8 {
        let entry = Self::TABLE.iter().find(|entry| entry.0 == self);
        entry.map_or(0, |entry| entry.1)
    }

    fn from_number(number: u8) -> Option<Self> {
        let entry = Self::TABLE.iter().find(|entry| entry.1 == number);
        entry.map(|entry| entry.0)
    }
}

/// Why a datagram is dropped. Anyone can send datagrams, so a dropped one ends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// A length field contradicts the length of the packet, or the packet is too long.
    #[error("packet with a wrong length")]
    Length,
    /// The packet has another protocol or version.
    #[error("packet of another protocol than RMCP+")]
    Protocol,
    /// The payload has an unknown or unexpected type, or is no message.
    #[error("packet with an unexpected payload")]
    Payload,
    /// There is no such session.
    #[error("packet of an unknown session")]
    Session,
    /// The packet lacks the protection of its session, or its authentication code is wrong.
    #[error("packet with a wrong authentication code")]
    Authentication,
    /// The sequence number was used before, or is too old.
    #[error("packet with a replayed sequence number")]
    Replayed,
    /// A later serial-over-LAN packet arrived before.
    #[error("serial-over-LAN packet overtaken by a later one")]
    Overtaken,
}

impl From<Truncated> for PacketError {
    fn from(_: Truncated) -> Self {
        Self::Length
    }
}

/// A packet. Its payload is still encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The type of the payload.
    pub payload_type: PayloadType,
    /// The receiver's number for the session; 0 outside sessions.
    pub session: u32,
    /// The sender's sequence number; 0 outside sessions.
    pub sequence: u32,
    encrypted: bool,
    authenticated: bool,
    payload: &'a [u8],
    /// The bytes from the authentication type on, which the authentication code covers.
    covered: &'a [u8],
    code: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses a datagram.
    ///
    /// # Errors
    /// The datagram is no RMCP+ packet.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        if datagram.len() > MAX_PACKET {
            return Err(PacketError::Length);
        }
        let mut reader = Reader::new(datagram);
        let [version, _, _, class] = reader.array()?;
        if version != RMCP[0] || class != RMCP[3] {
            return Err(PacketError::Protocol);
        }
        let from_format = reader.rest();
        if reader.u8()? != FORMAT {
            return Err(PacketError::Protocol);
        }
        let kind = reader.u8()?;
        let payload_type = PayloadType::from_number(kind & !(ENCRYPTED | AUTHENTICATED));
        let payload_type = payload_type.ok_or(PacketError::Payload)?;
        let (session, sequence) = (reader.u32()?, reader.u32()?);
        let length = usize::from(reader.u16()?);
        let payload = reader.bytes(length)?;
        let trailer = reader.rest();
        Ok(Self {
            payload_type,
            session,
            sequence,
            encrypted: kind & ENCRYPTED != 0,
            authenticated: kind & AUTHENTICATED != 0,
            payload,
            covered: from_format,
            code: trailer,
        })
    }

    /// The payload of a packet outside sessions.
    ///
    /// # Errors
    /// The packet belongs to a session.
    pub fn plain(&self) -> Result<&'a [u8], PacketError> {
        if self.encrypted || self.authenticated || self.session != 0 {
            return Err(PacketError::Session);
        }
        Ok(self.payload)
    }

    /// Whether the packet has the protection of a session.
    pub(crate) fn is_protected(&self) -> bool {
        self.encrypted && self.authenticated && self.session != 0
    }

    /// Verifies and decrypts the payload with the keys of its session.
    ///
    /// # Errors
    /// The packet is not protected, or its authentication code is wrong.
    pub(crate) fn open(&self, keys: &SessionKeys) -> Result<Vec<u8>, PacketError> {
        if !self.encrypted || !self.authenticated {
            return Err(PacketError::Authentication);
        }
        let length = keys.suite.integrity_length();
        let padding = self
            .code
            .len()
            .checked_sub(length)
            .ok_or(PacketError::Length)?;
        let (padding, code) = self.code.split_at(padding);
        let [filling @ .., padded, _next_header] = padding else {
            return Err(PacketError::Length);
        };
        if filling.len() != usize::from(*padded) {
            return Err(PacketError::Length);
        }
        let covered = &self.covered[..self.covered.len() - length];
        if !keys.packet_code(covered).matches(code) {
            return Err(PacketError::Authentication);
        }
        keys.decrypt(self.payload)
            .ok_or(PacketError::Authentication)
    }
}

/// A packet outside sessions with this payload.
#[must_use]
pub fn plain(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(16 + payload.len());
    head(&mut packet, payload_type.number(), 0, 0);
    append(&mut packet, payload);
    packet
}

/// A packet with this payload in the session that the receiver calls `session`, encrypted with
/// initialisation vector `vector`.
pub(crate) fn sealed(
    keys: &SessionKeys,
    (session, sequence): (u32, u32),
    payload_type: PayloadType,
    payload: &[u8],
    vector: [u8; 16],
) -> Vec<u8> {
    let mut packet = Vec::with_capacity(80 + payload.len());
    let kind = payload_type.number() | ENCRYPTED | AUTHENTICATED;
    head(&mut packet, kind, session, sequence);
    let mut encrypted = Vec::with_capacity(48 + payload.len());
    keys.encrypt(payload, vector, &mut encrypted);
    append(&mut packet, &encrypted);
    let covered = packet.len() - RMCP.len();
    let padding = (4 - (covered + 2) % 4) % 4;
    packet.extend(std::iter::repeat_n(0xff, padding));
    packet.push(u8::try_from(padding).unwrap_or_default());
    packet.push(NEXT_HEADER);
    let code = keys.packet_code(&packet[RMCP.len()..]);
    packet.extend_from_slice(code.as_bytes());
    packet
}

fn head(packet: &mut Vec<u8>, kind: u8, session: u32, sequence: u32) {
    packet.extend_from_slice(&RMCP);
    packet.extend_from_slice(&[FORMAT, kind]);
    packet.extend_from_slice(&session.to_le_bytes());
    packet.extend_from_slice(&sequence.to_le_bytes());
}

fn append(packet: &mut Vec<u8>, payload: &[u8]) {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    packet.extend_from_slice(&length.to_le_bytes());
    packet.extend_from_slice(&payload[..usize::from(length)]);
}
