//! How a session begins, as a BMC sees it (IPMI v2.0, 13.15 to 13.24): who asks, what they prove, and
//! room for it.

use std::time::{Duration, Instant};

use super::Sessions;
use super::open::{LEVEL, LEVELS, Open};
use crate::handshake::Exchange;
use crate::packet::{PayloadType, plain};
use crate::rakp::{OpenRequest, OpenResponse, Proof, Rakp1, Rakp2, Status, refusal};
use crate::suite::CipherSuite;

/// A handshake that has stood still this long makes room for another where slots are short.
const STALLED: Duration = Duration::from_secs(3);

impl Sessions {
    pub(super) fn opening(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
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

    pub(super) fn naming(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
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

    pub(super) fn proving(&mut self, payload: &[u8], now: Instant) -> Option<Vec<u8>> {
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
}
