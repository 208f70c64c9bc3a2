//! One session of a BMC.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::handshake::{KeyExchange, SessionKeys};
use crate::message::Completion;
use crate::window::{InOrder, ReplayWindow};

/// A request that arrives again within this time is a duplicate.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(20);
/// An unfinished handshake is removed after this time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// The privilege level in a role, without the bit for look-up by name only.
pub(super) const LEVEL_MASK: u8 = 0x0f;
/// User, operator and administrator.
pub(super) const LEVELS: RangeInclusive<u8> = 2..=4;

/// The last request and its response: a duplicate gets the same response and is not carried out again
/// (6.12.13).
pub(super) struct LastRequest {
    pub(super) request: Vec<u8>,
    pub(super) number: u8,
    pub(super) response: Option<Vec<u8>>,
    pub(super) received: Instant,
}

pub(super) struct BmcSession {
    pub(super) exchange: KeyExchange,
    pub(super) last_request: Option<LastRequest>,
    /// Set once the handshake is finished.
    pub(super) keys: Option<SessionKeys>,
    pub(super) max_level: u8,
    pub(super) level: u8,
    pub(super) last_sequence: u32,
    pub(super) received: ReplayWindow,
    /// Overtaken serial-over-LAN payloads are dropped: what matters in them is retransmitted.
    pub(super) sol: InOrder,
    pub(super) last_active: Instant,
}

impl BmcSession {
    pub(super) fn new(exchange: KeyExchange, now: Instant) -> Self {
        Self {
            exchange,
            last_request: None,
            keys: None,
            max_level: 0,
            // A session begins at level user (22.18).
            level: *LEVELS.start(),
            last_sequence: 0,
            received: ReplayWindow::default(),
            sol: InOrder::default(),
            last_active: now,
        }
    }

    /// The response to a duplicate of the last request; `None` if `request` is no duplicate.
    pub(super) fn response_to_duplicate(&self, request: &[u8], now: Instant) -> Option<Vec<u8>> {
        let last = self.last_request.as_ref()?;
        let age = now.saturating_duration_since(last.received);
        let is_duplicate = last.request == request && age < DUPLICATE_WINDOW;
        is_duplicate.then(|| last.response.clone())?
    }

    pub(super) fn is_alive(&self, now: Instant, idle_timeout: Duration) -> bool {
        let limit = match self.keys {
            Some(_) => idle_timeout,
            None => HANDSHAKE_TIMEOUT,
        };
        now.saturating_duration_since(self.last_active) < limit
    }

    /// Carries out Set Session Privilege Level. Level 0 leaves the level unchanged.
    pub(super) fn set_level(&mut self, data: &[u8]) -> (Completion, Vec<u8>) {
        match data.first().map(|level| level & LEVEL_MASK) {
            Some(0) => (Completion::OK, vec![self.level]),
            Some(level) if LEVELS.contains(&level) && level <= self.max_level => {
                self.level = level;
                (Completion::OK, vec![level])
            }
            Some(_) => (Completion(0x81), Vec::new()),
            None => (Completion::WRONG_LENGTH, Vec::new()),
        }
    }
}
