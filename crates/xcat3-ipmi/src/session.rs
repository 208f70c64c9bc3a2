//! The console side of one session, without I/O: datagrams and the time go in, datagrams and events come
//! out.
//!
//! ```text
//!             open           RAKP 1           RAKP 3       set privilege
//!  OpenSent ───────► Rakp1Sent ─────► Rakp3Sent ─────► PrivilegeSent ─────► Ready ──► Closing
//!     ▲  └─ suite refused: next suite                      │                  │
//!     └──── no reply to RAKP 3 or set privilege ◄──────────┘                  ▼
//!                                                              Ended(reason), from any stage
//! ```
//!
//! At most one request is outstanding: many BMCs mix up responses otherwise.

mod end;
mod login;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::handshake::{KeyExchange, SessionKeys};
use crate::message::{Command, Completion, NUMBERS, Request, Response};
use crate::packet::{Packet, PacketError, PayloadType, sealed};
use crate::rakp::NAME_ONLY;
use crate::retry::{RetryPolicy, next_timeout};
use crate::suite::CipherSuite;
use crate::window::{InOrder, ReplayWindow};

pub use end::{Credentials, Privilege, SessionEnd};

/// Set Session Privilege Level (22.18).
pub(crate) const SET_PRIVILEGE: Command = Command::new(0x06, 0x3b);
/// Close Session (22.19).
pub(crate) const CLOSE: Command = Command::new(0x06, 0x3c);

/// The longest timeout of one attempt, unless the retry policy starts with a longer one.
const MAX_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts with one cipher suite before the next suite is tried on a silent BMC.
const ATTEMPTS_PER_SUITE: u32 = 2;
/// How often a handshake starts over because its last message was lost.
const MAX_RESTARTS: u32 = 2;

/// What happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Requests can be sent.
    Ready(CipherSuite),
    /// The response to the outstanding request.
    Response(Completion, Vec<u8>),
    /// A serial-over-LAN payload.
    Sol(Vec<u8>),
    /// The session ended. This is the last event.
    Ended(SessionEnd),
}

/// A session.
pub struct Session {
    credentials: Credentials,
    retry: RetryPolicy,
    suites: VecDeque<CipherSuite>,
    restarts_left: u32,
    exchange: KeyExchange,
    keys: Option<SessionKeys>,
    stage: Stage,
    /// Tag of the current handshake message.
    tag: u8,
    /// Tag of the first open request of this handshake.
    first_tag: u8,
    last_request: u8,
    last_sequence: u32,
    received: ReplayWindow,
    /// Overtaken serial-over-LAN payloads are dropped: what matters in them is retransmitted.
    sol: InOrder,
    outstanding: Option<Outstanding>,
    /// How long the last reply took. A slow BMC gets longer timeouts.
    response_time: Duration,
    /// The BMC sent an open response for another session.
    saw_other_session: bool,
    outgoing: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    random: fn() -> [u8; 16],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    OpenSent,
    Rakp1Sent,
    Rakp3Sent,
    PrivilegeSent,
    Ready,
    Closing,
    Ended,
}

/// A message that has no reply yet.
struct Outstanding {
    message: Message,
    first_sent: Instant,
    deadline: Instant,
    timeout: Duration,
    attempts: u32,
}

enum Message {
    /// A datagram of the handshake.
    Handshake(Vec<u8>),
    /// A request, which is sealed anew for each attempt.
    Request(Request),
}

