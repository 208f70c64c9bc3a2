//! DHCP messages on the wire: what of a request matters here, and how a reply is written.
//!
//! RFC 2131 (format), 2132 (options), 3396 (options longer than 255 bytes), 1542 (BOOTP). The codec is
//! dhcproto; this file is the only one that knows it. It reads the fixed header and writes replies,
//! but the options of a request are walked here: dhcproto drops whatever follows a malformed option,
//! keeps one architecture of option 93 only, and has debug assertions that a hostile option trips.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, HType, Message, Opcode, OptionCode, UnknownOption};
use dhcproto::{Decodable, Encodable};
use xcat3_core::MacAddr;

/// Codes of the options that are read or written here.
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
    pub const KIND: u8 = 53;
    pub const SERVER_ID: u8 = 54;
    pub const WANTED: u8 = 55;
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

/// What a DHCP message is (option 53).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client looks for servers.
    Discover,
    /// A server's proposal.
    Offer,
    /// A client takes a proposal or keeps what it has.
    Request,
    /// A client found its address in use by another machine.
    Decline,
    /// A server's promise.
    Ack,
    /// A server's refusal.
    Nak,
    /// A client gives its address back.
    Release,
    /// A client with an address of its own asks for the rest.
    Inform,
    /// Any other.
    Other(u8),
}

impl Kind {
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

/// Why some bytes are not a request that can be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// Shorter than the fixed header of BOOTP.
    #[error("{0} bytes are too few for a DHCP message")]
    Short(usize),
    /// Not sent by a client.
    #[error("it is not a request")]
    NotARequest,
    /// Hardware of another kind, or an address that no nic can own.
    #[error("its hardware address is not that of an Ethernet nic")]
    NotEthernet,
}

/// Options by code, with the parts of long ones joined.
pub type Options = BTreeMap<u8, Vec<u8>>;

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Chosen by the client to know its answers.
    pub xid: u32,
    /// Seconds since it began to ask.
    pub secs: u16,
    /// All flags, as they are sent back.
    pub flags: u16,
    /// The address that the client has and answers ARP for.
    pub ciaddr: Ipv4Addr,
    /// The relay that passed it on, or 0.0.0.0.
    pub giaddr: Ipv4Addr,
    /// The nic that asks.
    pub mac: MacAddr,
    /// Its options.
    pub options: Options,
}

/// The fixed header of BOOTP, without the magic cookie that options follow.
const HEADER: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// What a message may have where the client does not say: an IP datagram of 576 bytes.
const DEFAULT_SIZE: usize = 548;
/// No reply is longer, whatever the client says: it must fit into one Ethernet frame.
const LARGEST_SIZE: usize = 1472;
/// Replies are never shorter: clients of BOOTP drop shorter ones (RFC 1542, 2.1).
const SMALLEST_SIZE: usize = 300;
/// Left out in this order where a reply is longer than its client takes.
const LEFT_OUT_FIRST: [u8; 6] = [
    code::NTP_SERVERS,
    code::BROADCAST,
    code::TFTP_SERVER,
    code::DOMAIN,
    code::NAMESERVERS,
    code::HOSTNAME,
];

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// The bytes are no request, or one that no nic of a node sends.
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
        if header[1..3] != [1, 6] || mac.is_group() || mac.0 == [0; 6] {
            return Err(BadPacket::NotEthernet);
        }
        let mut fixed = header.to_vec();
        fixed.extend_from_slice(&MAGIC);
        let message = Message::from_bytes(&fixed).map_err(|_| BadPacket::Short(bytes.len()))?;
        Ok(Self {
            xid: message.xid(),
            secs: message.secs(),
            flags: message.flags().into(),
            ciaddr: message.ciaddr(),
            giaddr: message.giaddr(),
            mac,
            options: options_of(bytes, header),
        })
    }

    /// What the message is; `None` for plain BOOTP.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let byte = self.options.get(&code::KIND)?.first()?;
        Some(Kind::from_byte(*byte))
    }

    /// The bytes of an option.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }

    /// The address in an option that holds one.
    #[must_use]
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(bytes))
    }

    /// All architectures that the firmware names (option 93).
    pub fn architectures(&self) -> impl Iterator<Item = u16> + '_ {
        let bytes = self.option(code::ARCHITECTURE).unwrap_or_default();
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_be_bytes(*pair))
    }

    /// Whether the client asks for an option. One that says nothing is given everything.
    #[must_use]
    pub fn wants(&self, code: u8) -> bool {
        self.option(code::WANTED)
            .is_none_or(|wanted| wanted.contains(&code))
    }

    /// The host name that the client gives itself, where it is one.
    #[must_use]
    pub fn hostname(&self) -> Option<String> {
        let text = std::str::from_utf8(self.option(code::HOSTNAME)?).ok()?;
        let text = text.trim_end_matches('\0');
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let good = !text.is_empty() && text.len() <= 255 && text.chars().all(plain);
        good.then(|| text.to_owned())
    }

    /// The most bytes that a reply may have.
    fn largest_reply(&self) -> usize {
        let said: Option<[u8; 2]> = self.option(code::MAX_SIZE).and_then(|b| b.try_into().ok());
        let datagram = said.map_or(0, |bytes| usize::from(u16::from_be_bytes(bytes)));
        datagram
            .saturating_sub(28)
            .clamp(DEFAULT_SIZE, LARGEST_SIZE)
    }
}

