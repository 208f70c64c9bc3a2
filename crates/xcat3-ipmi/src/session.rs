//! A session as its console sees it, without any I/O: datagrams and the time go in, datagrams and
//! events come out.
//!
//! ```text
//!            open           RAKP 1          RAKP 3        set privilege
//!  Opening ───────► Naming ───────► Proving ──────► Raising ──────────► Ready ──► Closing
//!     ▲  └─ suite refused: the next one                │                  │
//!     └───── no answer to RAKP 3: from the start ◄─────┘                  ▼
//!                                                                 Ended(why), from anywhere
//! ```
//!
//! One request is under way at a time: BMCs are small, and many of them mix up answers otherwise.

mod login;
mod over;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::handshake::{Exchange, SessionKeys};
use crate::message::{Command, Completion, NUMBERS, Request, Response};
use crate::packet::{Packet, PacketError, PayloadType, sealed};
use crate::rakp::NAME_ONLY;
use crate::suite::CipherSuite;
use crate::window::{Latest, Window};

pub use over::{Credentials, Privilege, SessionEnd};

/// Set Session Privilege Level (22.18).
const SET_PRIVILEGE: Command = Command::new(0x06, 0x3b);
/// Close Session (22.19).
const CLOSE: Command = Command::new(0x06, 0x3c);

/// How often and how patiently a datagram is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Before the first repetition; each later wait is half as long again.
    pub first_timeout: Duration,
    /// How often a datagram is sent in all.
    pub attempts: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_timeout: Duration::from_millis(500),
            attempts: 5,
        }
    }
}

/// What a session has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Requests can be sent.
    Ready(CipherSuite),
    /// The answer to the request under way.
    Response(Completion, Vec<u8>),
    /// A payload of serial over LAN.
    Sol(Vec<u8>),
    /// Nothing comes any more.
    Ended(SessionEnd),
}

/// A session.
pub struct Session {
    credentials: Credentials,
    retry: RetryPolicy,
    suites: VecDeque<CipherSuite>,
    restarts: u32,
    exchange: Exchange,
    keys: Option<SessionKeys>,
    stage: Stage,
    /// Of the handshake message under way, and of the first by which this opening was tried.
    tag: u8,
    first_tag: u8,
    request: u8,
    sequence: u32,
    seen: Window,
    /// Payloads of serial over LAN that were overtaken are dropped: what counts is repeated.
    sol: Latest,
    waiting: Option<Waiting>,
    /// How long the last answer took: a slow BMC is not to be asked twice for everything.
    took: Duration,
    /// Whether the BMC answered a handshake that is not this session's.
    is_astray: bool,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    random: fn() -> [u8; 16],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Naming,
    Proving,
    Raising,
    Ready,
    Closing,
    Ended,
}

/// What was sent and has no answer yet.
struct Waiting {
    what: Sent,
    /// When it was sent first.
    since: Instant,
    until: Instant,
    retry: Duration,
    attempts: u32,
}

enum Sent {
    Handshake(Vec<u8>),
    Request(Request),
}

/// The longest wait for one answer, unless a longer one is asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often a BMC that is silent is asked for the same cipher suite before another is tried.
const SAME_SUITE: u32 = 2;
/// How often a handshake begins again whose last message got lost.
const RESTARTS: u32 = 2;

impl Session {
    /// Begins a session that this side calls `number` (not 0), with the first of `suites` that the
    /// BMC takes. `random` gives bytes that nobody can guess.
    #[must_use]
    pub fn begin(
        credentials: Credentials,
        suites: &[CipherSuite],
        number: u32,
        retry: RetryPolicy,
        random: fn() -> [u8; 16],
        now: Instant,
    ) -> Self {
        let suites: VecDeque<CipherSuite> = suites.iter().copied().collect();
        let exchange = Exchange {
            suite: suites.front().copied().unwrap_or(CipherSuite::Sha1),
            console_session: number,
            bmc_session: 0,
            console_random: [0; 16],
            bmc_random: [0; 16],
            guid: [0; 16],
            role: credentials.privilege.number() | NAME_ONLY,
            user: credentials.user.clone(),
        };
        let [tag, ..] = random();
        let mut session = Self {
            credentials,
            retry,
            suites,
            restarts: RESTARTS,
            exchange,
            keys: None,
            stage: Stage::Opening,
            tag,
            first_tag: tag,
            request: 0,
            sequence: 0,
            seen: Window::default(),
            sol: Latest::default(),
            waiting: None,
            took: Duration::ZERO,
            is_astray: false,
            out: VecDeque::new(),
            events: VecDeque::new(),
            random,
        };
        session.open(now);
        session
    }

