//! How long to wait before a worker that died is started again.

use std::time::Duration;

/// Waits that double from one death to the next, until a worker ran well for a while.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    well: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits from `first` to `longest`; who ran for `well` begins anew.
    pub(crate) fn new(first: Duration, longest: Duration, well: Duration) -> Self {
        Self {
            first,
            longest,
            well,
            next: first,
        }
    }

    /// How long to wait now that a worker died which had run for `ran`.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= self.well {
            self.next = self.first;
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest_and_begins_anew_after_a_good_run() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(30_000), ms(60_000));
        let waits: Vec<u128> = (0..11).map(|_| backoff.after(ms(10)).as_millis()).collect();
        assert_eq!(
            waits,
            [
                100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000
            ]
        );
        assert_eq!(backoff.after(ms(60_000)), ms(100));
        assert_eq!(backoff.after(ms(59_999)), ms(200));
    }
}
