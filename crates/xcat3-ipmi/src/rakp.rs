//! The payloads of a handshake (IPMI v2.0, 13.17 to 13.24).

use std::fmt;

use crate::suite::CipherSuite;
use crate::wire::{Reader, Short};

/// In the role of RAKP message 1: the user is looked up by name, whatever its privilege.
pub(crate) const NAME_ONLY: u8 = 0x10;

/// Why a BMC refuses a handshake (table 13-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u8);

impl Status {
    /// It doesn't.
    pub const OK: Self = Self(0x00);
    /// No session slot is free.
    pub const NO_RESOURCES: Self = Self(0x01);
    /// The session number is not known to it.
    pub const UNKNOWN_SESSION: Self = Self(0x02);
    /// The role is not valid.
    pub const INVALID_ROLE: Self = Self(0x09);
    /// The user may not have the privilege level.
    pub const UNAUTHORIZED_ROLE: Self = Self(0x0a);
    /// No session slot is free for this privilege level.
    pub const NO_ROLE_RESOURCES: Self = Self(0x0b);
    /// No user has this name.
    pub const UNKNOWN_USER: Self = Self(0x0d);
    /// The code is wrong: the password is.
    pub const WRONG_CODE: Self = Self(0x0f);
    /// No cipher suite matches.
    pub const NO_SUITE: Self = Self(0x11);

    /// Whether it is who logs in that is refused: the same again would be refused again, and many
    /// BMCs lock an account after a few attempts.
    #[must_use]
    pub fn rejects_credentials(self) -> bool {
        matches!(self.0, 0x09 | 0x0a | 0x0c..=0x0f)
    }

    /// Whether another cipher suite may do.
    pub(crate) fn is_about_suite(self) -> bool {
        matches!(self.0, 0x03 | 0x04 | 0x05 | 0x06 | 0x07 | 0x10 | 0x11)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            0x01 => "all its session slots are taken",
            0x02 | 0x08 => "it does not know the session",
            0x03..=0x07 | 0x10 | 0x11 => "it does not offer the cipher suite",
            0x09 | 0x0a => "the user may not have the privilege level",
            0x0b => "all its session slots of this privilege level are taken",
            0x0c => "the user's name is too long for it",
            0x0d => "it has no such user",
            0x0e => "it does not accept the GUID",
            0x0f => "the password is wrong",
            0x12 => "it does not understand the request",
            _ => "it does not say why",
        };
        write!(f, "{words} (status {:#04x})", self.0)
    }
}

/// RMCP+ Open Session Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenRequest {
    pub(crate) tag: u8,
    pub(crate) privilege: u8,
    pub(crate) console_session: u32,
    /// Authentication, integrity, confidentiality.
    pub(crate) algorithms: [u8; 3],
}

/// RMCP+ Open Session Response of a BMC that agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenResponse {
    pub(crate) tag: u8,
    pub(crate) privilege: u8,
    pub(crate) console_session: u32,
    pub(crate) bmc_session: u32,
    pub(crate) suite: CipherSuite,
}

/// RAKP message 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rakp1 {
    pub(crate) tag: u8,
    pub(crate) bmc_session: u32,
    pub(crate) random: [u8; 16],
    pub(crate) role: u8,
    pub(crate) user: Vec<u8>,
}

/// RAKP message 2 of a BMC that knows the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rakp2 {
    pub(crate) tag: u8,
    pub(crate) console_session: u32,
    pub(crate) random: [u8; 16],
    pub(crate) guid: [u8; 16],
    pub(crate) code: Vec<u8>,
}

/// RAKP messages 3 and 4: a session of the receiver's and a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) tag: u8,
    pub(crate) status: Status,
    pub(crate) session: u32,
    pub(crate) code: Vec<u8>,
}

/// What a BMC answers, or that it refuses.
pub(crate) type Answer<T> = Result<T, Refusal>;

/// A message by which a BMC refuses one of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Of what it refuses.
    pub(crate) tag: u8,
    pub(crate) status: Status,
    /// 0 where the BMC does not tell: ipmi_sim ends after the status, others fill with zeros.
    pub(crate) console_session: u32,
}

impl Refusal {
    /// The refusal in a payload of a handshake, of which the first four bytes are alike in all.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let [tag, status, rest @ ..] = payload else {
            return None;
        };
        let number = rest.get(2..6).and_then(|bytes| bytes.try_into().ok());
        (*status != Status::OK.0).then(|| Self {
            tag: *tag,
            status: Status(*status),
            console_session: number.map_or(0, u32::from_le_bytes),
        })
    }

    /// Whether it is of the handshake of this session and message.
    pub(crate) fn is_for(&self, session: u32, tag: u8) -> bool {
        self.tag == tag && [0, session].contains(&self.console_session)
    }
}

