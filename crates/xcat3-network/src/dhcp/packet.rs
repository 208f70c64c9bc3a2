//! The wire format of DHCP: parses requests and encodes replies.
//!
//! RFC 2131 (format), 2132 (options), 3396 (options longer than 255 bytes), 1542 (BOOTP). dhcproto is
//! the codec of the fixed header and of replies, and is used in this file only. The options of a
//! request are parsed here: dhcproto drops everything after a malformed option, reads only the first
//! architecture of option 93, and has debug assertions that a hostile option trips.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, HType, Message, Opcode, OptionCode, UnknownOption};
use dhcproto::{Decodable, Encodable};
use xcat3_core::MacAddr;

/// Option codes.
pub mod code {
    #![allow(missing_docs)]
    pub const NETMASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const NAMESERVERS: u8 = 6;
    pub const HOSTNAME: u8 = 12;
    pub const DOMAIN: u8 = 15;
    pub const BROADCAST: u8 = 28;
    pub const NTP_SERVERS: u8 = 42;
    pub const VENDOR: u8 = 43;
    pub const REQUESTED_IP: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER_ID: u8 = 54;
    pub const PARAMETER_LIST: u8 = 55;
    pub const MESSAGE: u8 = 56;
    pub const MAX_SIZE: u8 = 57;
    pub const RENEWAL: u8 = 58;
    pub const REBINDING: u8 = 59;
    pub const VENDOR_CLASS: u8 = 60;
    pub const CLIENT_ID: u8 = 61;
    pub const TFTP_SERVER: u8 = 66;
    pub const BOOT_FILE: u8 = 67;
    pub const USER_CLASS: u8 = 77;
    pub const RELAY: u8 = 82;
    pub const ARCHITECTURE: u8 = 93;
    pub const MACHINE_ID: u8 = 97;
    pub const SUBNET_SELECTION: u8 = 118;
    pub const IPXE: u8 = 175;
}

/// The type of a DHCP message (option 53).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client accepts an offer, or verifies or extends its lease.
    Request,
    /// A client found its address in use by another machine.
    Decline,
    /// A server grants an address.
    Ack,
    /// A server refuses an address.
    Nak,
    /// A client gives up its address.
    Release,
    /// A client with an address requests the other options.
    Inform,
    /// Any other type.
    Other(u8),
}

impl MessageType {
    fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            other => Self::Other(other),
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Discover => 1,
            Self::Offer => 2,
            Self::Request => 3,
            Self::Decline => 4,
            Self::Ack => 5,
            Self::Nak => 6,
            Self::Release => 7,
            Self::Inform => 8,
            Self::Other(byte) => byte,
        }
    }
}

/// Bytes that are not a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// Shorter than the fixed header of BOOTP.
    #[error("{0} bytes are too few for a DHCP message")]
    Short(usize),
    /// A message of a server.
    #[error("the message is not a request")]
    NotARequest,
    /// Another hardware type, or a MAC that no nic can have.
    #[error("the hardware address is not that of an Ethernet nic")]
    NotEthernet,
}

/// Options by code, with the parts of long options joined.
pub type Options = BTreeMap<u8, Vec<u8>>;

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Transaction id.
    pub xid: u32,
    /// Flags, which the reply repeats.
    pub flags: u16,
    /// The current address of the client, or 0.0.0.0.
    pub ciaddr: Ipv4Addr,
    /// The relay that forwarded the request, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// The MAC of the nic.
    pub mac: MacAddr,
    /// The options.
    pub options: Options,
}

/// The fixed header of BOOTP, without the magic cookie that options follow.
const HEADER: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Longest reply where the client names no length: an IP datagram of 576 bytes.
const DEFAULT_LENGTH: usize = 548;
/// Longest reply: it fits into one Ethernet frame.
const MAX_LENGTH: usize = 1472;
/// Shortest reply: clients of BOOTP drop shorter ones (RFC 1542, 2.1).
const MIN_LENGTH: usize = 300;
/// Options that are dropped in this order while a reply is longer than its client accepts.
const DROPPED_FIRST: [u8; 6] = [
    code::NTP_SERVERS,
    code::BROADCAST,
    code::TFTP_SERVER,
    code::DOMAIN,
    code::NAMESERVERS,
    code::HOSTNAME,
];

