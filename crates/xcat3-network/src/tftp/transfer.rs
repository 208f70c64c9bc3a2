//! The state machine of one transfer of a file to a client: RFC 1350, 2347, 7440. Without I/O and
//! clock: packets and the time go in, packets to send come out, so that loss, duplication and
//! reordering are tested without a network.
//!
//! ```text
//!             options                    acknowledgement of the last block
//!  request ──────────▶ Negotiating ──┐ ┌──────────────────────────────────▶ Complete
//!     │                   ACK 0 ▼    │ │
//!     └──────────────▶ Sending ◀─────┘ │  ERROR of the client ─────────────▶ Aborted
//!        no options    window by window┘  no packet for too long ──────────▶ TimedOut
//! ```
//!
//! - Blocks are counted from 1; the wire has the count modulo 65,536. Block 0 follows block 65,535, as
//!   boot ROMs expect.
//! - With a window of one block a repeated acknowledgement has no effect (Sorcerer's Apprentice): only
//!   the timer retransmits. With larger windows a repeated acknowledgement means that the first block
//!   of the window was lost (RFC 7440, 4). The window is then sent again, once, and not in two
//!   successive windows, so that duplicates die out.
//! - A retransmission begins at the first block that is not acknowledged.

use std::time::{Duration, Instant};

use super::packet::{Options, Packet};

/// Block size without option (RFC 1350).
pub const DEFAULT_BLOCK: u16 = 512;
/// Smallest and largest block size (RFC 2348).
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 8..=65_464;

/// Limits of the options that a server accepts.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Largest block, in bytes; the answer to requests for more.
    pub block: u16,
    /// Largest window, in blocks; the answer to requests for more.
    pub window: u16,
    /// First retransmission timeout where the client requests none; each retransmission doubles it.
    pub timeout: Duration,
    /// Largest retransmission timeout.
    pub max_timeout: Duration,
    /// Retransmissions before the transfer ends.
    pub retries: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            block: 65_464,
            window: 64,
            timeout: Duration::from_secs(1),
            max_timeout: Duration::from_secs(8),
            retries: 5,
        }
    }
}

/// The negotiated options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Size of a block, in bytes.
    pub block: u16,
    /// Size of a window, in blocks.
    pub window: u16,
    /// First retransmission timeout.
    pub timeout: Duration,
    /// The option acknowledgement; `None` where the client requested no valid option.
    pub option_ack: Option<Options>,
}

impl Terms {
    /// Negotiates the requested options within `bounds`. `size` is the size of the file for `tsize`,
    /// `None` where it is unknown. Options outside the range of their RFC are ignored.
    #[must_use]
    pub fn negotiate(requested: &Options, bounds: &Bounds, size: Option<u64>) -> Self {
        let block_size = requested
            .block_size
            .filter(|block| *block >= *BLOCK_SIZES.start())
            .map(|block| block.min(u64::from(bounds.block)).min(*BLOCK_SIZES.end()));
        let window_size = requested
            .window_size
            .filter(|window| (1..=65_535).contains(window))
            .map(|window| window.min(u64::from(bounds.window.max(1))));
        let timeout = requested
            .timeout
            .filter(|timeout| (1..=255).contains(timeout));
        let option_ack = Options {
            block_size,
            timeout,
            transfer_size: requested.transfer_size.and(size),
            window_size,
        };
        Self {
            block: block_size.map_or(DEFAULT_BLOCK, |block| block as u16),
            window: window_size.map_or(1, |window| window as u16),
            timeout: timeout.map_or(bounds.timeout, Duration::from_secs),
            option_ack: (option_ack != Options::default()).then_some(option_ack),
        }
    }
}

/// A packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// The option acknowledgement.
    OptionAck(Options),
    /// A block of the file.
    Block {
        /// The number on the wire.
        number: u16,
        /// Offset in the file, in bytes.
        offset: u64,
        /// Length, in bytes; less than a block in the last block only.
        len: usize,
    },
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client has the whole file.
    Complete,
    /// The client sent an error, as boot ROMs do that only want the size.
    Aborted {
        /// The error code.
        code: u16,
        /// The error message.
        message: String,
    },
    /// The client stopped responding.
    TimedOut,
}

