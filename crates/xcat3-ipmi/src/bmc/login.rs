//! The BMC side of a handshake (IPMI v2.0, 13.15 to 13.24), and which sessions make room for a new one.

use std::time::{Duration, Instant};

use super::Sessions;
use super::session::{BmcSession, LEVEL_MASK, LEVELS};
use crate::handshake::KeyExchange;
use crate::packet::{PayloadType, plain};
use crate::rakp::{OpenRequest, OpenResponse, Proof, Rakp1, Rakp2, Status, refusal};
use crate::suite::CipherSuite;

/// A handshake without progress for this long makes room for another one when all slots are taken.
const STALLED_AFTER: Duration = Duration::from_secs(3);

impl Sessions {
    pub(super) fn on_open_request(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
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
        if self.sessions.len() >= self.setup.slots {
            return refused(Status::NO_RESOURCES);
        }
        let number = self.unused_number();
        let exchange = KeyExchange {
            suite,
            console_session: request.console_session,
            bmc_session: number,
            console_random: [0; 16],
            bmc_random: (self.random)(),
            guid: self.setup.guid,
            role: 0,
            user: Vec::new(),
        };
        let session = Box::new(BmcSession::new(exchange, now));
        self.sessions.insert(number, session);
        let response = OpenResponse {
            tag: request.tag,
            // 0 requests the highest level that the suite allows.
            privilege: match request.privilege & LEVEL_MASK {
                0 => *LEVELS.end(),
                level => level,
            },
            console_session: request.console_session,
            bmc_session: number,
            suite,
        };
        Some(plain(PayloadType::OpenResponse, &response.encode()))
    }

    /// If all slots are taken, removes idle sessions, or else the oldest stalled handshake: a client that
    /// only begins handshakes must not lock the others out.
    fn make_room(&mut self, now: Instant) {
        if self.sessions.len() < self.setup.slots {
            return;
        }
        let idle_timeout = self.idle_timeout;
        self.sessions
            .retain(|_, session| session.is_alive(now, idle_timeout));
        if self.sessions.len() < self.setup.slots {
            return;
        }
        let stalled = self.sessions.iter().filter(|(_, session)| {
            let idle = now.saturating_duration_since(session.last_active);
            session.keys.is_none() && idle >= STALLED_AFTER
        });
        let oldest = stalled.min_by_key(|(_, session)| session.last_active);
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.sessions.remove(&number);
        }
    }

    fn unused_number(&self) -> u32 {
        loop {
            let [a, b, c, d, ..] = (self.random)();
            let number = u32::from_le_bytes([a, b, c, d]);
            if number != 0 && !self.sessions.contains_key(&number) {
                return number;
            }
        }
    }

    pub(super) fn on_rakp1(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
        let request = Rakp1::decode(payload)?;
        let session = self.sessions.get_mut(&request.bmc_session)?;
        if session.keys.is_some() {
            // A late duplicate: the handshake is finished and its result stays.
            return None;
        }
        let console = session.exchange.console_session;
        let mut users = self.setup.users.iter();
        let user = users.find(|user| user.name == request.user);
        let user = user.ok_or(Status::UNKNOWN_USER).and_then(|user| {
            let may_log_in = LEVELS.contains(&user.level);
            may_log_in.then_some(user).ok_or(Status::UNAUTHORIZED_ROLE)
        });
        let user = match user {
            Ok(user) => user,
            Err(status) => {
                self.sessions.remove(&request.bmc_session);
                let payload = refusal(request.tag, status, console);
                return Some(plain(PayloadType::Rakp2, &payload));
            }
        };
        session.last_active = now;
        session.max_level = user.level.min(request.role & LEVEL_MASK);
        session.exchange.console_random = request.random;
        session.exchange.role = request.role;
        session.exchange.user = request.user;
        let code = session.exchange.rakp2_code(&user.password);
        let reply = Rakp2 {
            tag: request.tag,
            console_session: console,
            random: session.exchange.bmc_random,
            guid: session.exchange.guid,
            code: code.as_bytes().to_vec(),
        };
        Some(plain(PayloadType::Rakp2, &reply.encode()))
    }

    pub(super) fn on_rakp3(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
        let proof = Proof::decode(payload)?;
        let session = self.sessions.get_mut(&proof.session)?;
        let exchange = &session.exchange;
        let mut users = self.setup.users.iter();
        let user = users.find(|user| user.name == exchange.user)?;
        if !exchange.rakp3_code(&user.password).matches(&proof.code) {
            let payload = refusal(proof.tag, Status::WRONG_CODE, exchange.console_session);
            self.sessions.remove(&proof.session);
            return Some(plain(PayloadType::Rakp4, &payload));
        }
        let keys = exchange.keys(self.setup.bmc_key.as_ref().unwrap_or(&user.password));
        let reply = Proof {
            tag: proof.tag,
            status: Status::OK,
            session: exchange.console_session,
            code: exchange.rakp4_code(&keys).as_bytes().to_vec(),
        };
        session.keys = Some(keys);
        session.last_active = now;
        Some(plain(PayloadType::Rakp4, &reply.encode()))
    }
}