impl Request {
    /// Decodes a request.
    ///
    /// # Errors
    /// The bytes are not a request of an Ethernet nic.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadPacket> {
        let header = bytes.get(..HEADER).ok_or(BadPacket::Short(bytes.len()))?;
        if header[0] != 1 {
            return Err(BadPacket::NotARequest);
        }
        // Hardware type and length are checked before dhcproto slices with them.
        let mac: [u8; 6] = header[28..34]
            .try_into()
            .map_err(|_| BadPacket::NotEthernet)?;
        let mac = MacAddr(mac);
        if header[1..3] != [1, 6] || mac.0 == [0xff; 6] || mac.0 == [0; 6] {
            return Err(BadPacket::NotEthernet);
        }
        let mut fixed = header.to_vec();
        fixed.extend_from_slice(&MAGIC);
        let message = Message::from_bytes(&fixed).map_err(|_| BadPacket::Short(bytes.len()))?;
        Ok(Self {
            xid: message.xid(),
            flags: message.flags().into(),
            ciaddr: message.ciaddr(),
            giaddr: message.giaddr(),
            mac,
            options: parse_options(bytes, header),
        })
    }

    /// The type of the message; `None` is plain BOOTP.
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        let byte = self.options.get(&code::MESSAGE_TYPE)?.first()?;
        Some(MessageType::from_byte(*byte))
    }

    /// The bytes of an option.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }

    /// The value of an option that is one address.
    #[must_use]
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    }

    /// The architectures of the firmware (option 93).
    pub fn architectures(&self) -> impl Iterator<Item = u16> + '_ {
        let bytes = self.option(code::ARCHITECTURE).unwrap_or_default();
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_be_bytes(*pair))
    }

    /// Whether the client requests an option (option 55). A client without option 55 gets all options.
    #[must_use]
    pub fn wants(&self, code: u8) -> bool {
        self.option(code::PARAMETER_LIST)
            .is_none_or(|list| list.contains(&code))
    }

    /// The host name of the client (option 12), where it is well-formed.
    #[must_use]
    pub fn hostname(&self) -> Option<String> {
        let text = std::str::from_utf8(self.option(code::HOSTNAME)?).ok()?;
        let text = text.trim_end_matches('\0');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let good = !text.is_empty() && text.len() <= 255 && text.chars().all(plain);
        good.then(|| text.to_owned())
    }

    /// Longest reply that the client accepts, in bytes (option 57).
    fn max_reply_length(&self) -> usize {
        let max_size: Option<[u8; 2]> = self.option(code::MAX_SIZE).and_then(|b| b.try_into().ok());
        let datagram = max_size.map_or(0, |bytes| usize::from(u16::from_be_bytes(bytes)));
        datagram
            .saturating_sub(28)
            .clamp(DEFAULT_LENGTH, MAX_LENGTH)
    }
}

/// Parses the options of a message: the option field, then the fields `file` and `sname` where option
/// 52 says so (RFC 2131, 4.1).
fn parse_options(bytes: &[u8], header: &[u8]) -> Options {
    let mut options = Options::new();
    let Some(field) = bytes
        .get(HEADER..)
        .and_then(|rest| rest.strip_prefix(&MAGIC))
    else {
        return options;
    };
    parse_field(field, &mut options);
    let overload = options.get(&code::OVERLOAD).and_then(|value| value.first());
    let overload = overload.copied().unwrap_or_default();
    if overload & 1 != 0 {
        parse_field(&header[108..236], &mut options);
    }
    if overload & 2 != 0 {
        parse_field(&header[44..108], &mut options);
    }
    options
}

