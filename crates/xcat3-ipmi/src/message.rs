//! Requests and responses inside a packet (IPMI v2.0, 13.8): addresses, network function, command,
//! completion code, checksums.

use std::fmt;

use crate::wire::{Reader, Short};

/// The BMC's address.
const BMC: u8 = 0x20;
/// The address of remote console software.
const CONSOLE: u8 = 0x81;
/// How many request numbers there are: six bits.
pub(crate) const NUMBERS: u8 = 64;
/// The most data that a request takes.
pub const MAX_DATA: usize = 255;

/// A command of a BMC: network function (even) and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Network function, as for requests.
    pub function: u8,
    /// Its number there.
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

/// What a BMC says to a request (5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Completion(pub u8);

impl Completion {
    /// Done.
    pub const OK: Self = Self(0x00);
    /// The BMC is busy with something else.
    pub const BUSY: Self = Self(0xc0);
    /// The command is not known.
    pub const UNKNOWN_COMMAND: Self = Self(0xc1);
    /// The parameter is not known.
    pub const UNKNOWN_PARAMETER: Self = Self(0x80);
    /// The reservation was cancelled.
    pub const RESERVATION_CANCELLED: Self = Self(0xc5);
    /// The request has the wrong length.
    pub const WRONG_LENGTH: Self = Self(0xc7);
    /// More was asked for than fits into one answer.
    pub const TOO_LONG: Self = Self(0xca);
    /// What was asked for is not there.
    pub const NOT_PRESENT: Self = Self(0xcb);
    /// The user may not do this.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(0xd4);

    /// Whether the BMC does not have what was asked for at all: the command, its subfunction or the value
    /// of a field. Another request to the same end may do.
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
            0x81 => "it is set already, or in use",
            0xc0 => "the BMC is busy",
            0xc1 | 0xc2 => "the BMC does not know this command",
            0xc3 => "the BMC timed out over it",
            0xc4 => "the BMC is out of space",
            0xc5 => "the reservation was cancelled",
            0xc6..=0xc8 => "the request has the wrong length",
            0xc9 | 0xcc => "a field of the request is out of range",
            0xca => "more was asked for than the BMC returns at once",
            0xcb => "what was asked for is not there",
            0xcd => "the command can't be done for this record",
            0xd0 | 0xd1 => "the BMC's records are being updated",
            0xd2 => "the BMC is starting up",
            0xd3 => "the destination can't be reached",
            0xd4 => "the user's privilege is too low",
            0xd5 => "the command can't be done in the present state",
            0xd6 => "the command is disabled",
            _ => "the BMC refuses",
        };
        write!(f, "{words} (completion code {:#04x})", self.0)
    }
}

/// A request as it stands in a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Tells the request from others of the session: 0 to 63.
    pub number: u8,
    /// What the command is given.
    pub data: Vec<u8>,
}

/// A response as it stands in a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The command that it answers.
    pub command: Command,
    /// The number of the request.
    pub number: u8,
    /// How it went.
    pub completion: Completion,
    /// What it gives.
    pub data: Vec<u8>,
}

impl Request {
    /// The response to it.
    #[must_use]
    pub fn response(&self, completion: Completion, data: Vec<u8>) -> Response {
        Response {
            command: self.command,
            number: self.number,
            completion,
            data,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let data = &self.data[..self.data.len().min(MAX_DATA)];
        let number = self.number % NUMBERS;
        let from = [CONSOLE, number << 2, self.command.number];
        frame([BMC, self.command.function << 2], &from, data)
    }

    /// Reads one; nothing where the bytes are none.
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
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let number = (self.number % NUMBERS) << 2;
        let from = [BMC, number, self.command.number];
        let mut data = vec![self.completion.0];
        data.extend_from_slice(&self.data);
        frame([CONSOLE, (self.command.function | 1) << 2], &from, &data)
    }

    /// Reads one; nothing where the bytes are none.
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

/// Network function, the three bytes of the sender, and the data.
fn unframe(bytes: &[u8]) -> Result<(u8, [u8; 3], &[u8]), Short> {
    let (last, body) = bytes.split_last().ok_or(Short)?;
    let mut reader = Reader::new(body);
    let to: [u8; 2] = reader.array()?;
    let first = reader.u8()?;
    let covered = reader.rest();
    let from = reader.array()?;
    if checksum(&to) != first || checksum(covered) != *last {
        return Err(Short);
    }
    Ok((to[1] >> 2, from, reader.rest()))
}

/// The byte that makes the sum of all zero (13.8).
fn checksum(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_sub(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_chassis_status_is_as_the_specification_lays_it_out() {
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
    fn responses_come_back_and_broken_ones_do_not() {
        let response = Response {
            command: Command::new(0x06, 0x3b),
            number: 63,
            completion: Completion::INSUFFICIENT_PRIVILEGE,
            data: vec![4, 5],
        };
        let bytes = response.encode();
        assert_eq!(Response::decode(&bytes), Some(response));
        assert_eq!(Request::decode(&bytes), None, "it is no request");
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            assert_eq!(Response::decode(&broken), None, "byte {at} is broken");
            assert_eq!(Response::decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
