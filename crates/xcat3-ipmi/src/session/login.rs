//! The handshake of a session: open and RAKP 1 to 4 (IPMI v2.0, 13.17 to 13.24), with the next cipher suite
//! when the BMC refuses one and from the start when the BMC has forgotten it.

use std::time::Instant;

use super::{Message, SET_PRIVILEGE, Session, SessionEnd, Stage};
use crate::packet::{PayloadType, plain};
use crate::rakp::{OpenRequest, OpenResponse, Proof, Rakp1, Rakp2, Refusal, Status};
use crate::window::ReplayWindow;

impl Session {
    /// Starts the handshake, for the first time or over.
    pub(super) fn open(&mut self, now: Instant) {
        self.stage = Stage::OpenSent;
        self.keys = None;
        self.last_sequence = 0;
        self.received = ReplayWindow::default();
        self.tag = self.tag.wrapping_add(1);
        self.first_tag = self.tag;
        self.exchange.console_random = (self.random)();
        let packet = self.open_request();
        self.send(Message::Handshake(packet), now);
    }

    pub(super) fn open_request(&self) -> Vec<u8> {
        let request = OpenRequest {
            tag: self.tag,
            privilege: self.credentials.privilege.level(),
            console_session: self.exchange.console_session,
            algorithms: self.exchange.suite.algorithms(),
        };
        plain(PayloadType::OpenRequest, &request.encode())
    }

    /// Selects the next suite and returns whether there is another one. Some BMCs are silent to a suite
    /// that they do not have.
    pub(super) fn try_next_suite(&mut self) -> bool {
        self.suites.rotate_left(1);
        let next = self.suites.front().copied();
        let is_other = next.is_some_and(|next| next != self.exchange.suite);
        self.exchange.suite = next.unwrap_or(self.exchange.suite);
        is_other
    }

    /// Whether a response belongs to one of the open requests of this handshake.
    fn is_response_to_open(&self, response: &OpenResponse) -> bool {
        let sent = self.tag.wrapping_sub(self.first_tag);
        let answered = response.tag.wrapping_sub(self.first_tag);
        answered <= sent && response.console_session == self.exchange.console_session
    }

    pub(super) fn on_open_response(&mut self, payload: &[u8], now: Instant) {
        if self.stage != Stage::OpenSent {
            return;
        }
        let number = self.exchange.console_session;
        match OpenResponse::decode(payload) {
            Some(Ok(response)) if self.is_response_to_open(&response) => {
                // Some BMCs (pyghmi's for one) choose another suite than the request's.
                if !self.suites.contains(&response.suite) {
                    return self.on_refusal(Status::NO_SUITE, now);
                }
                self.settle(now);
                self.send_rakp1(&response, now);
            }
            Some(Err(refusal)) if refusal.is_for(number, self.tag) => {
                self.on_refusal(refusal.status, now);
            }
            Some(_) => self.saw_other_session = true,
            None => {}
        }
    }

    fn send_rakp1(&mut self, response: &OpenResponse, now: Instant) {
        self.exchange.suite = response.suite;
        self.tag = response.tag;
        self.exchange.bmc_session = response.bmc_session;
        self.stage = Stage::Rakp1Sent;
        let request = Rakp1 {
            tag: self.tag,
            bmc_session: response.bmc_session,
            random: self.exchange.console_random,
            role: self.exchange.role,
            user: self.exchange.user.clone(),
        };
        self.send_handshake(PayloadType::Rakp1, &request.encode(), now);
    }

    pub(super) fn on_rakp2(&mut self, payload: &[u8], now: Instant) {
        if self.stage != Stage::Rakp1Sent {
            return;
        }
        let number = self.exchange.console_session;
        match Rakp2::decode(payload) {
            Some(Ok(reply)) if reply.tag == self.tag && reply.console_session == number => {
                self.settle(now);
                self.exchange.bmc_random = reply.random;
                self.exchange.guid = reply.guid;
                let password = &self.credentials.password;
                if !self.exchange.rakp2_code(password).matches(&reply.code) {
                    return self.end(SessionEnd::WrongPassword);
                }
                self.send_rakp3(now);
            }
            Some(Err(refusal)) if refusal.is_for(number, self.tag) => {
                self.on_refusal(refusal.status, now);
            }
            _ => {}
        }
    }

    fn send_rakp3(&mut self, now: Instant) {
        let password = &self.credentials.password;
        let key = self.credentials.bmc_key.as_ref().unwrap_or(password);
        self.keys = Some(self.exchange.keys(key));
        self.stage = Stage::Rakp3Sent;
        let code = self.exchange.rakp3_code(password);
        let proof = Proof {
            tag: self.tag,
            status: Status::OK,
            session: self.exchange.bmc_session,
            code: code.as_bytes().to_vec(),
        };
        self.send_handshake(PayloadType::Rakp3, &proof.encode(), now);
    }

    pub(super) fn on_rakp4(&mut self, payload: &[u8], now: Instant) {
        let keys = self.keys.as_ref();
        let Some(keys) = keys.filter(|_| self.stage == Stage::Rakp3Sent) else {
            return;
        };
        let number = self.exchange.console_session;
        if let Some(refusal) = Refusal::decode(payload) {
            if refusal.is_for(number, self.tag) {
                self.on_refusal(refusal.status, now);
            }
            return;
        }
        let is_ours = |proof: &Proof| proof.tag == self.tag && proof.session == number;
        let Some(proof) = Proof::decode(payload).filter(is_ours) else {
            return;
        };
        if !self.exchange.rakp4_code(keys).matches(&proof.code) {
            return self.end(SessionEnd::WrongKey);
        }
        self.settle(now);
        self.stage = Stage::PrivilegeSent;
        let level = self.credentials.privilege.level();
        self.send_request(SET_PRIVILEGE, vec![level], now);
    }

    /// Handles a BMC's refusal of a handshake message.
    fn on_refusal(&mut self, status: Status, now: Instant) {
        if status.is_about_suite() && self.stage == Stage::OpenSent {
            self.suites.pop_front();
            if let Some(&suite) = self.suites.front() {
                self.exchange.suite = suite;
                return self.open(now);
            }
        } else if status == Status::UNKNOWN_SESSION && self.restarts_left > 0 {
            // The BMC forgot the handshake halfway.
            self.restarts_left -= 1;
            return self.open(now);
        }
        self.end(SessionEnd::Refused(status));
    }

    fn send_handshake(&mut self, payload_type: PayloadType, payload: &[u8], now: Instant) {
        let packet = plain(payload_type, payload);
        self.send(Message::Handshake(packet), now);
    }
}