/// The options of a message: those of the option field, then where option 52 says so those in the
/// fields `file` and `sname` (RFC 2131, 4.1).
fn options_of(bytes: &[u8], header: &[u8]) -> Options {
    let mut options = Options::new();
    let Some(field) = bytes
        .get(HEADER..)
        .and_then(|rest| rest.strip_prefix(&MAGIC))
    else {
        return options;
    };
    walk(field, &mut options);
    let overload = options.get(&code::OVERLOAD).and_then(|value| value.first());
    let overload = overload.copied().unwrap_or_default();
    if overload & 1 != 0 {
        walk(&header[108..236], &mut options);
    }
    if overload & 2 != 0 {
        walk(&header[44..108], &mut options);
    }
    options
}

/// Adds the options of one field. An option that is cut short ends the walk; parts of an option that
/// stands more than once are joined (RFC 3396).
fn walk(mut field: &[u8], options: &mut Options) {
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

/// A server's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it is; `None` answers plain BOOTP.
    pub kind: Option<Kind>,
    /// Of the request.
    pub xid: u32,
    /// Of the request.
    pub flags: u16,
    /// The address that the client has already.
    pub ciaddr: Ipv4Addr,
    /// The address that it is given.
    pub yiaddr: Ipv4Addr,
    /// The server that it boots from.
    pub siaddr: Ipv4Addr,
    /// The relay on the way.
    pub giaddr: Ipv4Addr,
    /// The nic that asked.
    pub mac: MacAddr,
    /// The boot file, where it fits into the field.
    pub file: String,
    /// Options, but for [`code::KIND`].
    pub options: Options,
    /// The most bytes that its client takes.
    pub largest: usize,
}

impl Reply {
    /// A reply to `request` that says nothing yet.
    #[must_use]
    pub fn to(request: &Request, kind: Option<Kind>) -> Self {
        Self {
            kind,
            xid: request.xid,
            flags: request.flags,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: request.giaddr,
            mac: request.mac,
            file: String::new(),
            options: Options::new(),
            largest: request.largest_reply(),
        }
    }

    /// Adds an option; one without bytes says nothing and is left out.
    pub fn set(&mut self, code: u8, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if !value.is_empty() {
            self.options.insert(code, value);
        }
    }

    /// Adds an option that holds addresses.
    pub fn set_addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) {
        self.set(
            code,
            addresses
                .iter()
                .flat_map(Ipv4Addr::octets)
                .collect::<Vec<u8>>(),
        );
    }

    /// Adds an option that holds seconds.
    pub fn set_seconds(&mut self, code: u8, seconds: u32) {
        self.set(code, seconds.to_be_bytes());
    }

    /// The bytes for the wire. What the client can do without is left out where it takes no more.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        let mut bytes = self.written_with(&options);
        for spare in LEFT_OUT_FIRST {
            if bytes.len() <= self.largest {
                break;
            }
            options.remove(&spare);
            bytes = self.written_with(&options);
        }
        bytes.resize(bytes.len().max(SMALLEST_SIZE), 0);
        bytes
    }

    fn written_with(&self, options: &Options) -> Vec<u8> {
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
        let kind = self.kind.map(|kind| (code::KIND, vec![kind.to_byte()]));
        let given = options.iter().map(|(&code, value)| (code, value.clone()));
        for (code, value) in kind.into_iter().chain(given) {
            if code != code::RELAY {
                let option = UnknownOption::new(OptionCode::from(code), value);
                message.opts_mut().insert(DhcpOption::Unknown(option));
            }
        }
        // The only error is a field that is too long, and both are checked.
        let mut bytes = message.to_vec().unwrap_or_default();
        // What the relay added goes back as it came, and last (RFC 3046, 2.2).
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
