//! Packets of RMCP+ (IPMI v2.0, 13.6): the frame around a payload, with and without a session.

use crate::handshake::SessionKeys;
use crate::wire::{Reader, Short};

/// Version, reserved byte, "no acknowledgement", class IPMI (13.1.3).
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// The format of IPMI v2.0.
const FORMAT: u8 = 0x06;
/// Set where the payload is encrypted.
const ENCRYPTED: u8 = 0x80;
/// Set where the packet ends with a code.
const AUTHENTICATED: u8 = 0x40;
/// Stands before the code.
const NEXT_HEADER: u8 = 0x07;
/// The largest packet that is looked at. BMCs send less than 300 bytes.
const LARGEST: usize = 1_500;

/// What a packet carries (13.27.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadType {
    /// A request or a response.
    Message,
    /// Serial over LAN.
    Sol,
    /// RMCP+ Open Session Request.
    OpenRequest,
    /// RMCP+ Open Session Response.
    OpenResponse,
    /// RAKP messages, by their number.
    Rakp1,
    /// BMC's answer to [`Self::Rakp1`].
    Rakp2,
    /// Console's proof.
    Rakp3,
    /// BMC's proof.
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

/// Why bytes are no packet that is for us. Such are dropped: anyone can send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// It ends before its contents do, or is far too long.
    #[error("a packet whose length can't be right")]
    Length,
    /// It is of another protocol or version.
    #[error("a packet that is not RMCP+")]
    Protocol,
    /// A payload that is not known.
    #[error("a payload of an unknown type")]
    Payload,
    /// It lacks the protection of its session, or the protection is wrong.
    #[error("a packet that its session's keys don't vouch for")]
    Code,
    /// It came behind a later one of serial over LAN.
    #[error("a packet of serial over LAN that a later one overtook")]
    Overtaken,
}

impl From<Short> for PacketError {
    fn from(_: Short) -> Self {
        Self::Length
    }
}

/// A packet, its payload as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What the payload is.
    pub payload_type: PayloadType,
    /// Whom it is for: the receiver's number for the session, 0 without one.
    pub session: u32,
    /// The sender's number for the packet, 0 without a session.
    pub sequence: u32,
    encrypted: bool,
    authenticated: bool,
    payload: &'a [u8],
    /// From the format byte to the next header: what the code is computed over.
    covered: &'a [u8],
    code: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Takes a datagram apart.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        if datagram.len() > LARGEST {
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
        let payload = reader.take(length)?;
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

    /// The payload of a packet outside any session.
    ///
    /// # Errors
    /// It claims to be of a session.
    pub fn plain(&self) -> Result<&'a [u8], PacketError> {
        if self.is_of_a_session() {
            return Err(PacketError::Code);
        }
        Ok(self.payload)
    }

    /// Whether it claims to be of a session.
    fn is_of_a_session(&self) -> bool {
        self.encrypted || self.authenticated || self.session != 0
    }

    /// Whether it is protected as only packets of sessions are.
    pub(crate) fn is_protected(&self) -> bool {
        self.encrypted && self.authenticated && self.session != 0
    }

    /// The payload of a packet of the session with these keys, decrypted.
    ///
    /// # Errors
    /// Its code is not the keys', or it is not protected as the session demands.
    pub(crate) fn open(&self, keys: &SessionKeys) -> Result<Vec<u8>, PacketError> {
        if !self.encrypted || !self.authenticated {
            return Err(PacketError::Code);
        }
        let length = keys.suite.integrity_length();
        let padding = self
            .code
            .len()
            .checked_sub(length)
            .ok_or(PacketError::Length)?;
        // Padding, its length, the next header.
        let (padding, code) = self.code.split_at(padding);
        let [filling @ .., padded, _] = padding else {
            return Err(PacketError::Length);
        };
        if filling.len() != usize::from(*padded) {
            return Err(PacketError::Length);
        }
        let covered = &self.covered[..self.covered.len() - length];
        if !keys.packet_code(covered).is(code) {
            return Err(PacketError::Code);
        }
        keys.decrypt(self.payload).ok_or(PacketError::Code)
    }
}

/// The packet around a payload outside any session.
#[must_use]
pub fn plain(payload_type: PayloadType, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(16 + payload.len());
    head(&mut packet, payload_type.number(), 0, 0);
    append(&mut packet, payload);
    packet
}

/// The packet number `sequence` around a payload in the session that the receiver calls `session`.
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
    let mut hidden = Vec::with_capacity(48 + payload.len());
    keys.encrypt(payload, vector, &mut hidden);
    append(&mut packet, &hidden);
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
