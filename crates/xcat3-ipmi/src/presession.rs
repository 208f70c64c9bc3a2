//! Messages outside sessions: is there a BMC, which version of IPMI does it speak, which cipher suites
//! does it have.
//!
//! There are three formats: the presence ping of ASF (13.2.3 and 13.2.4), IPMI v1.5 packets without
//! authentication (13.6), with which ipmitool and FreeIPMI begin, and RMCP+ packets outside sessions.
//! Nothing here is authenticated: anyone can read and forge it.

use crate::message::Command;
use crate::packet::PacketError;
use crate::suite::CipherSuite;
use crate::wire::{Reader, Truncated};

/// Get Channel Authentication Capabilities (22.13).
pub(crate) const CAPABILITIES: Command = Command::new(0x06, 0x38);
/// Get Channel Cipher Suites (22.15).
pub(crate) const CIPHER_SUITES: Command = Command::new(0x06, 0x54);
/// Get System GUID (22.14).
pub(crate) const SYSTEM_GUID: Command = Command::new(0x06, 0x37);
/// The channel over which the request is sent.
pub(crate) const THIS_CHANNEL: u8 = 0x0e;

/// Version, reserved byte, "no acknowledgement", class ASF (13.1.3).
const RMCP_ASF: [u8; 4] = [0x06, 0x00, 0xff, 0x06];
/// The same with class IPMI.
const RMCP_IPMI: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// Enterprise number of ASF.
const ASF: [u8; 4] = [0x00, 0x00, 0x11, 0xbe];
const PING: u8 = 0x80;
const PONG: u8 = 0x40;
/// Supported entities of a pong: IPMI, and ASF 1.0.
const IPMI_HERE: u8 = 0x81;
/// Authentication type "none" of IPMI v1.5.
const UNAUTHENTICATED: u8 = 0x00;
/// Bytes of cipher suite records in one response.
const RECORD_BYTES: usize = 16;

/// Whether a datagram has RMCP class ASF.
pub(crate) fn is_asf(datagram: &[u8]) -> bool {
    matches!(datagram, [0x06, _, _, class, ..] if class & 0x1f == RMCP_ASF[3])
}

/// Whether a datagram is an IPMI v1.5 packet.
pub(crate) fn is_v1_5(datagram: &[u8]) -> bool {
    matches!(datagram, [0x06, _, _, 0x07, format, ..] if format & 0x0f != 0x06)
}

/// The pong to a presence ping; `None` if `datagram` is no ping.
pub(crate) fn pong_to(datagram: &[u8]) -> Option<Vec<u8>> {
    let (number, kind, tag) = asf(datagram).ok()?;
    if kind != PING || number != ASF {
        return None;
    }
    let mut pong = [&RMCP_ASF[..], &ASF, &[PONG, tag, 0, 16], &ASF, &[0; 4]].concat();
    pong.extend_from_slice(&[IPMI_HERE, 0, 0, 0, 0, 0, 0, 0]);
    Some(pong)
}

/// Enterprise number, type and tag of an ASF message.
fn asf(datagram: &[u8]) -> Result<([u8; 4], u8, u8), Truncated> {
    let mut reader = Reader::new(datagram);
    let head: [u8; 4] = reader.array()?;
    if head[0] != RMCP_ASF[0] || head[3] & 0x1f != RMCP_ASF[3] {
        return Err(Truncated);
    }
    let number = reader.array()?;
    let [kind, tag, _, _] = reader.array()?;
    Ok((number, kind, tag))
}

/// An IPMI v1.5 packet without authentication with this message.
pub(crate) fn encode_v1_5(message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let head = [UNAUTHENTICATED, 0, 0, 0, 0, 0, 0, 0, 0, length];
    [&RMCP_IPMI, &head[..], &message[..usize::from(length)]].concat()
}

/// The message in an IPMI v1.5 packet.
///
/// # Errors
/// The packet belongs to a session or is authenticated, which xcat3 does not support, or its length is
/// wrong.
pub(crate) fn decode_v1_5(datagram: &[u8]) -> Result<&[u8], PacketError> {
    let mut reader = Reader::new(datagram);
    let head: [u8; 4] = reader.array()?;
    if head[0] != RMCP_IPMI[0] || head[3] != RMCP_IPMI[3] {
        return Err(PacketError::Protocol);
    }
    if reader.u8()? != UNAUTHENTICATED {
        return Err(PacketError::Protocol);
    }
    let (_sequence, session) = (reader.u32()?, reader.u32()?);
    if session != 0 {
        return Err(PacketError::Session);
    }
    let length = usize::from(reader.u8()?);
    // A pad byte for old network chips may follow.
    Ok(reader.bytes(length)?)
}

/// The response of Get Channel Authentication Capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The BMC speaks IPMI v2.0 over LAN (RMCP+).
    pub version_2: bool,
    /// The BMC has a BMC key (K_G).
    pub has_bmc_key: bool,
    /// There are users with names.
    pub named_users: bool,
    /// There is a user without a name.
    pub nameless_user: bool,
    /// There is a user with neither name nor password.
    pub anonymous_user: bool,
    /// Enterprise number of the OEM; 0 if none.
    pub enterprise: u32,
}

