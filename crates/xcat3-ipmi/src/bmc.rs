//! Sessions as a BMC sees them, without any I/O: what a simulated BMC is made of. What its commands
//! do is its owner's.

mod login;
mod open;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use self::open::{Answered, Open};
use crate::handshake::Secret;
use crate::message::{Command, Completion, Request, Response};
use crate::packet::{Packet, PacketError, PayloadType, plain, sealed};
use crate::presession::{self, Capabilities};
use crate::suite::CipherSuite;

/// A session in which nothing happens is closed after this long (6.12.15).
const IDLE: Duration = Duration::from_secs(60);

const SET_PRIVILEGE: Command = Command::new(0x06, 0x3b);
const CLOSE: Command = Command::new(0x06, 0x3c);

/// A user of a BMC.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Vec<u8>,
    /// Its password.
    pub password: Secret,
    /// The highest privilege level that it gets: 2 user, 3 operator, 4 administrator; any other number:
    /// it may not log in.
    pub level: u8,
}

/// How a BMC is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its users.
    pub users: Vec<User>,
    /// Its own key, where it has one.
    pub bmc_key: Option<Secret>,
    /// Its GUID.
    pub guid: [u8; 16],
    /// The cipher suites that it takes.
    pub suites: Vec<CipherSuite>,
    /// How many sessions it has room for.
    pub slots: usize,
}

/// What a datagram comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// This is the answer, as a datagram.
    Reply(Vec<u8>),
    /// A request, which the owner answers by [`Sessions::respond`].
    Request {
        /// The session that it is of.
        session: u32,
        /// The privilege level of that session.
        level: u8,
        /// What is wanted.
        request: Request,
    },
    /// A payload of serial over LAN.
    Sol {
        /// The session that it is of.
        session: u32,
        /// What it is.
        payload: Vec<u8>,
    },
}

/// The sessions of a BMC.
pub struct Sessions {
    setup: Setup,
    /// Boxed: a table has several free places, and there may be thousands of BMCs.
    open: HashMap<u32, Box<Open>>,
    /// A session in which nothing happens for so long is closed.
    idle: Duration,
    random: fn() -> [u8; 16],
}

impl Sessions {
    /// None yet.
    #[must_use]
    pub fn new(setup: Setup, random: fn() -> [u8; 16]) -> Self {
        Self {
            setup,
            open: HashMap::new(),
            idle: IDLE,
            random,
        }
    }

    /// Has sessions end in which nothing happens for so long; 60 seconds otherwise.
    #[must_use]
    pub const fn with_idle_timeout(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// How many there are, those under way included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether there is one of this number that both have proven themselves for, and that is not idle for
    /// too long.
    #[must_use]
    pub fn is_open(&self, session: u32, now: Instant) -> bool {
        let open = self.open.get(&session);
        open.is_some_and(|open| open.keys.is_some() && open.is_alive(now, self.idle))
    }

    /// The numbers of those that [`Sessions::is_open`] says yes to, and their users' names and levels, by
    /// number.
    #[must_use]
    pub fn list(&self, now: Instant) -> Vec<(u32, &[u8], u8)> {
        let open = self.open.iter();
        let open = open.filter(|(session, _)| self.is_open(**session, now));
        let mut list: Vec<_> = open
            .map(|(session, open)| (*session, &*open.exchange.user, open.level))
            .collect();
        list.sort_unstable();
        list
    }

    /// Ends one, as its console or another one can wish; whether it was there.
    pub fn end(&mut self, session: u32) -> bool {
        self.open.remove(&session).is_some()
    }

    /// Forgets all of them, as a BMC that restarts does.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// Takes a datagram that came to the port of RMCP.
    ///
    /// # Errors
    /// It is not for this BMC; a real one is silent to it.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<Incoming, PacketError> {
        if presession::is_asf(datagram) {
            let pong = presession::pong_to(datagram).ok_or(PacketError::Protocol)?;
            return Ok(Incoming::Reply(pong));
        }
        if presession::is_version_1(datagram) {
            let message = presession::read_version_1(datagram)?;
            let answer = self.stranger(message).ok_or(PacketError::Payload)?;
            return Ok(Incoming::Reply(presession::version_1(&answer)));
        }
        let packet = Packet::parse(datagram)?;
        if packet.session == 0 && packet.payload_type == PayloadType::Message {
            let answer = self.stranger(packet.plain()?).ok_or(PacketError::Payload)?;
            return Ok(Incoming::Reply(plain(PayloadType::Message, &answer)));
        }
        let answer = match packet.payload_type {
            PayloadType::OpenRequest => self.opening(packet.plain()?, now),
            PayloadType::Rakp1 => self.naming(packet.plain()?, now),
            PayloadType::Rakp3 => self.proving(packet.plain()?, now),
            PayloadType::Message | PayloadType::Sol => return self.secured(&packet, now),
            _ => None,
        };
        answer.map(Incoming::Reply).ok_or(PacketError::Payload)
    }