    /// The next datagram to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Session::expire`] is to be called, unless something comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.until)
    }

    /// The cipher suite that was agreed on, or that is tried.
    #[must_use]
    pub fn suite(&self) -> CipherSuite {
        self.exchange.suite
    }

    /// Whether a request can be sent now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Ready && self.waiting.is_none()
    }

    /// Sends a request. Does nothing and says so unless the session [is idle](Session::is_idle).
    #[must_use]
    pub fn request(&mut self, command: Command, data: &[u8], now: Instant) -> bool {
        let idle = self.is_idle();
        if idle {
            self.send_request(command, data.to_vec(), now);
        }
        idle
    }

    /// Sends a payload of serial over LAN, once: that protocol repeats by itself.
    pub fn send_sol(&mut self, payload: &[u8]) {
        if self.stage == Stage::Ready {
            self.seal(PayloadType::Sol, payload);
        }
    }

    /// Ends the session: the BMC has its slot back. What is under way is given up.
    pub fn close(&mut self, now: Instant) {
        match self.stage {
            Stage::Ready | Stage::Raising => {
                self.waiting = None;
                self.stage = Stage::Closing;
                let number = self.exchange.bmc_session.to_le_bytes();
                self.send_request(CLOSE, number.to_vec(), now);
            }
            Stage::Closing | Stage::Ended => {}
            Stage::Opening | Stage::Naming | Stage::Proving => self.end(SessionEnd::Closed),
        }
    }

    /// Ends the session without waiting for the BMC's word: it is told once, where there is a session
    /// to close.
    pub fn abandon(&mut self, now: Instant) {
        self.leave(SessionEnd::Closed, now);
    }

    fn leave(&mut self, why: SessionEnd, now: Instant) {
        if matches!(self.stage, Stage::Raising | Stage::Ready) {
            let number = self.exchange.bmc_session.to_le_bytes();
            self.send_request(CLOSE, number.to_vec(), now);
        }
        self.end(why);
    }

    /// Takes a datagram that came from the BMC's address.
    ///
    /// # Errors
    /// It is none of this session's, or not now; nothing has changed.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), PacketError> {
        let packet = Packet::parse(datagram)?;
        match packet.payload_type {
            PayloadType::OpenResponse if packet.is_protected() && self.stage == Stage::Opening => {
                self.end(SessionEnd::StaleSession);
            }
            PayloadType::OpenResponse => self.opened(packet.plain()?, now),
            PayloadType::Rakp2 => self.named(packet.plain()?, now),
            PayloadType::Rakp4 => self.proved(packet.plain()?, now),
            PayloadType::Message | PayloadType::Sol => self.secured(&packet, now)?,
            _ => return Err(PacketError::Payload),
        }
        Ok(())
    }

    /// The time is `now`: what waited long enough is sent again, or given up.
    pub fn expire(&mut self, now: Instant) {
        let Some(mut waiting) = self.waiting.take_if(|waiting| waiting.until <= now) else {
            return;
        };
        if waiting.attempts < self.retry.attempts {
            if self.stage == Stage::Opening && waiting.attempts >= SAME_SUITE && self.turn_suites()
            {
                self.tag = self.tag.wrapping_add(1);
                waiting.what = Sent::Handshake(self.open_request());
            }
            waiting.attempts += 1;
            waiting.retry = self.limited(waiting.retry + waiting.retry / 2);
            self.emit(waiting, now);
        } else if matches!(self.stage, Stage::Proving | Stage::Raising) && self.restarts > 0 {
            // The BMC may have taken our proof and lost its own, and takes none a second time.
            self.restarts -= 1;
            self.open(now);
        } else {
            self.end(match self.stage {
                Stage::Closing | Stage::Ended => SessionEnd::Closed,
                Stage::Opening if self.is_astray => SessionEnd::WrongSession,
                Stage::Opening => SessionEnd::Silent,
                Stage::Naming | Stage::Proving | Stage::Raising => SessionEnd::Stalled,
                Stage::Ready => SessionEnd::Lost,
            });
        }
    }

    fn secured(&mut self, packet: &Packet<'_>, now: Instant) -> Result<(), PacketError> {
        let ours = packet.session == self.exchange.console_session;
        let keys = self
            .keys
            .as_ref()
            .filter(|_| ours)
            .ok_or(PacketError::Code)?;
        let payload = packet.open(keys)?;
        if !self.seen.takes(packet.sequence) {
            return Err(PacketError::Code);
        }
        if packet.payload_type == PayloadType::Sol {
            if !self.sol.is_latest(packet.sequence) {
                return Err(PacketError::Overtaken);
            }
            self.events.push_back(Event::Sol(payload));
        } else if let Some(response) = Response::decode(&payload) {
            self.answered(response, now);
        }
        Ok(())
    }

    fn answered(&mut self, response: Response, now: Instant) {
        let is_awaited = |waiting: &Waiting| match &waiting.what {
            Sent::Request(request) => {
                request.number == response.number && request.command == response.command
            }
            Sent::Handshake(_) => false,
        };
        if !self.waiting.as_ref().is_some_and(is_awaited) {
            return;
        }
        self.heard(now);
        match self.stage {
            Stage::Raising if response.completion == Completion::OK => {
                self.stage = Stage::Ready;
                self.events.push_back(Event::Ready(self.exchange.suite));
            }
            Stage::Raising => self.leave(SessionEnd::Privilege(response.completion), now),
            Stage::Closing => self.end(SessionEnd::Closed),
            _ => self
                .events
                .push_back(Event::Response(response.completion, response.data)),
        }
    }

    fn end(&mut self, why: SessionEnd) {
        self.waiting = None;
        if self.stage != Stage::Ended {
            self.stage = Stage::Ended;
            self.events.push_back(Event::Ended(why));
        }
    }

    fn send_request(&mut self, command: Command, data: Vec<u8>, now: Instant) {
        self.request = (self.request + 1) % NUMBERS;
        let request = Request {
            command,
            number: self.request,
            data,
        };
        self.send(Sent::Request(request), now);
    }

    /// Sends and notes that an answer is awaited.
    fn send(&mut self, what: Sent, now: Instant) {
        let retry = self.limited(self.retry.first_timeout.max(self.took * 2));
        let waiting = Waiting {
            what,
            since: now,
            until: now,
            retry,
            attempts: 1,
        };
        self.emit(waiting, now);
    }

    /// Sends what is awaited an answer to, the first time or again. A request that is sent again has
    /// the number that it had, in a packet with a new one.
    fn emit(&mut self, mut waiting: Waiting, now: Instant) {
        match &waiting.what {
            Sent::Handshake(packet) => self.out.push_back(packet.clone()),
            Sent::Request(request) => {
                let payload = request.encode();
                self.seal(PayloadType::Message, &payload);
            }
        }
        waiting.until = now + waiting.retry;
        self.waiting = Some(waiting);
    }

    fn limited(&self, retry: Duration) -> Duration {
        retry.min(LONGEST_WAIT.max(self.retry.first_timeout))
    }

    /// What was awaited has come.
    fn heard(&mut self, now: Instant) {
        if let Some(waiting) = self.waiting.take() {
            self.took = now.saturating_duration_since(waiting.since);
        }
    }

    fn seal(&mut self, payload_type: PayloadType, payload: &[u8]) {
        let Some(keys) = &self.keys else {
            return;
        };
        // 0 is for packets outside sessions.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let numbers = (self.exchange.bmc_session, self.sequence);
        let packet = sealed(keys, numbers, payload_type, payload, (self.random)());
        self.out.push_back(packet);
    }
}