impl Session {
    /// Starts a session that the console side calls `number` (not 0), with the first of `suites` that the
    /// BMC accepts. `random` returns unpredictable bytes.
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
        let exchange = KeyExchange {
            suite: suites.front().copied().unwrap_or(CipherSuite::Sha1),
            console_session: number,
            bmc_session: 0,
            console_random: [0; 16],
            bmc_random: [0; 16],
            guid: [0; 16],
            role: credentials.privilege.level() | NAME_ONLY,
            user: credentials.user.clone(),
        };
        let [tag, ..] = random();
        let mut session = Self {
            credentials,
            retry,
            suites,
            restarts_left: MAX_RESTARTS,
            exchange,
            keys: None,
            stage: Stage::OpenSent,
            tag,
            first_tag: tag,
            last_request: 0,
            last_sequence: 0,
            received: ReplayWindow::default(),
            sol: InOrder::default(),
            outstanding: None,
            response_time: Duration::ZERO,
            saw_other_session: false,
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            random,
        };
        session.open(now);
        session
    }

    /// The next datagram to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// The next event.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Session::expire`] has to be called, unless a datagram arrives before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|message| message.deadline)
    }

    /// The cipher suite that was agreed on, or that is being tried.
    #[must_use]
    pub fn suite(&self) -> CipherSuite {
        self.exchange.suite
    }

    /// Whether the session is open and no request is outstanding.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Ready && self.outstanding.is_none()
    }

    /// Sends a request and returns `true`; does nothing and returns `false` unless the session
    /// [is idle](Session::is_idle).
    #[must_use]
    pub fn request(&mut self, command: Command, data: &[u8], now: Instant) -> bool {
        let idle = self.is_idle();
        if idle {
            self.send_request(command, data.to_vec(), now);
        }
        idle
    }

    /// Sends a serial-over-LAN payload once. Serial over LAN has its own retransmission.
    pub fn send_sol(&mut self, payload: &[u8]) {
        if self.stage == Stage::Ready {
            self.seal(PayloadType::Sol, payload);
        }
    }

    /// Closes the session; an outstanding request is given up.
    pub fn close(&mut self, now: Instant) {
        match self.stage {
            Stage::Ready | Stage::PrivilegeSent => {
                self.outstanding = None;
                self.stage = Stage::Closing;
                self.send_close(now);
            }
            Stage::Closing | Stage::Ended => {}
            Stage::OpenSent | Stage::Rakp1Sent | Stage::Rakp3Sent => self.end(SessionEnd::Closed),
        }
    }

    /// Ends the session without waiting for the BMC: Close Session is sent once if there is a session to
    /// close.
    pub fn abandon(&mut self, now: Instant) {
        self.end_after_close(SessionEnd::Closed, now);
    }

    fn end_after_close(&mut self, reason: SessionEnd, now: Instant) {
        if matches!(self.stage, Stage::PrivilegeSent | Stage::Ready) {
            self.send_close(now);
        }
        self.end(reason);
    }

    fn send_close(&mut self, now: Instant) {
        let number = self.exchange.bmc_session.to_le_bytes();
        self.send_request(CLOSE, number.to_vec(), now);
    }

    /// Handles a datagram from the BMC's address.
    ///
    /// # Errors
    /// The datagram is not for this session or not expected now; nothing has changed.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), PacketError> {
        let packet = Packet::parse(datagram)?;
        match packet.payload_type {
            PayloadType::OpenResponse if packet.is_protected() && self.stage == Stage::OpenSent => {
                self.end(SessionEnd::StaleSession);
            }
            PayloadType::OpenResponse => self.on_open_response(packet.plain()?, now),
            PayloadType::Rakp2 => self.on_rakp2(packet.plain()?, now),
            PayloadType::Rakp4 => self.on_rakp4(packet.plain()?, now),
            PayloadType::Message | PayloadType::Sol => self.on_protected(&packet, now)?,
            _ => return Err(PacketError::Payload),
        }
        Ok(())
    }

    /// Handles the passing of time: a message without a reply is sent again or given up.
    pub fn expire(&mut self, now: Instant) {
        let is_due = |outstanding: &mut Outstanding| outstanding.deadline <= now;
        let Some(mut outstanding) = self.outstanding.take_if(is_due) else {
            return;
        };
        if outstanding.attempts < self.retry.attempts {
            if self.stage == Stage::OpenSent
                && outstanding.attempts >= ATTEMPTS_PER_SUITE
                && self.try_next_suite()
            {
                self.tag = self.tag.wrapping_add(1);
                outstanding.message = Message::Handshake(self.open_request());
            }
            outstanding.attempts += 1;
            outstanding.timeout = self.capped(next_timeout(outstanding.timeout));
            self.emit(outstanding, now);
        } else if matches!(self.stage, Stage::Rakp3Sent | Stage::PrivilegeSent)
            && self.restarts_left > 0
        {
            // The BMC may have accepted RAKP 3 and lost its reply. It accepts no second RAKP 3.
            self.restarts_left -= 1;
            self.open(now);
        } else {
            self.end(self.reason_for_silence());
        }
    }

    fn reason_for_silence(&self) -> SessionEnd {
        match self.stage {
            Stage::Closing | Stage::Ended => SessionEnd::Closed,
            Stage::OpenSent if self.saw_other_session => SessionEnd::WrongSession,
            Stage::OpenSent => SessionEnd::Silent,
            Stage::Rakp1Sent | Stage::Rakp3Sent | Stage::PrivilegeSent => SessionEnd::Stalled,
            Stage::Ready => SessionEnd::Lost,
        }
    }

    /// Handles a packet that must have this session's protection.
    fn on_protected(&mut self, packet: &Packet<'_>, now: Instant) -> Result<(), PacketError> {
        let is_ours = packet.session == self.exchange.console_session;
        let keys = self.keys.as_ref().filter(|_| is_ours);
        let payload = packet.open(keys.ok_or(PacketError::Session)?)?;
        if !self.received.accept(packet.sequence) {
            return Err(PacketError::Replayed);
        }
        if packet.payload_type == PayloadType::Sol {
            if !self.sol.accept(packet.sequence) {
                return Err(PacketError::Overtaken);
            }
            self.events.push_back(Event::Sol(payload));
        } else if let Some(response) = Response::decode(&payload) {
            self.on_response(response, now);
        }
        Ok(())
    }

    fn on_response(&mut self, response: Response, now: Instant) {
        let is_awaited = |outstanding: &Outstanding| match &outstanding.message {
            Message::Request(request) => {
                request.number == response.number && request.command == response.command
            }
            Message::Handshake(_) => false,
        };
        if !self.outstanding.as_ref().is_some_and(is_awaited) {
            return;
        }
        self.settle(now);
        match self.stage {
            Stage::PrivilegeSent if response.completion == Completion::OK => {
                self.stage = Stage::Ready;
                self.events.push_back(Event::Ready(self.exchange.suite));
            }
            Stage::PrivilegeSent => {
                self.end_after_close(SessionEnd::Privilege(response.completion), now);
            }
            Stage::Closing => self.end(SessionEnd::Closed),
            _ => self
                .events
                .push_back(Event::Response(response.completion, response.data)),
        }
    }

    fn end(&mut self, reason: SessionEnd) {
        self.outstanding = None;
        if self.stage != Stage::Ended {
            self.stage = Stage::Ended;
            self.events.push_back(Event::Ended(reason));
        }
    }

    fn send_request(&mut self, command: Command, data: Vec<u8>, now: Instant) {
        self.last_request = (self.last_request + 1) % NUMBERS;
        let request = Request {
            command,
            number: self.last_request,
            data,
        };
        self.send(Message::Request(request), now);
    }

    /// Sends a message for the first time and waits for its reply.
    fn send(&mut self, message: Message, now: Instant) {
        let timeout = self.retry.first_timeout.max(self.response_time * 2);
        let outstanding = Outstanding {
            message,
            first_sent: now,
            deadline: now,
            timeout: self.capped(timeout),
            attempts: 1,
        };
        self.emit(outstanding, now);
    }

    /// Sends an outstanding message, for the first time or again. A repeated request keeps its number, in a
    /// packet with a new sequence number.
    fn emit(&mut self, mut outstanding: Outstanding, now: Instant) {
        match &outstanding.message {
            Message::Handshake(packet) => self.outgoing.push_back(packet.clone()),
            Message::Request(request) => {
                let payload = request.encode();
                self.seal(PayloadType::Message, &payload);
            }
        }
        outstanding.deadline = now + outstanding.timeout;
        self.outstanding = Some(outstanding);
    }

    fn capped(&self, timeout: Duration) -> Duration {
        timeout.min(MAX_TIMEOUT.max(self.retry.first_timeout))
    }

    /// The outstanding message has its reply.
    fn settle(&mut self, now: Instant) {
        if let Some(outstanding) = self.outstanding.take() {
            self.response_time = now.saturating_duration_since(outstanding.first_sent);
        }
    }

    fn seal(&mut self, payload_type: PayloadType, payload: &[u8]) {
        let Some(keys) = &self.keys else {
            return;
        };
        // 0 is for packets outside sessions.
        self.last_sequence = self.last_sequence.checked_add(1).unwrap_or(1);
        let numbers = (self.exchange.bmc_session, self.last_sequence);
        let packet = sealed(keys, numbers, payload_type, payload, (self.random)());
        self.outgoing.push_back(packet);
    }
}
