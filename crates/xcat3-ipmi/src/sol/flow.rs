//! Flow control of serial over LAN (IPMI v2.0, 15.11), the same for both ends: one segment of characters is
//! outstanding and is retransmitted until it is acknowledged; a segment that arrives twice counts once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::packet::{HEADER, MAX_DATA};

/// The most characters that wait to be sent.
pub const MAX_QUEUED: usize = 4_096;
/// Packet numbers go from 1 to 15.
const LAST_NUMBER: u8 = 15;

/// Time without an acknowledgement after which a segment is retransmitted.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Transmissions of a segment after which the other end counts as gone.
pub(super) const MAX_ATTEMPTS: u32 = 10;

/// The characters of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u8,
    pub(super) is_break: bool,
    pub(super) data: Vec<u8>,
}

/// The other end's acknowledgement of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledgement {
    pub(super) number: u8,
    pub(super) accepted: u8,
    pub(super) nack: bool,
    /// The other end accepts no characters now.
    pub(super) unavailable: bool,
}

/// The sending half.
#[derive(Debug)]
pub(super) struct Sender {
    max_segment: usize,
    queue: VecDeque<u8>,
    break_queued: bool,
    last_number: u8,
    outstanding: Option<Outstanding>,
}

/// A segment that is not acknowledged yet.
#[derive(Debug)]
struct Outstanding {
    segment: Segment,
    deadline: Instant,
    attempts: u32,
}

impl Sender {
    /// `max_payload` is the largest payload that the other end accepts, in bytes.
    pub(super) fn new(max_payload: u16) -> Self {
        let max_segment = usize::from(max_payload).saturating_sub(HEADER);
        Self {
            max_segment: max_segment.clamp(1, MAX_DATA),
            queue: VecDeque::new(),
            break_queued: false,
            last_number: 0,
            outstanding: None,
        }
    }

    /// How many more characters fit into the queue.
    pub(super) fn room(&self) -> usize {
        MAX_QUEUED.saturating_sub(self.queue.len())
    }

    /// Queues characters and returns how many fit.
    pub(super) fn write(&mut self, characters: &[u8]) -> usize {
        let queued = &characters[..characters.len().min(self.room())];
        self.queue.extend(queued);
        queued.len()
    }

    pub(super) fn send_break(&mut self) {
        self.break_queued = true;
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.outstanding.is_none() && self.queue.is_empty() && !self.break_queued
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|segment| segment.deadline)
    }

    /// Whether the last attempt of the outstanding segment has timed out.
    pub(super) fn is_exhausted(&self, now: Instant) -> bool {
        let outstanding = self.outstanding.as_ref();
        outstanding
            .is_some_and(|segment| segment.deadline <= now && segment.attempts >= MAX_ATTEMPTS)
    }

    /// The outstanding segment, if it is due for retransmission.
    pub(super) fn retransmit(&mut self, now: Instant) -> Option<&Segment> {
        let outstanding = self.outstanding.as_mut();
        let outstanding = outstanding.filter(|segment| segment.deadline <= now)?;
        outstanding.attempts += 1;
        outstanding.deadline = now + RETRY_INTERVAL;
        Some(&outstanding.segment)
    }

    /// The next segment, if there is one and none is outstanding.
    pub(super) fn next(&mut self, now: Instant) -> Option<&Segment> {
        if self.outstanding.is_some() || self.is_flushed() {
            return None;
        }
        self.last_number = self.last_number % LAST_NUMBER + 1;
        // A break goes in a packet without characters, so that its order among them is clear.
        let is_break = std::mem::take(&mut self.break_queued);
        let max = if is_break { 0 } else { self.max_segment };
        let count = self.queue.len().min(max);
        let segment = Segment {
            number: self.last_number,
            is_break,
            data: self.queue.drain(..count).collect(),
        };
        let outstanding = self.outstanding.insert(Outstanding {
            segment,
            deadline: now + RETRY_INTERVAL,
            attempts: 1,
        });
        Some(&outstanding.segment)
    }

    pub(super) fn acknowledge(&mut self, acknowledgement: Acknowledgement, now: Instant) {
        let is_awaited = |outstanding: &mut Outstanding| {
            acknowledgement.number != 0 && acknowledgement.number == outstanding.segment.number
        };
        let Some(mut outstanding) = self.outstanding.take_if(is_awaited) else {
            return;
        };
        let data = &outstanding.segment.data;
        let accepted = usize::from(acknowledgement.accepted).min(data.len());
        if acknowledgement.nack && accepted == 0 {
            // The segment is retransmitted later.
            outstanding.deadline = now + RETRY_INTERVAL;
            if acknowledgement.unavailable {
                outstanding.attempts = 1;
            }
            self.outstanding = Some(outstanding);
            return;
        }
        // The rest goes back to the front of the queue and gets a new number.
        for character in data[accepted..].iter().rev() {
            self.queue.push_front(*character);
        }
    }

    /// Drops everything that was to be sent.
    pub(super) fn clear(&mut self) {
        self.outstanding = None;
        self.queue.clear();
        self.break_queued = false;
    }
}

/// The receiving half.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// Number of the last packet.
    last: u8,
    /// How many of its characters were delivered.
    delivered: usize,
}

impl Receiver {
    /// Characters of the packet that were delivered before.
    fn delivered(&self, number: u8) -> usize {
        if number == self.last {
            self.delivered
        } else {
            0
        }
    }

    /// How many characters of a packet are new.
    pub(super) fn count_new(&self, number: u8, data: &[u8]) -> usize {
        data.len().saturating_sub(self.delivered(number))
    }

    /// Returns the new characters of a packet and records them as delivered. A retransmitted packet may
    /// have grown.
    pub(super) fn accept<'a>(&mut self, number: u8, data: &'a [u8]) -> &'a [u8] {
        let delivered = self.delivered(number);
        self.last = number;
        self.delivered = data.len().max(delivered);
        data.get(delivered..).unwrap_or_default()
    }
}
