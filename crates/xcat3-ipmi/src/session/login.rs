//! The handshake of a session: open, RAKP 1 to 4 (IPMI v2.0, 13.17 to 13.24), another cipher suite where
//! one is refused, and another beginning where the BMC has forgotten it.

use std::time::Instant;

use super::{SET_PRIVILEGE, Sent, Session, SessionEnd, Stage};
use crate::packet::{PayloadType, plain};
use crate::rakp::{OpenRequest, OpenResponse, Proof, Rakp1, Rakp2, Refusal, Status};
use crate::window::Window;

impl Session {
    pub(super) fn open(&mut self, now: Instant) {
        self.stage = Stage::Opening;
        self.keys = None;
        self.sequence = 0;
        self.seen = Window::default();
        self.tag = self.tag.wrapping_add(1);
        self.first_tag = self.tag;
        self.exchange.console_random = (self.random)();
        let packet = self.open_request();
        self.send(Sent::Handshake(packet), now);
    }

    pub(super) fn open_request(&self) -> Vec<u8> {
        let request = OpenRequest {
            tag: self.tag,
            privilege: self.credentials.privilege.number(),
            console_session: self.exchange.console_session,
            algorithms: self.exchange.suite.algorithms(),
        };
        plain(PayloadType::OpenRequest, &request.encode())
    }

    /// Takes the next suite for another attempt, where there is another: some BMCs say nothing to a
    /// suite that they don't have.
    pub(super) fn turn_suites(&mut self) -> bool {
        self.suites.rotate_left(1);
        let next = self.suites.front().copied();
        let is_other = next.is_some_and(|next| next != self.exchange.suite);
        self.exchange.suite = next.unwrap_or(self.exchange.suite);
        is_other
    }

    /// Whether a response is to one of the requests by which this opening was tried.
    fn is_opened_by(&self, response: &OpenResponse) -> bool {
        let sent = self.tag.wrapping_sub(self.first_tag);
        let answered = response.tag.wrapping_sub(self.first_tag);
        answered <= sent && response.console_session == self.exchange.console_session
    }

    pub(super) fn opened(&mut self, payload: &[u8], now: Instant) {
        if self.stage != Stage::Opening {
            return;
        }
        let number = self.exchange.console_session;
        match OpenResponse::decode(payload) {
            Some(Ok(response)) if self.is_opened_by(&response) => {
                if !self.suites.contains(&response.suite) {
                    return self.refused(Status::NO_SUITE, now);
                }
                // Some BMCs (pyghmi's, for one) choose another than they were asked for.
                self.heard(now);
                self.exchange.suite = response.suite;
                self.tag = response.tag;
                self.exchange.bmc_session = response.bmc_session;
                self.stage = Stage::Naming;
                let request = Rakp1 {
                    tag: self.tag,
                    bmc_session: response.bmc_session,
                    random: self.exchange.console_random,
                    role: self.exchange.role,
                    user: self.exchange.user.clone(),
                };
                self.shake(PayloadType::Rakp1, &request.encode(), now);
            }
            Some(Err(refusal)) if refusal.is_for(number, self.tag) => {
                self.refused(refusal.status, now);
            }
            Some(_) => self.is_astray = true,
            None => {}
        }
    }

    pub(super) fn named(&mut self, payload: &[u8], now: Instant) {
        if self.stage != Stage::Naming {
            return;
        }
        let number = self.exchange.console_session;
        match Rakp2::decode(payload) {
            Some(Ok(answer)) if answer.tag == self.tag && answer.console_session == number => {
                self.heard(now);
                self.exchange.bmc_random = answer.random;
                self.exchange.guid = answer.guid;
                let password = &self.credentials.password;
                if !self.exchange.bmc_code(password).is(&answer.code) {
                    return self.end(SessionEnd::WrongPassword);
                }
                let key = self.credentials.bmc_key.as_ref().unwrap_or(password);
                self.keys = Some(self.exchange.keys(key));
                self.stage = Stage::Proving;
                let code = self.exchange.console_code(password);
                let proof = Proof {
                    tag: self.tag,
                    status: Status::OK,
                    session: self.exchange.bmc_session,
                    code: code.as_bytes().to_vec(),
                };
                self.shake(PayloadType::Rakp3, &proof.encode(), now);
            }
            Some(Err(refusal)) if refusal.is_for(number, self.tag) => {
                self.refused(refusal.status, now);
            }
            _ => {}
        }
    }

    pub(super) fn proved(&mut self, payload: &[u8], now: Instant) {
        let Some(keys) = self.keys.as_ref().filter(|_| self.stage == Stage::Proving) else {
            return;
        };
        let number = self.exchange.console_session;
        if let Some(refusal) = Refusal::read(payload) {
            if refusal.is_for(number, self.tag) {
                self.refused(refusal.status, now);
            }
            return;
        }
        let is_ours = |proof: &Proof| proof.tag == self.tag && proof.session == number;
        let Some(proof) = Proof::decode(payload).filter(is_ours) else {
            return;
        };
        if !self.exchange.final_code(keys).is(&proof.code) {
            return self.end(SessionEnd::WrongKey);
        }
        self.heard(now);
        self.stage = Stage::Raising;
        let level = self.credentials.privilege.number();
        self.send_request(SET_PRIVILEGE, vec![level], now);
    }

    /// The BMC refused a message of the handshake.
    fn refused(&mut self, status: Status, now: Instant) {
        if status.is_about_suite() && self.stage == Stage::Opening {
            self.suites.pop_front();
            if let Some(&suite) = self.suites.front() {
                self.exchange.suite = suite;
                return self.open(now);
            }
        } else if status == Status::UNKNOWN_SESSION && self.restarts > 0 {
            // It forgot us in the middle of the handshake.
            self.restarts -= 1;
            return self.open(now);
        }
        self.end(SessionEnd::Refused(status));
    }

    fn shake(&mut self, payload_type: PayloadType, payload: &[u8], now: Instant) {
        let packet = plain(payload_type, payload);
        self.send(Sent::Handshake(packet), now);
    }
}