impl OpenRequest {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, self.privilege, 0, 0];
        bytes.extend_from_slice(&self.console_session.to_le_bytes());
        algorithms(&mut bytes, self.algorithms);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(bytes);
        let [tag, privilege, _, _] = reader.array()?;
        let console_session = reader.u32()?;
        Ok(Self {
            tag,
            privilege,
            console_session,
            algorithms: read_algorithms(&mut reader)?,
        })
    }
}

impl OpenResponse {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, 0, self.privilege, 0];
        bytes.extend_from_slice(&self.console_session.to_le_bytes());
        bytes.extend_from_slice(&self.bmc_session.to_le_bytes());
        algorithms(&mut bytes, self.suite.algorithms());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Answer<Self>> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Answer<Self>, Short> {
        if let Some(refusal) = Refusal::read(bytes) {
            return Ok(Err(refusal));
        }
        let mut reader = Reader::new(bytes);
        let [tag, _, privilege, _] = reader.array()?;
        let (console_session, bmc_session) = (reader.u32()?, reader.u32()?);
        let chosen = CipherSuite::from_algorithms(read_algorithms(&mut reader)?);
        let Some(suite) = chosen else {
            return Ok(Err(Refusal {
                tag,
                status: Status::NO_SUITE,
                console_session,
            }));
        };
        Ok(Ok(Self {
            tag,
            privilege,
            console_session,
            bmc_session,
            suite,
        }))
    }
}

impl Rakp1 {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, 0, 0, 0];
        bytes.extend_from_slice(&self.bmc_session.to_le_bytes());
        bytes.extend_from_slice(&self.random);
        let length = u8::try_from(self.user.len()).unwrap_or(u8::MAX);
        bytes.extend_from_slice(&[self.role, 0, 0, length]);
        bytes.extend_from_slice(&self.user);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(bytes);
        let [tag, _, _, _] = reader.array()?;
        let bmc_session = reader.u32()?;
        let random = reader.array()?;
        let [role, _, _, length] = reader.array()?;
        Ok(Self {
            tag,
            bmc_session,
            random,
            role,
            user: reader.take(usize::from(length))?.to_vec(),
        })
    }
}

impl Rakp2 {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, 0, 0, 0];
        bytes.extend_from_slice(&self.console_session.to_le_bytes());
        bytes.extend_from_slice(&self.random);
        bytes.extend_from_slice(&self.guid);
        bytes.extend_from_slice(&self.code);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Answer<Self>> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Answer<Self>, Short> {
        if let Some(refusal) = Refusal::read(bytes) {
            return Ok(Err(refusal));
        }
        let mut reader = Reader::new(bytes);
        let [tag, _, _, _] = reader.array()?;
        Ok(Ok(Self {
            tag,
            console_session: reader.u32()?,
            random: reader.array()?,
            guid: reader.array()?,
            code: reader.rest().to_vec(),
        }))
    }
}

impl Proof {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.tag, self.status.0, 0, 0];
        bytes.extend_from_slice(&self.session.to_le_bytes());
        bytes.extend_from_slice(&self.code);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let [tag, status, _, _] = reader.array().ok()?;
        Some(Self {
            tag,
            status: Status(status),
            session: reader.u32().ok()?,
            code: reader.rest().to_vec(),
        })
    }
}

/// What a BMC says that refuses a message of a handshake.
pub(crate) fn refusal(tag: u8, status: Status, console_session: u32) -> Vec<u8> {
    let mut bytes = vec![tag, status.0, 0, 0];
    bytes.extend_from_slice(&console_session.to_le_bytes());
    bytes
}

fn algorithms(bytes: &mut Vec<u8>, numbers: [u8; 3]) {
    for (kind, number) in (0..).zip(numbers) {
        bytes.extend_from_slice(&[kind, 0, 0, 8, number, 0, 0, 0]);
    }
}

fn read_algorithms(reader: &mut Reader<'_>) -> Result<[u8; 3], Short> {
    let mut numbers = [0; 3];
    for number in &mut numbers {
        let [_, _, _, _, chosen, _, _, _] = reader.array()?;
        *number = chosen & 0x3f;
    }
    Ok(numbers)
}