/// Adds the options of one field. A truncated option ends the field; repeated options are joined (RFC
/// 3396).
fn parse_field(mut field: &[u8], options: &mut Options) {
    while let [code, rest @ ..] = field {
        field = match (*code, rest) {
            (255, _) => return,
            (0, _) => rest,
            (code, [length, rest @ ..]) if rest.len() >= usize::from(*length) => {
                let (value, rest) = rest.split_at(usize::from(*length));
                options.entry(code).or_default().extend_from_slice(value);
                rest
            }
            _ => return,
        };
    }
}

/// A message of this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The type of the message; `None` is plain BOOTP.
    pub message_type: Option<MessageType>,
    /// Transaction id of the request.
    pub xid: u32,
    /// Flags of the request.
    pub flags: u16,
    /// The current address of the client.
    pub ciaddr: Ipv4Addr,
    /// The granted address.
    pub yiaddr: Ipv4Addr,
    /// The server that the client boots from.
    pub siaddr: Ipv4Addr,
    /// The relay that forwards the reply.
    pub giaddr: Ipv4Addr,
    /// The MAC of the nic.
    pub mac: MacAddr,
    /// The boot file; encoded where it fits into the field.
    pub file: String,
    /// The options except [`code::MESSAGE_TYPE`].
    pub options: Options,
    /// Longest reply that the client accepts, in bytes.
    pub max_length: usize,
}

impl Reply {
    /// A reply to `request` without options.
    #[must_use]
    pub fn new(request: &Request, message_type: Option<MessageType>) -> Self {
        Self {
            message_type,
            xid: request.xid,
            flags: request.flags,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: request.giaddr,
            mac: request.mac,
            file: String::new(),
            options: Options::new(),
            max_length: request.max_reply_length(),
        }
    }

    /// Sets an option; an empty value is ignored.
    pub fn set(&mut self, code: u8, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if !value.is_empty() {
            self.options.insert(code, value);
        }
    }

    /// Sets an option whose value is a list of addresses.
    pub fn set_addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) {
        self.set(
            code,
            addresses
                .iter()
                .flat_map(Ipv4Addr::octets)
                .collect::<Vec<u8>>(),
        );
    }

    /// Sets an option whose value is a number of seconds.
    pub fn set_seconds(&mut self, code: u8, seconds: u32) {
        self.set(code, seconds.to_be_bytes());
    }

    /// Encodes the reply. Options that the client can do without are dropped where the reply would be
    /// too long.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        let mut bytes = self.encode_with(&options);
        for optional in DROPPED_FIRST {
            if bytes.len() <= self.max_length {
                break;
            }
            options.remove(&optional);
            bytes = self.encode_with(&options);
        }
        bytes.resize(bytes.len().max(MIN_LENGTH), 0);
        bytes
    }

    fn encode_with(&self, options: &Options) -> Vec<u8> {
        let mut message = Message::new_with_id(
            self.xid,
            self.ciaddr,
            self.yiaddr,
            self.siaddr,
            self.giaddr,
            &self.mac.0,
        );
        message
            .set_opcode(Opcode::BootReply)
            .set_htype(HType::Eth)
            .set_flags(self.flags.into());
        if !self.file.is_empty() && self.file.len() < 128 {
            message.set_fname_str(&self.file);
        }
        let message_type = self
            .message_type
            .map(|message_type| (code::MESSAGE_TYPE, vec![message_type.to_byte()]));
        let others = options.iter().map(|(&code, value)| (code, value.clone()));
        for (code, value) in message_type.into_iter().chain(others) {
            if code != code::RELAY {
                let option = UnknownOption::new(OptionCode::from(code), value);
                message.opts_mut().insert(DhcpOption::Unknown(option));
            }
        }
        // The only error is a field that is too long, and both lengths are checked.
        let mut bytes = message.to_vec().unwrap_or_default();
        // The option of the relay is returned unchanged as the last one (RFC 3046, 2.2).
        if let (Some(relay), Some(255)) = (options.get(&code::RELAY), bytes.pop()) {
            for part in relay.chunks(255) {
                bytes.push(code::RELAY);
                bytes.extend(u8::try_from(part.len()));
                bytes.extend_from_slice(part);
            }
        }
        bytes.push(255);
        bytes
    }
}