impl Capabilities {
    /// Data of the request: this channel, with the v2.0 data, for level administrator.
    pub(crate) const REQUEST: [u8; 2] = [0x80 | THIS_CHANNEL, 0x04];

    /// Encodes the response to a request with `data`; `None` if `data` is too short.
    pub(crate) fn encode(&self, data: &[u8]) -> Option<Vec<u8>> {
        let [channel, _level, ..] = data else {
            return None;
        };
        let flag = |set: bool, bit: u8| u8::from(set) << bit;
        let extended = channel & 0x80 != 0 && self.version_2;
        let status = flag(self.has_bmc_key, 5)
            | flag(self.named_users, 2)
            | flag(self.nameless_user, 1)
            | flag(self.anonymous_user, 0);
        let [a, b, c, _] = self.enterprise.to_le_bytes();
        let versions = if extended { 0x02 } else { 0x00 };
        let types = flag(extended, 7);
        Some(vec![0x01, types, status, versions, a, b, c, 0])
    }

    /// Decodes the data of a response.
    pub(crate) fn decode(data: &[u8]) -> Option<Self> {
        let [_channel, types, status, versions, rest @ ..] = data else {
            return None;
        };
        let enterprise = match rest {
            [a, b, c, ..] => u32::from_le_bytes([*a, *b, *c, 0]),
            _ => 0,
        };
        Some(Self {
            version_2: types & 0x80 != 0 && versions & 0x02 != 0,
            has_bmc_key: status & 0x20 != 0,
            named_users: status & 0x04 != 0,
            nameless_user: status & 0x02 != 0,
            anonymous_user: status & 0x01 != 0,
            enterprise,
        })
    }
}

/// The response to Get Channel Cipher Suites with `data`: the part of the records of `suites` with the
/// requested index; `None` if `data` is too short.
pub(crate) fn cipher_suites(suites: &[CipherSuite], data: &[u8]) -> Option<Vec<u8>> {
    let [_channel, _payload, index, ..] = data else {
        return None;
    };
    let mut records = Vec::new();
    for suite in suites {
        // Start of a standard suite, its number, then its algorithms with their tags (22.15.1).
        let [authentication, integrity, confidentiality] = suite.algorithms();
        records.extend_from_slice(&[0xc0, suite.id(), authentication]);
        records.extend_from_slice(&[0x40 | integrity, 0x80 | confidentiality]);
    }
    let from = usize::from(index & 0x3f) * RECORD_BYTES;
    let part = records.get(from..).unwrap_or_default();
    let mut response = vec![0x01];
    response.extend_from_slice(&part[..part.len().min(RECORD_BYTES)]);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_reply_has_the_tag_of_the_ping() {
        // ASF 2.0, 3.2.4.2 and 3.2.4.3.
        let ping_bytes = hex::decode("0600ff06000011be80010000").unwrap();
        let pong = pong_to(&ping_bytes).unwrap();
        let expected = "0600ff06000011be40010010000011be000000008100000000000000";
        assert_eq!(hex::encode(&pong), expected);
        assert_eq!(pong_to(&pong), None, "a pong gets no pong");
        for at in 0..ping_bytes.len() {
            assert_eq!(pong_to(&ping_bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn v1_5_packet_of_a_session_is_rejected() {
        let datagram = encode_v1_5(b"message");
        assert!(is_v1_5(&datagram) && !is_asf(&datagram));
        assert_eq!(decode_v1_5(&datagram), Ok(&b"message"[..]));
        for at in 0..datagram.len() {
            assert!(decode_v1_5(&datagram[..at]).is_err(), "cut at {at}");
        }
        let mut of_a_session = datagram.clone();
        of_a_session[9] = 1;
        assert_eq!(decode_v1_5(&of_a_session), Err(PacketError::Session));
        let mut authenticated = datagram;
        authenticated[4] = 0x02;
        assert_eq!(decode_v1_5(&authenticated), Err(PacketError::Protocol));
    }

    #[test]
    fn capabilities_encoded_decode_to_the_same() {
        let capabilities = Capabilities {
            version_2: true,
            has_bmc_key: true,
            named_users: true,
            nameless_user: false,
            anonymous_user: false,
            enterprise: 7154,
        };
        let data = capabilities.encode(&Capabilities::REQUEST).unwrap();
        assert_eq!(data, [1, 0x80, 0x24, 2, 0xf2, 0x1b, 0, 0]);
        assert_eq!(Capabilities::decode(&data), Some(capabilities));
        let old = capabilities.encode(&[THIS_CHANNEL, 4]).unwrap();
        assert!(!Capabilities::decode(&old).unwrap().version_2);
        assert_eq!(capabilities.encode(&[0x8e]), None);
        assert_eq!(Capabilities::decode(&[1, 2, 3]), None);
    }

    #[test]
    fn suites_beyond_the_last_part_are_empty() {
        let request = |index: u8| [THIS_CHANNEL, 0, 0x80 | index];
        let both = cipher_suites(&CipherSuite::ALL, &request(0)).unwrap();
        assert_eq!(hex::encode(both), "01c011034481c003014181");
        let none = cipher_suites(&CipherSuite::ALL, &request(1)).unwrap();
        assert_eq!(none, [1]);
    }
}
