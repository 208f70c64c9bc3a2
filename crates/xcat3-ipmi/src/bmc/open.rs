//! One session of a BMC: what it has agreed on, what came in it, what it was answered last.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::handshake::{Exchange, SessionKeys};
use crate::message::Completion;
use crate::window::{Latest, Window};

/// A request that comes again within this time is a repetition of the one before.
const REPETITION: Duration = Duration::from_secs(20);
/// A handshake that is not finished by then never will be.
const UNFINISHED: Duration = Duration::from_secs(15);
/// Of the role: the privilege level without the bit for a look-up by name.
pub(super) const LEVEL: u8 = 0x0f;
/// User, operator and administrator.
pub(super) const LEVELS: RangeInclusive<u8> = 2..=4;

/// A request and what it was answered: one that comes again is not carried out again (6.12.13).
pub(super) struct Answered {
    pub(super) request: Vec<u8>,
    pub(super) number: u8,
    pub(super) response: Option<Vec<u8>>,
    pub(super) at: Instant,
}

pub(super) struct Open {
    pub(super) exchange: Exchange,
    pub(super) latest: Option<Answered>,
    /// There once both have proven themselves.
    pub(super) keys: Option<SessionKeys>,
    pub(super) highest: u8,
    pub(super) level: u8,
    pub(super) sequence: u32,
    pub(super) seen: Window,
    /// Payloads of serial over LAN that were overtaken are dropped: what counts is repeated.
    pub(super) sol: Latest,
    pub(super) last: Instant,
}

impl Open {
    pub(super) fn new(exchange: Exchange, now: Instant) -> Self {
        Self {
            exchange,
            latest: None,
            keys: None,
            highest: 0,
            // A session begins as a user's (22.18).
            level: *LEVELS.start(),
            sequence: 0,
            seen: Window::default(),
            sol: Latest::default(),
            last: now,
        }
    }

    /// What the request was answered that comes again.
    pub(super) fn repeated(&self, request: &[u8], now: Instant) -> Option<Vec<u8>> {
        let latest = self.latest.as_ref()?;
        let is_again =
            latest.request == request && now.saturating_duration_since(latest.at) < REPETITION;
        is_again.then(|| latest.response.clone())?
    }

    pub(super) fn is_alive(&self, now: Instant, idle: Duration) -> bool {
        let limit = match self.keys {
            Some(_) => idle,
            None => UNFINISHED,
        };
        now.saturating_duration_since(self.last) < limit
    }

    /// Set Session Privilege Level: 0 asks for the present one.
    pub(super) fn set_level(&mut self, data: &[u8]) -> (Completion, Vec<u8>) {
        match data.first().map(|level| level & LEVEL) {
            Some(0) => (Completion::OK, vec![self.level]),
            Some(level) if LEVELS.contains(&level) && level <= self.highest => {
                self.level = level;
                (Completion::OK, vec![level])
            }
            Some(_) => (Completion(0x81), Vec::new()),
            None => (Completion::WRONG_LENGTH, Vec::new()),
        }
    }
}
