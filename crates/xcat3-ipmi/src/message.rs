//! Requests and responses as payloads of a packet (IPMI v2.0, 13.8): addresses, network function, command,
//! completion code, checksums.

use std::fmt;

use crate::wire::{Reader, Truncated, checksum};

/// Address of the BMC.
pub(crate) const BMC: u8 = 0x20;
/// Address of remote console software.
const CONSOLE: u8 = 0x81;
/// Count of request numbers: six bits.
pub(crate) const NUMBERS: u8 = 64;
/// The most bytes of data in a request.
const MAX_DATA: usize = 255;

/// A command: network function and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Network function of the request (even).
    pub function: u8,
    /// Number within the network function.
    pub number: u8,
}

impl Command {
    /// The command with these numbers.
    #[must_use]
    pub const fn new(function: u8, number: u8) -> Self {
        Self { function, number }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x} {:02x}", self.function, self.number)
    }
}

/// The completion code of a response (5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Completion(pub u8);

impl Completion {
    /// The command was carried out.
    pub const OK: Self = Self(0x00);
    /// The BMC is busy.
    pub const BUSY: Self = Self(0xc0);
    /// The BMC does not have the command.
    pub const UNKNOWN_COMMAND: Self = Self(0xc1);
    /// The BMC does not have the parameter.
    pub const UNKNOWN_PARAMETER: Self = Self(0x80);
    /// The reservation was cancelled.
    pub const RESERVATION_CANCELLED: Self = Self(0xc5);
    /// The request has the wrong length.
    pub const WRONG_LENGTH: Self = Self(0xc7);
    /// The requested sensor, record or data is not present.
    pub const NOT_PRESENT: Self = Self(0xcb);
    /// The session's privilege level does not allow the command.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(0xd4);

    /// Whether the BMC lacks the command, its subfunction or the value of a field. Another request with the
    /// same effect may work.
    #[must_use]
    pub const fn is_unsupported(self) -> bool {
        matches!(self.0, 0xc1 | 0xc2 | 0xc9 | 0xcc | 0xd6)
    }
}

impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            0x00 => "done",
            0x80 => "the parameter is not supported",
            0x81 => "already set or in use",
            0xc0 => "the BMC is busy",
            0xc1 | 0xc2 => "the BMC does not have this command",
            0xc3 => "timeout in the BMC",
            0xc4 => "the BMC is out of space",
            0xc5 => "the reservation was cancelled",
            0xc6..=0xc8 => "the request has the wrong length",
            0xc9 | 0xcc => "a field of the request is out of range",
            0xca => "the request is for more bytes than the BMC returns at once",
            0xcb => "the requested sensor, record or data is not present",
            0xcd => "the command is illegal for this sensor or record",
            0xd0 | 0xd1 => "the BMC's records are being updated",
            0xd2 => "the BMC is starting up",
            0xd3 => "the destination is unavailable",
            0xd4 => "the privilege level of the user is too low",
            0xd5 => "the command is not supported in the present state",
            0xd6 => "the command is disabled",
            _ => "the BMC refuses",
        };
        write!(f, "{words} (completion code {:#04x})", self.0)
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The command.
    pub command: Command,
    /// Number of the request within the session: 0 to 63.
    pub number: u8,
    /// Data of the command.
    pub data: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The command of the request.
    pub command: Command,
    /// Number of the request.
    pub number: u8,
    /// The completion code.
    pub completion: Completion,
    /// Data of the response.
    pub data: Vec<u8>,
}

impl Request {
    /// The response to this request.
    #[must_use]
    pub fn response(&self, completion: Completion, data: Vec<u8>) -> Response {
        Response {
            command: self.command,
            number: self.number,
            completion,
            data,
        }
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(MAX_DATA)];
        let number = self.number % NUMBERS;
        let from = [CONSOLE, number << 2, self.command.number];
        frame([BMC, self.command.function << 2], &from, data)
    }

    /// Decodes a message; `None` if the bytes are not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (function, [_, number, command], data) = unframe(bytes).ok()?;
        (function % 2 == 0).then(|| Self {
            command: Command::new(function, command),
            number: number >> 2,
            data: data.to_vec(),
        })
    }
}

impl Response {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let number = (self.number % NUMBERS) << 2;
        let from = [BMC, number, self.command.number];
        let mut data = vec![self.completion.0];
        data.extend_from_slice(&self.data);
        frame([CONSOLE, (self.command.function | 1) << 2], &from, &data)
    }

    /// Decodes a message; `None` if the bytes are not one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (function, [_, number, command], data) = unframe(bytes).ok()?;
        let (completion, data) = data.split_first()?;
        (function % 2 == 1).then(|| Self {
            command: Command::new(function & !1, command),
            number: number >> 2,
            completion: Completion(*completion),
            data: data.to_vec(),
        })
    }
}

fn frame(to: [u8; 2], from: &[u8; 3], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(7 + data.len());
    bytes.extend_from_slice(&to);
    bytes.push(checksum(&to));
    bytes.extend_from_slice(from);
    bytes.extend_from_slice(data);
    bytes.push(checksum(&bytes[3..]));
    bytes
}

/// Returns network function, the three bytes of the sender, and the data.
fn unframe(bytes: &[u8]) -> Result<(u8, [u8; 3], &[u8]), Truncated> {
    let (last, body) = bytes.split_last().ok_or(Truncated)?;
    let mut reader = Reader::new(body);
    let to: [u8; 2] = reader.array()?;
    let first = reader.u8()?;
    let covered = reader.rest();
    let from = reader.array()?;
    if checksum(&to) != first || checksum(covered) != *last {
        return Err(Truncated);
    }
    Ok((to[1] >> 2, from, reader.rest()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_encoded_has_layout_of_specification() {
        let request = Request {
            command: Command::new(0x00, 0x01),
            number: 2,
            data: Vec::new(),
        };
        let bytes = [0x20, 0x00, 0xe0, 0x81, 0x08, 0x01, 0x76];
        assert_eq!(request.encode(), bytes);
        assert_eq!(Request::decode(&bytes), Some(request));
    }

    #[test]
    fn response_damaged_is_not_decoded() {
        let response = Response {
            command: Command::new(0x06, 0x3b),
            number: 63,
            completion: Completion::INSUFFICIENT_PRIVILEGE,
            data: vec![4, 5],
        };
        let bytes = response.encode();
        assert_eq!(Response::decode(&bytes), Some(response));
        assert_eq!(Request::decode(&bytes), None, "a response is no request");
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            assert_eq!(Response::decode(&broken), None, "byte {at} damaged");
            assert_eq!(Response::decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
