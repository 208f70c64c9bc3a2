//! Sessions as a BMC sees them, without any I/O: what a simulated BMC is made of. What its commands
//! do is its owner's.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::handshake::{Exchange, Secret, SessionKeys};
use crate::message::{Command, Completion, Request, Response};
use crate::packet::{Dropped, Packet, PayloadType, plain, sealed};
use crate::presession::{self, Capabilities};
use crate::rakp::{OpenRequest, OpenResponse, Proof, Rakp1, Rakp2, Status, refusal};
use crate::suite::CipherSuite;
use crate::window::Window;

/// A session in which nothing happens is closed after this long (6.12.15).
const IDLE: Duration = Duration::from_secs(60);
/// A request that comes again within this time is a repetition of the one before.
const REPETITION: Duration = Duration::from_secs(20);
/// A handshake that is not finished by then never will be.
const UNFINISHED: Duration = Duration::from_secs(15);
/// A handshake that has stood still this long makes room for another where slots are short.
const STALLED: Duration = Duration::from_secs(3);
/// Of the role: the privilege level without the bit for a look-up by name.
const LEVEL: u8 = 0x0f;
/// User, operator and administrator.
const LEVELS: std::ops::RangeInclusive<u8> = 2..=4;

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
    Answer(Vec<u8>),
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

/// A request and what it was answered: one that comes again is not carried out again (6.12.13).
struct Answered {
    request: Vec<u8>,
    number: u8,
    response: Option<Vec<u8>>,
    at: Instant,
}

struct Open {
    exchange: Exchange,
    latest: Option<Answered>,
    /// There once both have proven themselves.
    keys: Option<SessionKeys>,
    highest: u8,
    level: u8,
    sequence: u32,
    seen: Window,
    last: Instant,
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
    pub const fn with_idle(mut self, idle: Duration) -> Self {
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

    /// Forgets all of them, as a BMC that restarts does.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// Takes a datagram that came to the port of RMCP.
    ///
    /// # Errors
    /// It is not for this BMC; a real one is silent to it.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<Incoming, Dropped> {
        if presession::is_asf(datagram) {
            let pong = presession::pong_to(datagram).ok_or(Dropped::Protocol)?;
            return Ok(Incoming::Answer(pong));
        }
        if presession::is_version_1(datagram) {
            let message = presession::read_version_1(datagram)?;
            let answer = self.stranger(message).ok_or(Dropped::Payload)?;
            return Ok(Incoming::Answer(presession::version_1(&answer)));
        }
        let packet = Packet::parse(datagram)?;
        if packet.session == 0 && packet.payload_type == PayloadType::Message {
            let answer = self.stranger(packet.plain()?).ok_or(Dropped::Payload)?;
            return Ok(Incoming::Answer(plain(PayloadType::Message, &answer)));
        }
        let answer = match packet.payload_type {
            PayloadType::OpenRequest => self.opening(packet.plain()?, now),
            PayloadType::Rakp1 => self.naming(packet.plain()?, now),
            PayloadType::Rakp3 => self.proving(packet.plain()?, now),
            PayloadType::Message | PayloadType::Sol => return self.secured(&packet, now),
            _ => None,
        };
        answer.map(Incoming::Answer).ok_or(Dropped::Payload)
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
    pub fn message(&mut self, session: u32, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, PayloadType::Message, payload)
    }

