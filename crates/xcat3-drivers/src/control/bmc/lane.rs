//! The lane of one endpoint: who asks it takes turns, its session is kept for the next one, and what
//! is known of it (that it does not answer, that it rejected credentials) is known to all.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::rejections::{Noted, sentence};
use super::resolve::Found;

/// How many rejected credentials are remembered of a BMC.
const REJECTED: usize = 8;

/// A lane. `S` is the protocol's session.
pub struct Lane<S> {
    /// Held by whoever asks the BMC.
    pub line: tokio::sync::Mutex<Line<S>>,
    facts: Mutex<Facts>,
}

/// What only who has the turn may touch.
pub struct Line<S> {
    /// The session, kept for the next.
    pub kept: Option<Kept<S>>,
    /// The address that the endpoint's name had last.
    pub address: Option<Found>,
    /// How long the BMC took for an answer last.
    pub took: Duration,
}

/// A kept session.
pub struct Kept<S> {
    /// The protocol's session.
    pub session: S,
    /// Of what it depends on: see [`super::endpoint::Bmc::digest`].
    pub digest: i64,
    /// When it was last used.
    pub used: Instant,
    /// When the BMC last heard of it.
    pub alive: Instant,
    /// Whether an operation on it is under way, or was dropped half-way.
    pub is_busy: bool,
}

#[derive(Clone, Debug)]
struct Facts {
    breaker: Breaker,
    /// The last few; the newest is the last.
    rejected: Vec<Rejected>,
    used: Instant,
}

/// Credentials that the BMC does not take: not themselves, but their digest. Remembered here until they
/// are written down where all processes look.
#[derive(Clone, Debug)]
struct Rejected {
    digest: i64,
    at: Instant,
    reason: Box<str>,
    noted: Noted,
}

impl<S> Lane<S> {
    /// A lane of which nothing is known.
    pub fn new() -> Self {
        Self {
            line: tokio::sync::Mutex::new(Line {
                kept: None,
                address: None,
                took: Duration::ZERO,
            }),
            facts: Mutex::new(Facts {
                breaker: Breaker::default(),
                rejected: Vec::new(),
                used: Instant::now(),
            }),
        }
    }

    /// Whether the BMC may be asked now, with credentials of this digest, by who began at `begun` to
    /// look what is written down.
    ///
    /// # Errors
    /// The sentence for the node.
    pub fn check(&self, digest: i64, begun: Instant) -> Result<(), String> {
        let now = Instant::now();
        let mut facts = self.facts();
        facts.used = now;
        let is_open = |old: &Rejected| old.noted.get().is_none_or(|noted| begun <= *noted);
        facts.rejected.retain(is_open);
        if let Some(rejected) = facts.rejected.iter().find(|old| old.digest == digest) {
            let ago = now.saturating_duration_since(rejected.at);
            return Err(sentence(ago, &rejected.reason));
        }
        facts.breaker.check(now).map_err(|left| {
            let (silent, again) = (Span(left.silent), Span(left.again));
            format!("it has not answered for {silent}; it is asked again in {again}")
        })
    }

    /// The BMC answered.
    pub fn answered(&self) {
        self.facts().breaker.answered();
    }

    /// The BMC took the credentials of this digest.
    pub fn accepted(&self, digest: i64) {
        let mut facts = self.facts();
        facts.breaker.answered();
        facts.rejected.retain(|old| old.digest != digest);
    }

    /// The BMC was asked at `asked` and said nothing until now.
    pub fn silent(&self, asked: Instant) {
        let chance = rand::random();
        self.facts().breaker.silent(asked, Instant::now(), chance);
    }

    /// The BMC rejected the credentials of this digest, which is to be written down.
    pub fn rejected(&self, digest: i64, reason: &str, noted: Noted) {
        let mut facts = self.facts();
        facts.breaker.answered();
        facts.rejected.retain(|old| old.digest != digest);
        if facts.rejected.len() >= REJECTED {
            facts.rejected.remove(0);
        }
        facts.rejected.push(Rejected {
            digest,
            at: Instant::now(),
            reason: reason.into(),
            noted,
        });
    }

    /// Whether it rejected credentials of which nothing is written down.
    pub fn has_rejected(&self) -> bool {
        let facts = self.facts();
        facts.rejected.iter().any(|old| old.noted.get().is_none())
    }

    /// Whether nothing would be lost with it that matters, if it was not used for `idle`. Its session is
    /// another question.
    pub fn is_forgettable(&self, idle: Duration) -> bool {
        let now = Instant::now();
        let facts = self.facts();
        facts.breaker.is_forgettable(now) && now.saturating_duration_since(facts.used) >= idle
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A span of time in words: `12 s`, `3 min`, `2 h 10 min`.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_millis().div_ceil(1000);
        match seconds {
            0..120 => write!(f, "{seconds} s"),
            120..7200 => write!(f, "{} min", seconds / 60),
            _ => write!(f, "{} h {} min", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_known_of_a_bmc_is_said_at_once() {
        let lane = Lane::<()>::new();
        let check = |digest| lane.check(digest, Instant::now());
        assert_eq!(check(1), Ok(()));
        lane.rejected(1, "the password is wrong", Noted::default());
        tokio::time::advance(Duration::from_secs(300)).await;
        let said = check(1).unwrap_err();
        assert!(
            said.starts_with("it rejected these credentials 5 min ago (the password is wrong)"),
            "{said}"
        );
        assert_eq!(check(2), Ok(()), "others may be tried");
        lane.accepted(2);
        assert!(check(1).is_err(), "what is wrong stays wrong");
        lane.accepted(1);
        assert_eq!(check(1), Ok(()));
        lane.silent(Instant::now());
        lane.silent(Instant::now());
        tokio::time::advance(Duration::from_secs(3)).await;
        let said = check(1).unwrap_err();
        assert!(
            said.starts_with("it has not answered for 3 s; it is asked again in"),
            "{said}"
        );
        lane.answered();
        assert_eq!(check(1), Ok(()));
    }
}
