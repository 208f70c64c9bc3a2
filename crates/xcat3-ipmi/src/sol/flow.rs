//! What both sides of serial over LAN have in common (IPMI v2.0, 15.11): one packet of characters is
//! under way, is acknowledged, and repeated until it is; what comes is told once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::packet::{HEADER, MAX_DATA};

/// The most characters that wait to be sent.
pub const MOST_WAITING: usize = 4_096;
/// Numbers go from 1 to 15.
const LAST_NUMBER: u8 = 15;

/// How long a packet waits for its acknowledgement before it is sent again, and how often it is sent
/// until the other side counts as gone.
pub(super) const RETRY: Duration = Duration::from_millis(500);
pub(super) const ATTEMPTS: u32 = 10;

/// The part of a packet that carries characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) number: u8,
    pub(super) is_break: bool,
    pub(super) data: Vec<u8>,
}

/// What the other side says to a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub(super) number: u8,
    pub(super) accepted: u8,
    pub(super) nack: bool,
    /// It can't take any now.
    pub(super) unavailable: bool,
}

/// Characters on their way out.
#[derive(Debug)]
pub(super) struct Sender {
    /// The most characters of a piece.
    most: usize,
    waiting: VecDeque<u8>,
    wants_break: bool,
    last_number: u8,
    under_way: Option<UnderWay>,
}

/// A piece that is not acknowledged yet.
#[derive(Debug)]
struct UnderWay {
    piece: Piece,
    until: Instant,
    attempts: u32,
}

impl Sender {
    /// Towards a side that takes payloads of so many bytes.
    pub(super) fn new(largest_payload: u16) -> Self {
        let most = usize::from(largest_payload).saturating_sub(HEADER);
        Self {
            most: most.clamp(1, MAX_DATA),
            waiting: VecDeque::new(),
            wants_break: false,
            last_number: 0,
            under_way: None,
        }
    }

    /// How many characters there is room for.
    pub(super) fn room(&self) -> usize {
        MOST_WAITING.saturating_sub(self.waiting.len())
    }

    /// Takes characters, as many as there is room for, and gives how many.
    pub(super) fn write(&mut self, characters: &[u8]) -> usize {
        let taken = &characters[..characters.len().min(self.room())];
        self.waiting.extend(taken);
        taken.len()
    }

    pub(super) fn send_break(&mut self) {
        self.wants_break = true;
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.under_way.is_none() && self.waiting.is_empty() && !self.wants_break
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.under_way.as_ref().map(|under_way| under_way.until)
    }

    /// Whether the piece under way was sent often enough, now that its time is over.
    pub(super) fn is_given_up(&self, now: Instant) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|piece| piece.until <= now && piece.attempts >= ATTEMPTS)
    }

    /// The piece under way, once more, where its time is over.
    pub(super) fn again(&mut self, now: Instant) -> Option<&Piece> {
        let under_way = self.under_way.as_mut().filter(|piece| piece.until <= now)?;
        under_way.attempts += 1;
        under_way.until = now + RETRY;
        Some(&under_way.piece)
    }

    /// The next piece, where there is one and none is under way.
    pub(super) fn next(&mut self, now: Instant) -> Option<&Piece> {
        if self.under_way.is_some() || self.is_flushed() {
            return None;
        }
        self.last_number = self.last_number % LAST_NUMBER + 1;
        // A break goes alone: where it stands among characters would not be clear.
        let is_break = std::mem::take(&mut self.wants_break);
        let most = if is_break { 0 } else { self.most };
        let count = self.waiting.len().min(most);
        let piece = Piece {
            number: self.last_number,
            is_break,
            data: self.waiting.drain(..count).collect(),
        };
        let under_way = self.under_way.insert(UnderWay {
            piece,
            until: now + RETRY,
            attempts: 1,
        });
        Some(&under_way.piece)
    }

    pub(super) fn acknowledged(&mut self, answer: Acknowledged, now: Instant) {
        let is_awaited = |under_way: &mut UnderWay| {
            answer.number != 0 && answer.number == under_way.piece.number
        };
        let Some(mut done) = self.under_way.take_if(is_awaited) else {
            return;
        };
        let data = &done.piece.data;
        let accepted = usize::from(answer.accepted).min(data.len());
        if answer.nack && accepted == 0 {
            // The same piece comes again later.
            done.until = now + RETRY;
            if answer.unavailable {
                done.attempts = 1;
            }
            self.under_way = Some(done);
            return;
        }
        // What was not taken goes in front of what waits, in a piece with a number of its own.
        for character in data[accepted..].iter().rev() {
            self.waiting.push_front(*character);
        }
    }

    /// Nothing is to be sent any more.
    pub(super) fn clear(&mut self) {
        self.under_way = None;
        self.waiting.clear();
        self.wants_break = false;
    }
}

/// Characters that come in.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// Number of the last packet, and how many of its characters are known.
    last: (u8, usize),
}

impl Receiver {
    /// How many characters of a packet are new.
    pub(super) fn count_fresh(&self, number: u8, data: &[u8]) -> usize {
        let (last, known) = self.last;
        let known = if number == last { known } else { 0 };
        data.len().saturating_sub(known)
    }

    /// What is new of a packet. One that comes again may have grown.
    pub(super) fn fresh<'a>(&mut self, number: u8, data: &'a [u8]) -> &'a [u8] {
        let (last, known) = self.last;
        let known = if number == last { known } else { 0 };
        self.last = (number, data.len().max(known));
        data.get(known..).unwrap_or_default()
    }
}
