//! When a BMC that does not answer is left alone, and when it is tried again. No I/O and no clock of its
//! own.
//!
//! ```text
//!            several silences in a row             the pause is over
//!  Closed ───────────────────────────────► Open ◄──────────────────► tried once
//!    ▲                                       ▲                          │  │
//!    │                                       └── silent: a longer pause ┘  │
//!    └────────────────────────── any answer ───────────────────────────────┘
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// How many silences in a row open a breaker.
const SILENCES: u32 = 2;
/// The first pause; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is known of the silence of a BMC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    silences: u32,
    /// When the first of these silences began.
    since: Option<Instant>,
    /// Until when it is left alone.
    until: Option<Instant>,
}

/// A BMC is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// For how long it has not answered.
    pub silent: Duration,
    /// When it is tried again, from now.
    pub again: Duration,
}

impl Breaker {
    /// Whether the BMC may be asked now.
    ///
    /// # Errors
    /// It is left alone.
    pub fn check(&self, now: Instant) -> Result<(), LeftAlone> {
        match (self.since, self.until) {
            (Some(since), Some(until)) if now < until => Err(LeftAlone {
                silent: now.saturating_duration_since(since),
                again: until - now,
            }),
            _ => Ok(()),
        }
    }

    /// It answered, whatever it said.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// It was asked at `asked` and did not answer until `now`. `chance` from 0 to 1 spreads the times
    /// at which many are tried again.
    pub fn silent(&mut self, asked: Instant, now: Instant, chance: f64) {
        self.silences = self.silences.saturating_add(1);
        self.since.get_or_insert(asked);
        if let Some(beyond) = self.silences.checked_sub(SILENCES) {
            let pause = FIRST_PAUSE.saturating_mul(1 << beyond.min(16));
            let spread = 0.75 + chance.clamp(0.0, 1.0) / 4.0;
            self.until = Some(now + pause.min(LONGEST_PAUSE).mul_f64(spread));
        }
    }

    /// Whether there is nothing to remember at `now`: the BMC answered last, or is long free to be
    /// tried.
    #[must_use]
    pub fn is_forgettable(&self, now: Instant) -> bool {
        match (self.since, self.until) {
            (None, _) => true,
            (Some(since), None) => now.saturating_duration_since(since) > LONGEST_PAUSE,
            (_, Some(until)) => now.saturating_duration_since(until) > LONGEST_PAUSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_silence_is_forgiven_and_pauses_grow() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.silent(start, start + Duration::from_secs(7), 1.0);
        assert_eq!(breaker.check(start + Duration::from_secs(7)), Ok(()));
        let now = start + Duration::from_secs(14);
        breaker.silent(start + Duration::from_secs(7), now, 1.0);
        let left_alone = LeftAlone {
            silent: Duration::from_secs(14),
            again: FIRST_PAUSE,
        };
        assert_eq!(breaker.check(now), Err(left_alone));
        let now = now + FIRST_PAUSE;
        assert_eq!(breaker.check(now), Ok(()), "tried again");
        breaker.silent(now, now, 1.0);
        assert_eq!(breaker.check(now).unwrap_err().again, FIRST_PAUSE * 2);
        breaker.answered();
        assert_eq!(breaker, Breaker::default());
    }

    proptest! {
        /// However silent a BMC is, it is tried again within the longest pause; and as soon as it
        /// answers everything is forgotten.
        #[test]
        fn nobody_is_left_alone_for_ever(steps in prop::collection::vec((0_u64..10_000, 0.0..1.0), 1..80)) {
            let mut now = Instant::now();
            let mut breaker = Breaker::default();
            for (number, (seconds, chance)) in (1..).zip(steps) {
                breaker.silent(now, now + Duration::from_secs(1), chance);
                now += Duration::from_secs(1);
                match breaker.check(now) {
                    Ok(()) => prop_assert!(number < SILENCES),
                    Err(left) => {
                        prop_assert!(number >= SILENCES);
                        prop_assert!(left.again <= LONGEST_PAUSE && left.again >= FIRST_PAUSE / 2);
                        prop_assert_eq!(breaker.check(now + left.again), Ok(()));
                    }
                }
                now += Duration::from_secs(seconds);
            }
            breaker.answered();
            prop_assert!(breaker.is_forgettable(now) && breaker.check(now).is_ok());
        }
    }
}
