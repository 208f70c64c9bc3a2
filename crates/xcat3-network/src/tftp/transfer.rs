//! What a server sends when, in one transfer of a file to a client: RFC 1350, 2347, 7440. No I/O and
//! no clock in it: packets and the time come in, what to send goes out, so that loss, duplication
//! and reordering are tested without a network.
//!
//! ```text
//!             options                    acknowledgement of the last block
//!  request ──────────▶ Negotiating ──┐ ┌──────────────────────────────────▶ Complete
//!     │                   ACK 0 ▼    │ │
//!     └──────────────▶ Sending ◀─────┘ │  ERROR of the client ─────────────▶ Refused
//!        no options    window by window┘  nothing heard for too long ──────▶ GaveUp
//! ```
//!
//! - Blocks are counted from 1 without end; on the wire is the count modulo 65,536, and after block
//!   65,535 comes block 0, which is what boot ROMs expect.
//! - With a window of one block a repeated acknowledgement is never answered (Sorcerer's Apprentice);
//!   only the timer sends again. With larger windows it says that the first block of the window was
//!   lost (RFC 7440 section 4) and the window is sent again, once, and not in two successive windows,
//!   so that duplicates die out instead of breeding.
//! - Whatever the reason, sending goes on at the first block that is not acknowledged.

use std::time::{Duration, Instant};

use super::packet::{Options, Packet};

/// Block size without option (RFC 1350).
pub const DEFAULT_BLOCK: u16 = 512;
/// Smallest and largest block size (RFC 2348).
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 8..=65_464;

/// What a server agrees to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Largest block. A client that asks for more is given this.
    pub block: u16,
    /// Largest window. A client that asks for more is given this.
    pub window: u16,
    /// How long to wait for an acknowledgement before sending again, unless the client says; it
    /// doubles with each time.
    pub timeout: Duration,
    /// The longest it grows to.
    pub longest_timeout: Duration,
    /// How often to send again before giving up.
    pub retries: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            block: 65_464,
            window: 64,
            timeout: Duration::from_secs(1),
            longest_timeout: Duration::from_secs(8),
            retries: 5,
        }
    }
}

/// What client and server agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes of a block.
    pub block: u16,
    /// Blocks of a window.
    pub window: u16,
    /// Until something is sent again.
    pub timeout: Duration,
    /// What is answered to the options; none where there were none to agree to.
    pub answer: Option<Options>,
}

impl Terms {
    /// Agrees to a client's options within `bounds`. `size` is what `tsize` is answered with, `None`
    /// where it is not known. Options out of their RFC's range are left out of the answer.
    #[must_use]
    pub fn agree(asked: &Options, bounds: &Bounds, size: Option<u64>) -> Self {
        let block_size = asked
            .block_size
            .filter(|block| *block >= *BLOCK_SIZES.start())
            .map(|block| block.min(u64::from(bounds.block)).min(*BLOCK_SIZES.end()));
        let window_size = asked
            .window_size
            .filter(|window| (1..=65_535).contains(window))
            .map(|window| window.min(u64::from(bounds.window.max(1))));
        let timeout = asked.timeout.filter(|timeout| (1..=255).contains(timeout));
        let answer = Options {
            block_size,
            timeout,
            transfer_size: asked.transfer_size.and(size),
            window_size,
        };
        Self {
            block: block_size.map_or(DEFAULT_BLOCK, |block| block as u16),
            window: window_size.map_or(1, |window| window as u16),
            timeout: timeout.map_or(bounds.timeout, Duration::from_secs),
            answer: (answer != Options::default()).then_some(answer),
        }
    }
}

/// What to send next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// The options that hold.
    OptionAck(Options),
    /// A block: its number on the wire, and which bytes of the file.
    Block {
        /// The number.
        number: u16,
        /// The first byte.
        offset: u64,
        /// How many bytes; fewer than a block in the last one only.
        len: usize,
    },
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client has it all.
    Complete,
    /// The client sent an error, as boot ROMs do which only wanted to know the size.
    Refused {
        /// Its code.
        code: u16,
        /// Its message.
        message: String,
    },
    /// Nothing was heard from the client any more.
    GaveUp,
}