    /// The datagram around a payload of serial over LAN.
    pub fn sol(&mut self, session: u32, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, PayloadType::Sol, payload)
    }

    /// The response to a request outside any session; nothing where the bytes are none.
    fn stranger(&self, message: &[u8]) -> Option<Vec<u8>> {
        let request = Request::decode(message)?;
        let (completion, data) = self.told_to_anyone(&request).unwrap_or((
            // "Insufficient privilege level": there is no session.
            Completion::PRIVILEGE,
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

    fn opening(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
        let request = OpenRequest::decode(payload)?;
        let refused = |status| {
            let payload = refusal(request.tag, status, request.console_session);
            Some(plain(PayloadType::OpenResponse, &payload))
        };
        let suite = CipherSuite::from_algorithms(request.algorithms);
        let Some(suite) = suite.filter(|suite| self.setup.suites.contains(suite)) else {
            return refused(Status::NO_SUITE);
        };
        self.make_room(now);
        if self.open.len() >= self.setup.slots {
            return refused(Status::NO_RESOURCES);
        }
        let number = self.free_number();
        let exchange = Exchange {
            suite,
            console_session: request.console_session,
            bmc_session: number,
            console_random: [0; 16],
            bmc_random: (self.random)(),
            guid: self.setup.guid,
            role: 0,
            user: Vec::new(),
        };
        let open = Box::new(Open::new(exchange, now));
        self.open.insert(number, open);
        let response = OpenResponse {
            tag: request.tag,
            // 0 asks for the highest level that the suite allows.
            privilege: match request.privilege & LEVEL {
                0 => *LEVELS.end(),
                level => level,
            },
            console_session: request.console_session,
            bmc_session: number,
            suite,
        };
        Some(plain(PayloadType::OpenResponse, &response.encode()))
    }

    /// Where all slots are taken: forgets what is idle or else the oldest handshake that stands
    /// still. Whoever begins many must not keep the others out.
    fn make_room(&mut self, now: Instant) {
        if self.open.len() < self.setup.slots {
            return;
        }
        let idle = self.idle;
        self.open.retain(|_, open| open.is_alive(now, idle));
        if self.open.len() < self.setup.slots {
            return;
        }
        let stalled = self.open.iter().filter(|(_, open)| {
            open.keys.is_none() && now.saturating_duration_since(open.last) >= STALLED
        });
        let oldest = stalled.min_by_key(|(_, open)| open.last);
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.open.remove(&number);
        }
    }

    fn free_number(&self) -> u32 {
        loop {
            let [a, b, c, d, ..] = (self.random)();
            let number = u32::from_le_bytes([a, b, c, d]);
            if number != 0 && !self.open.contains_key(&number) {
                return number;
            }
        }
    }

    fn naming(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
        let request = Rakp1::decode(payload)?;
        let open = self.open.get_mut(&request.bmc_session)?;
        if open.keys.is_some() {
            // A late repetition: the handshake is over, and what it agreed on stays.
            return None;
        }
        let console = open.exchange.console_session;
        let user = self
            .setup
            .users
            .iter()
            .find(|user| user.name == request.user);
        let Some(user) = user else {
            self.open.remove(&request.bmc_session);
            let payload = refusal(request.tag, Status::UNKNOWN_USER, console);
            return Some(plain(PayloadType::Rakp2, &payload));
        };
        if !LEVELS.contains(&user.level) {
            self.open.remove(&request.bmc_session);
            let payload = refusal(request.tag, Status::UNAUTHORIZED_ROLE, console);
            return Some(plain(PayloadType::Rakp2, &payload));
        }
        open.last = now;
        open.highest = user.level.min(request.role & LEVEL);
        open.exchange.console_random = request.random;
        open.exchange.role = request.role;
        open.exchange.user = request.user;
        let answer = Rakp2 {
            tag: request.tag,
            console_session: console,
            random: open.exchange.bmc_random,
            guid: open.exchange.guid,
            code: open.exchange.bmc_code(&user.password).as_bytes().to_vec(),
        };
        Some(plain(PayloadType::Rakp2, &answer.encode()))
    }

    fn proving(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
        let proof = Proof::decode(payload)?;
        let open = self.open.get_mut(&proof.session)?;
        let exchange = &open.exchange;
        let user = self
            .setup
            .users
            .iter()
            .find(|user| user.name == exchange.user)?;
        if !exchange.console_code(&user.password).is(&proof.code) {
            let payload = refusal(proof.tag, Status::WRONG_CODE, exchange.console_session);
            self.open.remove(&proof.session);
            return Some(plain(PayloadType::Rakp4, &payload));
        }
        let keys = exchange.keys(self.setup.bmc_key.as_ref().unwrap_or(&user.password));
        let answer = Proof {
            tag: proof.tag,
            status: Status::OK,
            session: exchange.console_session,
            code: exchange.final_code(&keys).as_bytes().to_vec(),
        };
        open.keys = Some(keys);
        open.last = now;
        Some(plain(PayloadType::Rakp4, &answer.encode()))
    }

    fn secured(&mut self, packet: &Packet<'_>, now: Instant) -> Result<Incoming, Dropped> {
        let session = packet.session;
        let open = self.open.get_mut(&session).ok_or(Dropped::Code)?;
        if !open.is_alive(now, self.idle) {
            self.open.remove(&session);
            return Err(Dropped::Code);
        }
        let payload = packet.open(open.keys.as_ref().ok_or(Dropped::Code)?)?;
        if !open.seen.takes(packet.sequence) {
            return Err(Dropped::Code);
        }
        open.last = now;
        if packet.payload_type == PayloadType::Sol {
            return Ok(Incoming::Sol { session, payload });
        }
        let request = Request::decode(&payload).ok_or(Dropped::Payload)?;
        let level = open.level;
        if let Some(response) = open.repeated(&payload, now) {
            let datagram = self.seal(session, PayloadType::Message, &response);
            return datagram.map(Incoming::Answer).ok_or(Dropped::Code);
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
        let datagram = self.respond(session, &response).ok_or(Dropped::Code)?;
        if request.command == CLOSE {
            self.open.remove(&session);
        }
        Ok(Incoming::Answer(datagram))
    }
}

impl Open {
    fn new(exchange: Exchange, now: Instant) -> Self {
        Self {
            exchange,
            latest: None,
            keys: None,
            highest: 0,
            // A session begins as a user's (22.18).
            level: *LEVELS.start(),
            sequence: 0,
            seen: Window::default(),
            last: now,
        }
    }

    /// What the request was answered that comes again.
    fn repeated(&self, request: &[u8], now: Instant) -> Option<Vec<u8>> {
        let latest = self.latest.as_ref()?;
        let is_again =
            latest.request == request && now.saturating_duration_since(latest.at) < REPETITION;
        is_again.then(|| latest.response.clone())?
    }

    fn is_alive(&self, now: Instant, idle: Duration) -> bool {
        let limit = match self.keys {
            Some(_) => idle,
            None => UNFINISHED,
        };
        now.saturating_duration_since(self.last) < limit
    }

    /// Set Session Privilege Level: 0 asks for the present one.
    fn set_level(&mut self, data: &[u8]) -> (Completion, Vec<u8>) {
        match data.first().map(|level| level & LEVEL) {
            Some(0) => (Completion::OK, vec![self.level]),
            Some(level) if LEVELS.contains(&level) && level <= self.highest => {
                self.level = level;
                (Completion::OK, vec![level])
            }
            Some(_) => (Completion(0x81), Vec::new()),
            None => (Completion::WRONG_LENGTH, Vec::new()),
        }
    }
}
