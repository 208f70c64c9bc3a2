//! Payloads of a handshake (IPMI v2.0, 13.17 to 13.24).

use std::fmt;

use crate::suite::CipherSuite;
use crate::wire::{Reader, Truncated};

/// Bit in the role of RAKP message 1: look up the user by name only, not by name and privilege level.
pub(crate) const NAME_ONLY: u8 = 0x10;

/// The status code of a handshake message (table 13-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u8);

impl Status {
    /// No error.
    pub const OK: Self = Self(0x00);
    /// No session slot is free.
    pub const NO_RESOURCES: Self = Self(0x01);
    /// The BMC does not know the session number.
    pub const UNKNOWN_SESSION: Self = Self(0x02);
    /// The role is not valid.
    pub const INVALID_ROLE: Self = Self(0x09);
    /// The user may not have the requested privilege level.
    pub const UNAUTHORIZED_ROLE: Self = Self(0x0a);
    /// No session slot is free for this privilege level.
    pub const NO_ROLE_RESOURCES: Self = Self(0x0b);
    /// No user has this name.
    pub const UNKNOWN_USER: Self = Self(0x0d);
    /// The authentication code is wrong, so the password is.
    pub const WRONG_CODE: Self = Self(0x0f);
    /// No cipher suite matches.
    pub const NO_SUITE: Self = Self(0x11);

    /// Whether the BMC rejects the credentials. It would do so again, and many BMCs lock an account after a
    /// few attempts.
    #[must_use]
    pub fn rejects_credentials(self) -> bool {
        matches!(self.0, 0x09 | 0x0a | 0x0c..=0x0f)
    }

    /// Whether another cipher suite may work.
    pub(crate) fn is_about_suite(self) -> bool {
        matches!(self.0, 0x03 | 0x04 | 0x05 | 0x06 | 0x07 | 0x10 | 0x11)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            0x01 => "all session slots are taken",
            0x02 | 0x08 => "unknown session",
            0x03..=0x07 | 0x10 | 0x11 => "the cipher suite is not supported",
            0x09 | 0x0a => "the user may not have the privilege level",
            0x0b => "all session slots of this privilege level are taken",
            0x0c => "the user name is too long",
            0x0d => "no such user",
            0x0e => "the GUID is not accepted",
            0x0f => "wrong password",
            0x12 => "invalid request",
            _ => "no reason given",
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

/// RMCP+ Open Session Response without an error.
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

/// RAKP message 2 without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rakp2 {
    pub(crate) tag: u8,
    pub(crate) console_session: u32,
    pub(crate) random: [u8; 16],
    pub(crate) guid: [u8; 16],
    pub(crate) code: Vec<u8>,
}

/// RAKP messages 3 and 4: the receiver's session number and the sender's authentication code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) tag: u8,
    pub(crate) status: Status,
    pub(crate) session: u32,
    pub(crate) code: Vec<u8>,
}

/// A reply of a BMC, or its refusal.
pub(crate) type Reply<T> = Result<T, Refusal>;

/// A handshake message that refuses the message before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Tag of the refused message.
    pub(crate) tag: u8,
    pub(crate) status: Status,
    /// The console's session number; 0 if the BMC leaves it out (ipmi_sim ends after the status, others
    /// send zeros).
    pub(crate) console_session: u32,
}

impl Refusal {
    /// Decodes the refusal in a handshake payload; `None` if its status is OK. All handshake payloads begin
    /// with the same four bytes.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
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

    /// Whether this refuses the message with this tag of this session.
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

    fn read(bytes: &[u8]) -> Result<Self, Truncated> {
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

    pub(crate) fn decode(bytes: &[u8]) -> Option<Reply<Self>> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Reply<Self>, Truncated> {
        if let Some(refusal) = Refusal::decode(bytes) {
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

    fn read(bytes: &[u8]) -> Result<Self, Truncated> {
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
            user: reader.bytes(usize::from(length))?.to_vec(),
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

    pub(crate) fn decode(bytes: &[u8]) -> Option<Reply<Self>> {
        Self::read(bytes).ok()
    }

    fn read(bytes: &[u8]) -> Result<Reply<Self>, Truncated> {
        if let Some(refusal) = Refusal::decode(bytes) {
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

/// Encodes a refusal.
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

fn read_algorithms(reader: &mut Reader<'_>) -> Result<[u8; 3], Truncated> {
    let mut numbers = [0; 3];
    for number in &mut numbers {
        let [_, _, _, _, chosen, _, _, _] = reader.array()?;
        *number = chosen & 0x3f;
    }
    Ok(numbers)
}
