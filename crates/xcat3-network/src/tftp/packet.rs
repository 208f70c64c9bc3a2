//! The wire format of TFTP: RFC 1350 with the options of RFC 2347 (blksize: RFC 2348; timeout and
//! tsize: RFC 2349; windowsize: RFC 7440).

use std::borrow::Cow;

/// Error codes (RFC 1350 section 5 and RFC 2347).
pub mod code {
    /// See the message.
    pub const OTHER: u16 = 0;
    /// No such file.
    pub const NOT_FOUND: u16 = 1;
    /// Access violation.
    pub const ACCESS: u16 = 2;
    /// Illegal operation.
    pub const ILLEGAL: u16 = 4;
    /// The options are refused (RFC 2347).
    pub const OPTIONS: u16 = 8;
}

/// Most bytes of a request that are read.
pub const MAX_REQUEST_LENGTH: usize = 1500;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OPTION_ACK: u16 = 6;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A client wants to read a file.
    Read(Request<'a>),
    /// A client wants to write a file.
    Write(Request<'a>),
    /// A block of a file.
    Data {
        /// Its number, from 1 on, modulo 65,536.
        block: u16,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// Acknowledges a block, or the options with 0.
    Ack(u16),
    /// Ends the transfer.
    Error {
        /// See [`code`].
        code: u16,
        /// The reason, as text.
        message: Cow<'a, str>,
    },
    /// The options that the server accepted.
    OptionAck(Options),
}

/// A read or write request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The path, as received.
    pub path: &'a [u8],
    /// The transfer mode.
    pub mode: Mode,
    /// The options that the client proposes.
    pub options: Options,
}

/// A transfer mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Unchanged bytes.
    Octet,
    /// Text with line ends CR LF (RFC 764).
    Netascii,
}

/// Options of a request or of an option acknowledgement. Options with malformed values are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Size of a block, in bytes.
    pub block_size: Option<u64>,
    /// Retransmission timeout, in seconds.
    pub timeout: Option<u64>,
    /// Size of the file, in bytes; 0 in a request.
    pub transfer_size: Option<u64>,
    /// Blocks sent before the server waits for an acknowledgement.
    pub window_size: Option<u64>,
}

/// Bytes that are not a TFTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

impl<'a> Packet<'a> {
    /// Parses a packet.
    ///
    /// # Errors
    /// The bytes are malformed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (operation, rest) = number(bytes).ok_or(Malformed("the packet is too short"))?;
        match operation {
            READ => Ok(Self::Read(Request::parse(rest)?)),
            WRITE => Ok(Self::Write(Request::parse(rest)?)),
            DATA => {
                let (block, bytes) = number(rest).ok_or(Malformed("the block has no number"))?;
                Ok(Self::Data { block, bytes })
            }
            ACK => {
                let block = number(rest).ok_or(Malformed("the acknowledgement has no number"))?;
                Ok(Self::Ack(block.0))
            }
            ERROR => {
                let (code, rest) = number(rest).ok_or(Malformed("the error has no code"))?;
                let message = text(rest).map_or(rest, |(message, _)| message);
                let message = String::from_utf8_lossy(message);
                Ok(Self::Error { code, message })
            }
            OPTION_ACK => Ok(Self::OptionAck(Options::parse(rest))),
            _ => Err(Malformed("the operation is unknown to TFTP")),
        }
    }

    /// Replaces the contents of `buffer` by the packet.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        match self {
            Self::Read(request) => request.write(READ, buffer),
            Self::Write(request) => request.write(WRITE, buffer),
            Self::Data { block, bytes } => {
                push_header(buffer, DATA, *block);
                buffer.extend_from_slice(bytes);
            }
            Self::Ack(block) => push_header(buffer, ACK, *block),
            Self::Error { code, message } => {
                push_header(buffer, ERROR, *code);
                buffer.extend(message.bytes().filter(|byte| *byte != 0));
                buffer.push(0);
            }
            Self::OptionAck(options) => {
                buffer.extend_from_slice(&OPTION_ACK.to_be_bytes());
                options.write(buffer);
            }
        }
    }

    /// The packet as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    /// An error packet.
    pub fn error(code: u16, message: impl Into<Cow<'a, str>>) -> Self {
        let message = message.into();
        Self::Error { code, message }
    }
}

/// Replaces the contents of `buffer` by the header of a data packet; the bytes of the block follow.
pub fn begin_data(buffer: &mut Vec<u8>, block: u16) {
    buffer.clear();
    push_header(buffer, DATA, block);
}