    /// The datagram that answers a request of `session`; nothing where there is none of that number.
    pub fn respond(&mut self, session: u32, response: &Response) -> Option<Vec<u8>> {
        let payload = response.encode();
        let datagram = self.seal(session, PayloadType::Message, &payload)?;
        let latest = self.open.get_mut(&session)?.latest.as_mut();
        if let Some(latest) = latest.filter(|latest| latest.number == response.number) {
            latest.response = Some(payload);
        }
        Some(datagram)
    }

    /// The datagram around any bytes in the place of a message: for consoles to be tested with.
    pub fn seal_message(&mut self, session: u32, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, PayloadType::Message, payload)
    }

    /// The datagram around a payload of serial over LAN.
    pub fn seal_sol(&mut self, session: u32, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, PayloadType::Sol, payload)
    }

    /// The response to a request outside any session; nothing where the bytes are none.
    fn stranger(&self, message: &[u8]) -> Option<Vec<u8>> {
        let request = Request::decode(message)?;
        let (completion, data) = self.told_to_anyone(&request).unwrap_or((
            // "Insufficient privilege level": there is no session.
            Completion::INSUFFICIENT_PRIVILEGE,
            Vec::new(),
        ));
        Some(request.response(completion, data).encode())
    }

    /// What anyone is told who asks; nothing where the request is another one.
    fn told_to_anyone(&self, request: &Request) -> Option<(Completion, Vec<u8>)> {
        let data = match request.command {
            presession::CAPABILITIES => self.capabilities().respond(&request.data),
            presession::CIPHER_SUITES => {
                presession::cipher_suites(&self.setup.suites, &request.data)
            }
            presession::SYSTEM_GUID => Some(self.setup.guid.to_vec()),
            _ => return None,
        };
        Some(match data {
            Some(data) => (Completion::OK, data),
            None => (Completion::WRONG_LENGTH, Vec::new()),
        })
    }

    fn capabilities(&self) -> Capabilities {
        let nameless = |user: &&User| user.name.is_empty();
        let nameless = self.setup.users.iter().find(nameless);
        Capabilities {
            version_2: true,
            has_bmc_key: self.setup.bmc_key.is_some(),
            named_users: self.setup.users.iter().any(|user| !user.name.is_empty()),
            nameless_user: nameless.is_some(),
            anonymous_user: nameless.is_some_and(|user| user.password.is_empty()),
            enterprise: 0,
        }
    }

    fn seal(&mut self, session: u32, kind: PayloadType, payload: &[u8]) -> Option<Vec<u8>> {
        let open = self.open.get_mut(&session)?;
        let keys = open.keys.as_ref()?;
        open.sequence = open.sequence.checked_add(1).unwrap_or(1);
        let numbers = (open.exchange.console_session, open.sequence);
        Some(sealed(keys, numbers, kind, payload, (self.random)()))
    }

    fn secured(&mut self, packet: &Packet<'_>, now: Instant) -> Result<Incoming, PacketError> {
        let session = packet.session;
        let open = self.open.get_mut(&session).ok_or(PacketError::Code)?;
        if !open.is_alive(now, self.idle) {
            self.open.remove(&session);
            return Err(PacketError::Code);
        }
        let payload = packet.open(open.keys.as_ref().ok_or(PacketError::Code)?)?;
        if !open.seen.takes(packet.sequence) {
            return Err(PacketError::Code);
        }
        open.last = now;
        if packet.payload_type == PayloadType::Sol {
            if !open.sol.is_latest(packet.sequence) {
                return Err(PacketError::Overtaken);
            }
            return Ok(Incoming::Sol { session, payload });
        }
        let request = Request::decode(&payload).ok_or(PacketError::Payload)?;
        let level = open.level;
        if let Some(response) = open.repeated(&payload, now) {
            let datagram = self.seal(session, PayloadType::Message, &response);
            return datagram.map(Incoming::Reply).ok_or(PacketError::Code);
        }
        open.latest = Some(Answered {
            request: payload,
            number: request.number,
            response: None,
            at: now,
        });
        let answer = match request.command {
            SET_PRIVILEGE => open.set_level(&request.data),
            CLOSE => (Completion::OK, Vec::new()),
            _ => match self.told_to_anyone(&request) {
                Some(answer) => answer,
                None => {
                    return Ok(Incoming::Request {
                        session,
                        level,
                        request,
                    });
                }
            },
        };
        let response = request.response(answer.0, answer.1);
        let datagram = self.respond(session, &response).ok_or(PacketError::Code)?;
        if request.command == CLOSE {
            self.open.remove(&session);
        }
        Ok(Incoming::Reply(datagram))
    }
}
