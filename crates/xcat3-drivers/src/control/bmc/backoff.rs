//! How long to wait before something is tried again: each time longer, and never all at once. No I/O.

use std::time::Duration;

/// The mean of the first wait; each later one is twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// The longest mean.
const LONGEST: Duration = Duration::from_secs(8);
/// How often something is tried again at most.
const MOST: u32 = 8;

/// The wait before attempt number `again` (the first repetition is 1), by a `chance` from 0 to 1;
/// nothing where it was tried often enough.
#[must_use]
pub fn wait(again: u32, chance: f64) -> Option<Duration> {
    let doublings = again.checked_sub(1).filter(|_| again <= MOST)?;
    let mean = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    Some(mean.mul_f64(0.5 + chance.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_are_spread_around_means_that_grow(again in 0_u32..40, chance in 0.0..1.0) {
            let Some(waited) = wait(again, chance) else {
                prop_assert!(again == 0 || again > MOST);
                return Ok(());
            };
            let (least, most) = (wait(again, 0.0).unwrap(), wait(again, 1.0).unwrap());
            prop_assert!(least <= waited && waited <= most && least * 3 == most);
            prop_assert!(most <= LONGEST * 3 / 2);
            prop_assert!(wait(again + 1, 0.0).is_none_or(|later| later >= least));
        }
    }
}
