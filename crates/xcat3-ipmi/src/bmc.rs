//! The BMC side of sessions, without I/O. Simulated BMCs are built on it; they carry out the commands
//! themselves.

mod login;
mod session;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use self::session::{BmcSession, LastRequest};
use crate::handshake::Secret;
use crate::message::{Completion, Request, Response};
use crate::packet::{Packet, PacketError, PayloadType, plain, sealed};
use crate::presession::{self, Capabilities};
use crate::session::{CLOSE, SET_PRIVILEGE};
use crate::suite::CipherSuite;

/// An idle session is closed after this time (6.12.15).
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A user account of a BMC.
#[derive(Clone, Debug)]
pub struct User {
    /// Name.
    pub name: Vec<u8>,
    /// Password.
    pub password: Secret,
    /// The highest privilege level of the user: 2 user, 3 operator, 4 administrator. A user with any other
    /// level may not log in.
    pub level: u8,
}

/// Configuration of a BMC.
#[derive(Clone, Debug)]
pub struct Setup {
    /// User accounts.
    pub users: Vec<User>,
    /// BMC key (K_G), if any.
    pub bmc_key: Option<Secret>,
    /// System GUID.
    pub guid: [u8; 16],
    /// Cipher suites that the BMC accepts.
    pub suites: Vec<CipherSuite>,
    /// Number of session slots.
    pub slots: usize,
}

/// A handled datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The datagram has this reply, also a datagram.
    Reply(Vec<u8>),
    /// A request. The owner carries it out and calls [`Sessions::respond`].
    Request {
        /// Number of the session.
        session: u32,
        /// Privilege level of the session.
        level: u8,
        /// The request.
        request: Request,
    },
    /// A serial-over-LAN payload.
    Sol {
        /// Number of the session.
        session: u32,
        /// The payload.
        payload: Vec<u8>,
    },
}

/// The sessions of a BMC.
pub struct Sessions {
    setup: Setup,
    /// Boxed, because a hash table has spare entries and there may be thousands of BMCs.
    sessions: HashMap<u32, Box<BmcSession>>,
    idle_timeout: Duration,
    random: fn() -> [u8; 16],
}

impl Sessions {
    /// A BMC without sessions. `random` returns unpredictable bytes.
    #[must_use]
    pub fn new(setup: Setup, random: fn() -> [u8; 16]) -> Self {
        Self {
            setup,
            sessions: HashMap::new(),
            idle_timeout: IDLE_TIMEOUT,
            random,
        }
    }

    /// Sets the time after which an idle session is closed; the default is 60 s.
    #[must_use]
    pub const fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Number of sessions, unfinished handshakes included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are no sessions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Whether the session with this number has finished its handshake and is not idle for too long.
    #[must_use]
    pub fn is_open(&self, session: u32, now: Instant) -> bool {
        let session = self.sessions.get(&session);
        session.is_some_and(|session| {
            session.keys.is_some() && session.is_alive(now, self.idle_timeout)
        })
    }

    /// Number, user name and privilege level of each open session, in ascending order of the numbers.
    #[must_use]
    pub fn list(&self, now: Instant) -> Vec<(u32, &[u8], u8)> {
        let open = self.sessions.iter();
        let open = open.filter(|(number, _)| self.is_open(**number, now));
        let mut list: Vec<_> = open
            .map(|(number, session)| (*number, &*session.exchange.user, session.level))
            .collect();
        list.sort_unstable();
        list
    }

    /// Removes all sessions, as a restart of the BMC does.
    pub fn clear(&mut self) {
        self.sessions.clear();
    }