/// A transfer.
#[derive(Debug)]
pub struct Transfer {
    terms: Terms,
    max_timeout: Duration,
    retries: u32,
    size: u64,
    /// The last block; blocks are counted from 1.
    last: u64,
    /// The last block that the client acknowledged.
    acknowledged: u64,
    /// The last block that was sent since the last retransmission.
    sent: u64,
    negotiating: bool,
    option_ack_due: bool,
    /// Timeouts since the last progress.
    timeouts: u32,
    deadline: Instant,
    /// The acknowledgement that caused the last retransmission, and whether the previous window was
    /// retransmitted.
    resent: Option<u64>,
    resent_before: bool,
    end: Option<End>,
}

impl Transfer {
    /// Begins a transfer of `size` bytes.
    #[must_use]
    pub fn new(terms: Terms, bounds: &Bounds, size: u64, now: Instant) -> Self {
        Self {
            terms,
            max_timeout: bounds.max_timeout.max(terms.timeout),
            retries: bounds.retries,
            size,
            last: size / u64::from(terms.block) + 1,
            acknowledged: 0,
            sent: 0,
            negotiating: terms.option_ack.is_some(),
            option_ack_due: terms.option_ack.is_some(),
            timeouts: 0,
            deadline: now + terms.timeout,
            resent: None,
            resent_before: false,
            end: None,
        }
    }

    /// The next packet to send. Call it until it returns `None`.
    pub fn next_send(&mut self) -> Option<Send> {
        if self.end.is_some() {
            return None;
        }
        if self.negotiating {
            let due = std::mem::take(&mut self.option_ack_due);
            return self.terms.option_ack.filter(|_| due).map(Send::OptionAck);
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

    /// Processes a packet of the client.
    pub fn receive(&mut self, packet: &Packet<'_>, now: Instant) {
        if self.end.is_some() {
            return;
        }
        match packet {
            Packet::Ack(number) => self.acknowledge(*number, now),
            Packet::Error { code, message } => {
                self.end = Some(End::Aborted {
                    code: *code,
                    message: message.to_string(),
                });
            }
            // A reading client sends no other packets.
            _ => {}
        }
    }

    fn acknowledge(&mut self, number: u16, now: Instant) {
        if self.negotiating {
            if number == 0 {
                self.negotiating = false;
                self.reset_timeout(now);
            }
            return;
        }
        let ahead = u64::from(number.wrapping_sub(self.acknowledged as u16));
        if ahead == 0 {
            self.handle_repeated_ack(now);
        } else if self.acknowledged + ahead <= self.sent {
            let lost_some = self.acknowledged + ahead < self.sent;
            self.acknowledged += ahead;
            self.resent_before = self.resent.is_some();
            self.resent = lost_some.then_some(self.acknowledged);
            self.sent = self.acknowledged;
            self.reset_timeout(now);
            if self.acknowledged == self.last {
                self.end = Some(End::Complete);
            }
        }
        // Any other acknowledgement is old, or of a block that was not sent.
    }

    /// A repeated acknowledgement: the client got nothing since.
    fn handle_repeated_ack(&mut self, now: Instant) {
        let is_duplicate = self.resent == Some(self.acknowledged) || self.resent_before;
        if self.terms.window > 1 && self.sent > self.acknowledged && !is_duplicate {
            self.resent = Some(self.acknowledged);
            self.sent = self.acknowledged;
            self.deadline = now + self.current_timeout();
        }
    }

    fn reset_timeout(&mut self, now: Instant) {
        self.timeouts = 0;
        self.deadline = now + self.terms.timeout;
    }

    fn current_timeout(&self) -> Duration {
        let doubled = self.terms.timeout * (1 << self.timeouts.min(10));
        doubled.min(self.max_timeout)
    }

    /// When [`Transfer::handle_timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Retransmits, or ends the transfer, where the deadline has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.deadline || self.end.is_some() {
            return;
        }
        if self.timeouts == self.retries {
            self.end = Some(End::TimedOut);
            return;
        }
        self.timeouts += 1;
        self.deadline = now + self.current_timeout();
        self.option_ack_due = self.negotiating;
        self.sent = self.acknowledged;
        self.resent = Some(self.acknowledged);
    }

    /// How the transfer ended; `None` while it runs.
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