/// A transfer.
#[derive(Debug)]
pub struct Transfer {
    terms: Terms,
    longest_timeout: Duration,
    retries: u32,
    size: u64,
    /// The last block; blocks are counted from 1.
    last: u64,
    /// All blocks up to this one arrived.
    acknowledged: u64,
    /// All blocks up to this one were sent, as far as is known not in vain.
    sent: u64,
    negotiating: bool,
    option_ack_due: bool,
    /// Since when `acknowledged` stands, and how often the timer struck since.
    strikes: u32,
    deadline: Instant,
    /// The acknowledgement on which a window was last sent again at once, and whether that was in
    /// the window before this one.
    resent: Option<u64>,
    resent_before: bool,
    end: Option<End>,
}

impl Transfer {
    /// A transfer of `size` bytes that begins now.
    #[must_use]
    pub fn new(terms: Terms, bounds: &Bounds, size: u64, now: Instant) -> Self {
        Self {
            terms,
            longest_timeout: bounds.longest_timeout.max(terms.timeout),
            retries: bounds.retries,
            size,
            last: size / u64::from(terms.block) + 1,
            acknowledged: 0,
            sent: 0,
            negotiating: terms.answer.is_some(),
            option_ack_due: terms.answer.is_some(),
            strikes: 0,
            deadline: now + terms.timeout,
            resent: None,
            resent_before: false,
            end: None,
        }
    }

    /// What to send now, if anything; ask until there is nothing.
    pub fn next_send(&mut self) -> Option<Send> {
        if self.end.is_some() {
            return None;
        }
        if self.negotiating {
            let due = std::mem::take(&mut self.option_ack_due);
            return self.terms.answer.filter(|_| due).map(Send::OptionAck);
        }
        let window_end = self.acknowledged + u64::from(self.terms.window);
        if self.sent >= window_end.min(self.last) {
            return None;
        }
        self.sent += 1;
        let offset = (self.sent - 1) * u64::from(self.terms.block);
        let len = (self.size - offset).min(u64::from(self.terms.block));
        Some(Send::Block {
            number: self.sent as u16,
            offset,
            len: len as usize,
        })
    }

    /// A packet of the client arrived.
    pub fn receive(&mut self, packet: &Packet<'_>, now: Instant) {
        if self.end.is_some() {
            return;
        }
        match packet {
            Packet::Ack(number) => self.acknowledge(*number, now),
            Packet::Error { code, message } => {
                self.end = Some(End::Refused {
                    code: *code,
                    message: message.to_string(),
                });
            }
            // Nothing else is a client's to send here.
            _ => {}
        }
    }

    fn acknowledge(&mut self, number: u16, now: Instant) {
        if self.negotiating {
            if number == 0 {
                self.negotiating = false;
                self.progressed(now);
            }
            return;
        }
        let ahead = u64::from(number.wrapping_sub(self.acknowledged as u16));
        if ahead == 0 {
            self.repeated(now);
        } else if self.acknowledged + ahead <= self.sent {
            let lost_some = self.acknowledged + ahead < self.sent;
            self.acknowledged += ahead;
            self.resent_before = self.resent.is_some();
            self.resent = lost_some.then_some(self.acknowledged);
            self.sent = self.acknowledged;
            self.progressed(now);
            if self.acknowledged == self.last {
                self.end = Some(End::Complete);
            }
        }
        // Anything else is of long ago, or of nothing that was sent.
    }

    /// The client has nothing beyond what it acknowledged before.
    fn repeated(&mut self, now: Instant) {
        let is_answered = self.resent == Some(self.acknowledged) || self.resent_before;
        if self.terms.window > 1 && self.sent > self.acknowledged && !is_answered {
            self.resent = Some(self.acknowledged);
            self.sent = self.acknowledged;
            self.deadline = now + self.wait();
        }
    }

    fn progressed(&mut self, now: Instant) {
        self.strikes = 0;
        self.deadline = now + self.terms.timeout;
    }

    fn wait(&self) -> Duration {
        let doubled = self.terms.timeout * (1 << self.strikes.min(10));
        doubled.min(self.longest_timeout)
    }

    /// When [`Transfer::strike`] is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The deadline may have passed: sends again, or gives up.
    pub fn strike(&mut self, now: Instant) {
        if now < self.deadline || self.end.is_some() {
            return;
        }
        if self.strikes == self.retries {
            self.end = Some(End::GaveUp);
            return;
        }
        self.strikes += 1;
        self.deadline = now + self.wait();
        self.option_ack_due = self.negotiating;
        self.sent = self.acknowledged;
        self.resent = Some(self.acknowledged);
    }

    /// How it ended, when it has.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Bytes that the client acknowledged.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let whole = self
            .acknowledged
            .saturating_mul(u64::from(self.terms.block));
        whole.min(self.size)
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