    /// Handles a datagram that arrived at the RMCP port.
    ///
    /// # Errors
    /// The datagram is not for this BMC. A BMC sends no reply to it.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<Incoming, PacketError> {
        if presession::is_asf(datagram) {
            let pong = presession::pong_to(datagram).ok_or(PacketError::Protocol)?;
            return Ok(Incoming::Reply(pong));
        }
        if presession::is_v1_5(datagram) {
            let message = presession::decode_v1_5(datagram)?;
            let response = self.respond_outside_session(message)?;
            return Ok(Incoming::Reply(presession::encode_v1_5(&response)));
        }
        let packet = Packet::parse(datagram)?;
        if packet.session == 0 && packet.payload_type == PayloadType::Message {
            let response = self.respond_outside_session(packet.plain()?)?;
            return Ok(Incoming::Reply(plain(PayloadType::Message, &response)));
        }
        let reply = match packet.payload_type {
            PayloadType::OpenRequest => self.on_open_request(packet.plain()?, now),
            PayloadType::Rakp1 => self.on_rakp1(packet.plain()?, now),
            PayloadType::Rakp3 => self.on_rakp3(packet.plain()?, now),
            PayloadType::Message | PayloadType::Sol => return self.on_protected(&packet, now),
            _ => None,
        };
        reply.map(Incoming::Reply).ok_or(PacketError::Payload)
    }

    /// The datagram with the response to a request of `session`; `None` if the session is gone.
    pub fn respond(&mut self, session: u32, response: &Response) -> Option<Vec<u8>> {
        let payload = response.encode();
        let datagram = self.seal(session, PayloadType::Message, &payload)?;
        let last = self.sessions.get_mut(&session)?.last_request.as_mut();
        if let Some(last) = last.filter(|last| last.number == response.number) {
            last.response = Some(payload);
        }
        Some(datagram)
    }

    /// The datagram with arbitrary bytes in place of a message, for tests of consoles.
    pub fn seal_message(&mut self, session: u32, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, PayloadType::Message, payload)
    }

    /// The datagram with a serial-over-LAN payload.
    pub fn seal_sol(&mut self, session: u32, payload: &[u8]) -> Option<Vec<u8>> {
        self.seal(session, PayloadType::Sol, payload)
    }

    /// The encoded response to a request outside sessions.
    fn respond_outside_session(&self, message: &[u8]) -> Result<Vec<u8>, PacketError> {
        let request = Request::decode(message).ok_or(PacketError::Payload)?;
        let (completion, data) = self
            .public_response(&request)
            .unwrap_or((Completion::INSUFFICIENT_PRIVILEGE, Vec::new()));
        Ok(request.response(completion, data).encode())
    }

    /// The response to a request that needs no session; `None` for other requests.
    fn public_response(&self, request: &Request) -> Option<(Completion, Vec<u8>)> {
        let data = match request.command {
            presession::CAPABILITIES => self.capabilities().encode(&request.data),
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

    fn seal(&mut self, session: u32, payload_type: PayloadType, payload: &[u8]) -> Option<Vec<u8>> {
        let session = self.sessions.get_mut(&session)?;
        let keys = session.keys.as_ref()?;
        session.last_sequence = session.last_sequence.checked_add(1).unwrap_or(1);
        let numbers = (session.exchange.console_session, session.last_sequence);
        let vector = (self.random)();
        Some(sealed(keys, numbers, payload_type, payload, vector))
    }

    /// Handles a packet that must have the protection of its session.
    fn on_protected(&mut self, packet: &Packet<'_>, now: Instant) -> Result<Incoming, PacketError> {
        let number = packet.session;
        let session = self.sessions.get_mut(&number);
        let session = session.ok_or(PacketError::Session)?;
        if !session.is_alive(now, self.idle_timeout) {
            self.sessions.remove(&number);
            return Err(PacketError::Session);
        }
        let payload = packet.open(session.keys.as_ref().ok_or(PacketError::Session)?)?;
        if !session.received.accept(packet.sequence) {
            return Err(PacketError::Replayed);
        }
        session.last_active = now;
        if packet.payload_type == PayloadType::Sol {
            if !session.sol.accept(packet.sequence) {
                return Err(PacketError::Overtaken);
            }
            return Ok(Incoming::Sol {
                session: number,
                payload,
            });
        }
        self.on_request(number, payload, now)
    }

    fn on_request(
        &mut self,
        number: u32,
        payload: Vec<u8>,
        now: Instant,
    ) -> Result<Incoming, PacketError> {
        let request = Request::decode(&payload).ok_or(PacketError::Payload)?;
        let session = self.sessions.get_mut(&number);
        let session = session.ok_or(PacketError::Session)?;
        let level = session.level;
        if let Some(response) = session.response_to_duplicate(&payload, now) {
            let datagram = self.seal(number, PayloadType::Message, &response);
            return datagram.map(Incoming::Reply).ok_or(PacketError::Session);
        }
        session.last_request = Some(LastRequest {
            request: payload,
            number: request.number,
            response: None,
            received: now,
        });
        let response = match request.command {
            SET_PRIVILEGE => Some(session.set_level(&request.data)),
            CLOSE => Some((Completion::OK, Vec::new())),
            _ => self.public_response(&request),
        };
        let Some((completion, data)) = response else {
            return Ok(Incoming::Request {
                session: number,
                level,
                request,
            });
        };
        let response = request.response(completion, data);
        let datagram = self.respond(number, &response);
        if request.command == CLOSE {
            self.sessions.remove(&number);
        }
        datagram.map(Incoming::Reply).ok_or(PacketError::Session)
    }
}
