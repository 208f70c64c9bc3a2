//! What is said to a BMC before there is a session: is anyone there, which IPMI does it speak, which
//! cipher suites does it offer.
//!
//! Three frames: the presence ping of ASF (13.2.3 and 13.2.4), messages in the format of IPMI v1.5
//! without authentication (13.6), as ipmitool and FreeIPMI ask first, and messages in RMCP+ packets
//! outside sessions. Nothing here is authenticated: it is what anyone can read and forge.

use crate::message::Command;
use crate::packet::PacketError;
use crate::suite::CipherSuite;
use crate::wire::{Reader, Short};

/// Get Channel Authentication Capabilities (22.13).
pub(crate) const CAPABILITIES: Command = Command::new(0x06, 0x38);
/// Get Channel Cipher Suites (22.15).
pub(crate) const CIPHER_SUITES: Command = Command::new(0x06, 0x54);
/// Get System GUID (22.14).
pub(crate) const SYSTEM_GUID: Command = Command::new(0x06, 0x37);
/// The channel that the request came by.
pub(crate) const THIS_CHANNEL: u8 = 0x0e;

/// Version, reserved byte, "no acknowledgement", class ASF or IPMI (13.1.3).
const RMCP_ASF: [u8; 4] = [0x06, 0x00, 0xff, 0x06];
const RMCP_IPMI: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// The enterprise number of ASF.
const ASF: [u8; 4] = [0x00, 0x00, 0x11, 0xbe];
const PING: u8 = 0x80;
const PONG: u8 = 0x40;
/// Supported entities of a pong: IPMI, and version 1.0 of ASF.
const IPMI_HERE: u8 = 0x81;
/// The authentication type "none", which is the whole of the format byte in IPMI v1.5.
const UNAUTHENTICATED: u8 = 0x00;
/// Suite records that one response holds, in bytes.
const RECORDS: usize = 16;

/// Whether a datagram is of RMCP class ASF.
pub(crate) fn is_asf(datagram: &[u8]) -> bool {
    matches!(datagram, [0x06, _, _, class, ..] if class & 0x1f == RMCP_ASF[3])
}

/// Whether a datagram is in the format of IPMI v1.5.
pub(crate) fn is_version_1(datagram: &[u8]) -> bool {
    matches!(datagram, [0x06, _, _, 0x07, format, ..] if format & 0x0f != 0x06)
}

/// The answer to a presence ping, where `datagram` is one.
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
fn asf(datagram: &[u8]) -> Result<([u8; 4], u8, u8), Short> {
    let mut reader = Reader::new(datagram);
    let head: [u8; 4] = reader.array()?;
    if head[0] != RMCP_ASF[0] || head[3] & 0x1f != RMCP_ASF[3] {
        return Err(Short);
    }
    let number = reader.array()?;
    let [kind, tag, _, _] = reader.array()?;
    Ok((number, kind, tag))
}

/// The datagram around a message, in the format of IPMI v1.5 without authentication.
pub(crate) fn version_1(message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let head = [UNAUTHENTICATED, 0, 0, 0, 0, 0, 0, 0, 0, length];
    [&RMCP_IPMI, &head[..], &message[..usize::from(length)]].concat()
}

/// The message in a datagram of IPMI v1.5.
///
/// # Errors
/// It is of a session or authenticated, neither of which is spoken here, or its length is wrong.
pub(crate) fn read_version_1(datagram: &[u8]) -> Result<&[u8], PacketError> {
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
        return Err(PacketError::Code);
    }
    let length = usize::from(reader.u8()?);
    // A byte may follow that some network chips once needed.
    Ok(reader.take(length)?)
}

/// What a BMC says of itself to anyone (Get Channel Authentication Capabilities).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// It speaks IPMI v2.0 over LAN (RMCP+).
    pub version_2: bool,
    /// It has a key of its own (K_G) that is not zero.
    pub has_bmc_key: bool,
    /// It has users with names.
    pub named_users: bool,
    /// It has a user without a name.
    pub nameless_user: bool,
    /// It has a user with neither name nor password.
    pub anonymous_user: bool,
    /// The enterprise number of who made it, 0 where it does not tell.
    pub enterprise: u32,
}

