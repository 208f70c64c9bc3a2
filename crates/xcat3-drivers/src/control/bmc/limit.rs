//! How many BMCs are asked at once: more while answers come in time, fewer when many are lost. No I/O
//! and no clock.
//!
//! A dead BMC costs one late answer each time that it is asked, and some of them always are dead; so
//! single losses don't count, only their part in the last answers. Where answers come in time but more
//! and more slowly, more at once would only wait for one another (this host is busy, or the network),
//! and the limit stays.

use std::time::Duration;

/// Bounds of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Never fewer, also where nobody answers: so a network that is cut off is known to be so soon.
    pub least: usize,
    /// Where it begins.
    pub first: usize,
    /// Never more.
    pub most: usize,
}

/// Answers that are looked at together, at least.
const WINDOW: u32 = 64;
/// In this many parts of answers one may be late.
const LATE_PART: u32 = 4;
/// Answers that take no longer don't wait for one another.
const QUICK: Duration = Duration::from_millis(50);

/// The limit.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    bounds: Bounds,
    limit: usize,
    in_time: u32,
    late: u32,
    /// Since the limit was first lowered it grows by few.
    has_shrunk: bool,
    fastest: Duration,
    smoothed: Duration,
}

impl Limit {
    /// A limit within `bounds`.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let most = bounds.most.max(1);
        let least = bounds.least.clamp(1, most);
        let bounds = Bounds {
            least,
            first: bounds.first.clamp(least, most),
            most,
        };
        Self {
            bounds,
            limit: bounds.first,
            in_time: 0,
            late: 0,
            has_shrunk: false,
            fastest: Duration::MAX,
            smoothed: Duration::ZERO,
        }
    }

    /// How many may be asked at once now.
    #[must_use]
    pub fn get(&self) -> usize {
        self.limit
    }

    /// A BMC answered after `elapsed`.
    pub fn in_time(&mut self, elapsed: Duration) {
        self.in_time += 1;
        // The fastest of long ago fades away.
        self.fastest = (self.fastest.saturating_add(self.fastest / 1024)).min(elapsed);
        self.smoothed = self.smoothed - self.smoothed / 8 + elapsed / 8;
        self.weigh();
    }

    /// A BMC did not answer in time.
    pub fn late(&mut self) {
        self.late += 1;
        self.weigh();
    }

    fn weigh(&mut self) {
        let window = WINDOW.max(u32::try_from(self.limit / 4).unwrap_or(u32::MAX));
        if self.in_time + self.late < window {
            return;
        }
        if self.late * LATE_PART > window {
            self.has_shrunk = true;
            self.limit = (self.limit * 3 / 4).max(self.bounds.least);
        } else if self.smoothed <= QUICK.max(self.fastest.saturating_mul(4)) {
            let more = if self.has_shrunk { 16 } else { 2 };
            self.limit = (self.limit + (self.limit / more).max(1)).min(self.bounds.most);
        }
        (self.in_time, self.late) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        least: 16,
        first: 64,
        most: 1_024,
    };

    #[test]
    fn it_grows_while_answers_come_in_time_even_where_a_tenth_does_not() {
        let mut limit = Limit::new(BOUNDS);
        for answer in 0..5_000 {
            match answer % 10 {
                0 => limit.late(),
                _ => limit.in_time(Duration::from_millis(8)),
            }
        }
        assert_eq!(limit.get(), BOUNDS.most);
    }

    #[test]
    fn it_shrinks_when_half_of_them_are_lost_and_comes_back_by_and_by() {
        let mut limit = Limit::new(BOUNDS);
        for _ in 0..2_000 {
            limit.in_time(Duration::from_millis(8));
            limit.late();
        }
        assert_eq!(limit.get(), BOUNDS.least);
        for _ in 0..50_000 {
            limit.in_time(Duration::from_millis(8));
        }
        assert_eq!(limit.get(), BOUNDS.most);
    }

    #[test]
    fn it_stays_where_answers_wait_for_one_another() {
        let mut limit = Limit::new(BOUNDS);
        limit.in_time(Duration::from_millis(2));
        for _ in 0..100 {
            limit.in_time(Duration::from_millis(400));
        }
        let reached = limit.get();
        for _ in 0..500 {
            limit.in_time(Duration::from_millis(400));
        }
        assert_eq!(limit.get(), reached);
        assert!(reached < BOUNDS.most);
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds(
            answers in prop::collection::vec(prop::option::of(0_u64..100_000), 0..4_000),
            bounds in (0_usize..3_000, 0_usize..3_000, 0_usize..3_000),
        ) {
            let (least, first, most) = bounds;
            let mut limit = Limit::new(Bounds { least, first, most });
            for answer in answers {
                match answer {
                    Some(micros) => limit.in_time(Duration::from_micros(micros)),
                    None => limit.late(),
                }
                prop_assert!(limit.get() >= 1 && limit.get() <= most.max(1));
                prop_assert!(limit.get() >= least.min(most));
            }
        }
    }
}
