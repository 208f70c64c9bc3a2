//! The protocol as its console sees it (IPMI v2.0, 15.11): one packet of characters is under way each
//! way, is acknowledged, and repeated until it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::packet::{FromBmc, FromConsole, HEADER, LONGEST_DATA};

/// The most characters that wait to be sent.
pub const MOST_WAITING: usize = 4_096;
/// Numbers go from 1 to 15.
const LAST_NUMBER: u8 = 15;

/// How long a packet waits for its acknowledgement before it is sent again, and how often it is sent
/// until the BMC counts as gone.
const RETRY: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 10;

/// What comes of a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SolEvent {
    /// Characters of the machine.
    Data(Vec<u8>),
    /// The machine sent more than the BMC could keep: some was lost.
    Overrun,
    /// The machine sent a break.
    Break,
    /// Nothing comes any more.
    Closed(Closed),
}

/// Why a console is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The BMC ended it: another console took it, or the BMC was reset.
    #[error("the BMC ended serial over LAN: another console took it, or it was reset")]
    Deactivated,
    /// The BMC does not acknowledge what is sent.
    #[error("the BMC does not acknowledge what is typed")]
    Unacknowledged,
}

/// A console without any I/O.
#[derive(Debug)]
pub struct Sol {
    /// The most characters that the BMC takes at once.
    most: usize,
    waiting: VecDeque<u8>,
    wants_break: bool,
    last_number: u8,
    under_way: Option<UnderWay>,
    /// Number of the last packet that came, and how many characters it had.
    last_received: (u8, usize),
    out: VecDeque<Vec<u8>>,
    events: VecDeque<SolEvent>,
    closed: bool,
}

/// What was sent and is not acknowledged yet.
#[derive(Debug)]
struct UnderWay {
    packet: FromConsole,
    until: Instant,
    attempts: u32,
}

impl Sol {
    /// A console of a BMC that takes payloads of so many bytes ([`Activation`](super::Activation)).
    #[must_use]
    pub fn new(largest_payload: u16) -> Self {
        let most = usize::from(largest_payload).saturating_sub(HEADER);
        Self {
            most: most.clamp(1, LONGEST_DATA),
            waiting: VecDeque::new(),
            wants_break: false,
            last_number: 0,
            under_way: None,
            last_received: (0, 0),
            out: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
        }
    }

    /// Takes characters for the machine; gives how many: no more than [`MOST_WAITING`] wait.
    pub fn write(&mut self, characters: &[u8], now: Instant) -> usize {
        let room = MOST_WAITING - self.waiting.len().min(MOST_WAITING);
        let taken = &characters[..characters.len().min(room)];
        if self.closed {
            return 0;
        }
        self.waiting.extend(taken);
        self.send_next(now);
        taken.len()
    }

    /// Sends the machine a break, after what is under way.
    pub fn send_break(&mut self, now: Instant) {
        self.wants_break = !self.closed;
        self.send_next(now);
    }

    /// Whether everything that was written has reached the BMC.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.under_way.is_none() && self.waiting.is_empty() && !self.wants_break
    }

    /// The next payload to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn event(&mut self) -> Option<SolEvent> {
        self.events.pop_front()
    }

    /// When [`Sol::expire`] is to be called, unless something comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.under_way.as_ref().map(|under_way| under_way.until)
    }

    /// Takes a payload that came from the BMC. One that is no packet is dropped: the BMC repeats it.
    pub fn receive(&mut self, payload: &[u8], now: Instant) {
        let Ok(packet) = FromBmc::decode(payload) else {
            return;
        };
        if self.closed {
            return;
        }
        if packet.is_break {
            self.events.push_back(SolEvent::Break);
        }
        if packet.overrun {
            self.events.push_back(SolEvent::Overrun);
        }
        if packet.number != 0 {
            self.take(&packet);
        }
        if packet.deactivated {
            return self.close(Closed::Deactivated);
        }
        self.acknowledged(&packet, now);
        self.send_next(now);
    }

    /// The time is `now`: what was not acknowledged is sent again, or given up.
    pub fn expire(&mut self, now: Instant) {
        let Some(under_way) = &mut self.under_way else {
            return;
        };
        if under_way.until > now {
            return;
        }
        if under_way.attempts >= ATTEMPTS {
            return self.close(Closed::Unacknowledged);
        }
        under_way.attempts += 1;
        under_way.until = now + RETRY;
        self.out.push_back(under_way.packet.encode());
    }

    /// Characters of the machine: what is new of them, and an acknowledgement. A packet that comes
    /// again may have grown.
    fn take(&mut self, packet: &FromBmc) {
        let (number, known) = self.last_received;
        let known = if number == packet.number { known } else { 0 };
        let fresh = packet.data.get(known..).unwrap_or_default();
        if !fresh.is_empty() {
            self.events.push_back(SolEvent::Data(fresh.to_vec()));
        }
        self.last_received = (packet.number, packet.data.len().max(known));
        let acknowledgement = FromConsole {
            acknowledged: packet.number,
            accepted: u8::try_from(packet.data.len()).unwrap_or(u8::MAX),
            ..FromConsole::default()
        };
        self.out.push_back(acknowledgement.encode());
    }

    fn acknowledged(&mut self, packet: &FromBmc, now: Instant) {
        let Some(under_way) = &mut self.under_way else {
            return;
        };
        if packet.acknowledged == 0 || packet.acknowledged != under_way.packet.number {
            return;
        }
        let sent = under_way.packet.data.len();
        let accepted = usize::from(packet.accepted).min(sent);
        if packet.nack && accepted == 0 {
            // It was told to wait: the same packet comes again later, but not for ever sooner.
            under_way.until = now + RETRY;
            if packet.unavailable {
                under_way.attempts = 1;
            }
            return;
        }
        // What was not taken goes in front of what waits, in a packet with a number of its own.
        if let Some(done) = self.under_way.take() {
            for character in done.packet.data[accepted..].iter().rev() {
                self.waiting.push_front(*character);
            }
        }
    }

    fn send_next(&mut self, now: Instant) {
        let has_more = self.wants_break || !self.waiting.is_empty();
        if self.under_way.is_some() || !has_more || self.closed {
            return;
        }
        self.last_number = self.last_number % LAST_NUMBER + 1;
        // A break goes alone: where it stands among characters would not be clear.
        let is_break = std::mem::take(&mut self.wants_break);
        let count = if is_break {
            0
        } else {
            self.waiting.len().min(self.most)
        };
        let packet = FromConsole {
            number: self.last_number,
            is_break,
            data: self.waiting.drain(..count).collect(),
            ..FromConsole::default()
        };
        self.out.push_back(packet.encode());
        self.under_way = Some(UnderWay {
            packet,
            until: now + RETRY,
            attempts: 1,
        });
    }

    fn close(&mut self, why: Closed) {
        self.closed = true;
        self.under_way = None;
        self.waiting.clear();
        self.wants_break = false;
        self.events.push_back(SolEvent::Closed(why));
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