impl Capabilities {
    /// What is asked: for this channel, with what v2.0 adds, for an administrator.
    pub(crate) const REQUEST: [u8; 2] = [0x80 | THIS_CHANNEL, 0x04];

    /// The response to a request with `data`; nothing where that is too short.
    pub(crate) fn respond(&self, data: &[u8]) -> Option<Vec<u8>> {
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

    /// Reads what a BMC responds with.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
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

/// The response to Get Channel Cipher Suites with `data`: a part of the records of `suites`.
pub(crate) fn cipher_suites(suites: &[CipherSuite], data: &[u8]) -> Option<Vec<u8>> {
    let [_channel, _payload, index, ..] = data else {
        return None;
    };
    let mut records = Vec::new();
    for suite in suites {
        // "Standard suite", its number, and its algorithms, each marked as what it is (22.15.1).
        let [authentication, integrity, confidentiality] = suite.algorithms();
        records.extend_from_slice(&[0xc0, suite.id(), authentication]);
        records.extend_from_slice(&[0x40 | integrity, 0x80 | confidentiality]);
    }
    let from = usize::from(index & 0x3f) * RECORDS;
    let part = records.get(from..).unwrap_or_default();
    let mut response = vec![0x01];
    response.extend_from_slice(&part[..part.len().min(RECORDS)]);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_is_answered_with_its_tag() {
        // ASF 2.0, 3.2.4.2 and 3.2.4.3.
        let ping_bytes = hex::decode("0600ff06000011be80010000").unwrap();
        let pong = pong_to(&ping_bytes).unwrap();
        let expected = "0600ff06000011be40010010000011be000000008100000000000000";
        assert_eq!(hex::encode(&pong), expected);
        assert_eq!(pong_to(&pong), None, "a pong is not answered");
        for at in 0..ping_bytes.len() {
            assert_eq!(pong_to(&ping_bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn messages_of_the_old_format_come_back() {
        let datagram = version_1(b"message");
        assert!(is_version_1(&datagram) && !is_asf(&datagram));
        assert_eq!(read_version_1(&datagram), Ok(&b"message"[..]));
        for at in 0..datagram.len() {
            assert!(read_version_1(&datagram[..at]).is_err(), "cut at {at}");
        }
        let mut of_a_session = datagram.clone();
        of_a_session[9] = 1;
        assert_eq!(read_version_1(&of_a_session), Err(PacketError::Code));
        let mut authenticated = datagram;
        authenticated[4] = 0x02;
        assert_eq!(read_version_1(&authenticated), Err(PacketError::Protocol));
    }

    #[test]
    fn capabilities_come_back() {
        let capabilities = Capabilities {
            version_2: true,
            has_bmc_key: true,
            named_users: true,
            nameless_user: false,
            anonymous_user: false,
            enterprise: 7154,
        };
        let data = capabilities.respond(&Capabilities::REQUEST).unwrap();
        assert_eq!(data, [1, 0x80, 0x24, 2, 0xf2, 0x1b, 0, 0]);
        assert_eq!(Capabilities::read(&data), Some(capabilities));
        let old = capabilities.respond(&[THIS_CHANNEL, 4]).unwrap();
        assert!(!Capabilities::read(&old).unwrap().version_2);
        assert_eq!(capabilities.respond(&[0x8e]), None);
        assert_eq!(Capabilities::read(&[1, 2, 3]), None);
    }

    #[test]
    fn suites_are_told_in_parts() {
        let request = |index: u8| [THIS_CHANNEL, 0, 0x80 | index];
        let both = cipher_suites(&CipherSuite::ALL, &request(0)).unwrap();
        assert_eq!(hex::encode(both), "01c011034481c003014181");
        let none = cipher_suites(&CipherSuite::ALL, &request(1)).unwrap();
        assert_eq!(none, [1]);
    }
}