impl<'a> Request<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (path, rest) = text(bytes).ok_or(Malformed("the file name has no end"))?;
        if path.is_empty() {
            return Err(Malformed("the file name is empty"));
        }
        // Some boot ROMs leave out the NUL behind the mode when nothing follows it.
        let (mode, rest) = text(rest).unwrap_or((rest, &[]));
        let mode = match mode {
            mode if mode.eq_ignore_ascii_case(b"octet") => Mode::Octet,
            mode if mode.eq_ignore_ascii_case(b"binary") => Mode::Octet,
            mode if mode.eq_ignore_ascii_case(b"netascii") => Mode::Netascii,
            _ => return Err(Malformed("the mode is neither octet nor netascii")),
        };
        let options = Options::parse(rest);
        Ok(Self {
            path,
            mode,
            options,
        })
    }

    fn write(&self, operation: u16, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&operation.to_be_bytes());
        buffer.extend_from_slice(self.path);
        buffer.push(0);
        buffer.extend_from_slice(match self.mode {
            Mode::Octet => b"octet\0",
            Mode::Netascii => b"netascii\0",
        });
        self.options.write(buffer);
    }
}

impl Options {
    /// Parses pairs of name and value. Unknown names are ignored (RFC 2347); of equal names the first
    /// counts.
    fn parse(mut bytes: &[u8]) -> Self {
        let mut options = Self::default();
        while let Some((name, after)) = text(bytes) {
            let (value, after) = text(after).unwrap_or((after, &[]));
            bytes = after;
            let option = match name.to_ascii_lowercase().as_slice() {
                b"blksize" => &mut options.block_size,
                b"timeout" => &mut options.timeout,
                b"tsize" => &mut options.transfer_size,
                b"windowsize" => &mut options.window_size,
                _ => continue,
            };
            *option = option.or(decimal(value));
        }
        options
    }

    fn write(&self, buffer: &mut Vec<u8>) {
        for (name, value) in [
            ("blksize", self.block_size),
            ("timeout", self.timeout),
            ("tsize", self.transfer_size),
            ("windowsize", self.window_size),
        ] {
            if let Some(value) = value {
                buffer.extend_from_slice(name.as_bytes());
                buffer.push(0);
                buffer.extend_from_slice(value.to_string().as_bytes());
                buffer.push(0);
            }
        }
    }
}

fn push_header(buffer: &mut Vec<u8>, operation: u16, number: u16) {
    buffer.extend_from_slice(&operation.to_be_bytes());
    buffer.extend_from_slice(&number.to_be_bytes());
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

/// Splits at the first NUL.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn boot_rom_request_is_parsed() {
        let bytes = b"\0\x01undionly.kpxe\0octet\0tsize\x000\0BLKSIZE\x001456\0foo\0bar\0";
        let Ok(Packet::Read(request)) = Packet::parse(bytes) else {
            panic!("a read request");
        };
        assert_eq!(request.path, b"undionly.kpxe");
        assert_eq!(request.mode, Mode::Octet);
        assert_eq!(request.options.transfer_size, Some(0));
        assert_eq!(request.options.block_size, Some(1456));
        assert_eq!(request.options.window_size, None);
    }

    #[test]
    fn malformed_packet_is_refused_with_reason() {
        assert!(matches!(
            Packet::parse(b"\0\x01a\0NetASCII"),
            Ok(Packet::Read(_))
        ));
        for (bytes, problem) in [
            (&b""[..], "the packet is too short"),
            (b"\0", "the packet is too short"),
            (b"\0\x01a", "the file name has no end"),
            (b"\0\x01\0octet\0", "the file name is empty"),
            (b"\0\x01a\0mail\0", "the mode is neither octet nor netascii"),
            (b"\0\x04\0", "the acknowledgement has no number"),
            (b"\0\x07", "the operation is unknown to TFTP"),
        ] {
            assert_eq!(Packet::parse(bytes), Err(Malformed(problem)));
        }
    }

    #[test]
    fn option_with_malformed_value_is_ignored() {
        let bytes = b"\0\x01a\0octet\0blksize\0-1\0timeout\0\0tsize\x0018446744073709551616\0windowsize\x008";
        let Ok(Packet::Read(request)) = Packet::parse(bytes) else {
            panic!("a read request");
        };
        let expected = Options {
            window_size: Some(8),
            ..Options::default()
        };
        assert_eq!(request.options, expected);
    }

    fn options() -> impl Strategy<Value = Options> {
        any::<[Option<u64>; 4]>().prop_map(|[block_size, timeout, transfer_size, window_size]| {
            Options {
                block_size,
                timeout,
                transfer_size,
                window_size,
            }
        })
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn arbitrary_request_does_not_panic(
            operation in 1u8..7, rest in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..100)
        ) {
            let _ = Packet::parse(&[&[0, operation][..], &rest].concat());
        }

        #[test]
        fn written_packet_is_parsed_to_the_same(
            path in prop::collection::vec(1u8.., 1..100), ascii: bool, options in options(),
            block: u16, bytes in prop::collection::vec(any::<u8>(), 0..600), message in "[^\0]{0,50}",
        ) {
            let mode = if ascii { Mode::Netascii } else { Mode::Octet };
            let request = Request { path: &path, mode, options };
            for packet in [
                Packet::Read(request),
                Packet::Write(request),
                Packet::Data { block, bytes: &bytes },
                Packet::Ack(block),
                Packet::error(block, message),
                Packet::OptionAck(options),
            ] {
                let bytes = packet.to_bytes();
                prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
            }
        }
    }
}
