//! Patience with the store: what has to be read or written is tried again while the database is away
//! or its disk is full, because the work is not lost by waiting.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use xcat3_store::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a conductor knows of its database: whether it is away, and since when. However many batches
/// wait for it, the log says so once.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    away_since: Mutex<Option<Instant>>,
}

impl Patience {
    /// Does `operation` until it succeeds or fails for a reason that does not pass. `what` names it
    /// in the log. It ends with the task that waits for it.
    pub(crate) async fn persist<T, Attempt>(
        &self,
        what: &str,
        mut operation: impl FnMut() -> Attempt,
    ) -> Result<T, StoreError>
    where
        Attempt: Future<Output = Result<T, StoreError>>,
    {
        let mut pause = FIRST_PAUSE;
        loop {
            match operation().await {
                Err(error @ (StoreError::Unavailable(_) | StoreError::DiskFull)) => {
                    self.is_away(what, &error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                ended => {
                    self.is_there();
                    return ended;
                }
            }
        }
    }

    fn is_away(&self, what: &str, error: &StoreError) {
        let mut since = self.since();
        if since.is_none() {
            *since = Some(Instant::now());
            tracing::warn!(what, %error, "work waits for the database, which is tried again and again");
        }
    }

    fn is_there(&self) {
        if let Some(since) = self.since().take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!(seconds, "the database answers again: work goes on");
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        let since = self.away_since.lock();
        since.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn what_passes_is_waited_for_and_what_does_not_is_told() {
        let (attempts, patience) = (Cell::new(0), Patience::default());
        let result = patience.persist("test", || {
            attempts.set(attempts.get() + 1);
            assert_eq!(patience.since().is_some(), attempts.get() == 2);
            let first = attempts.get() == 1;
            async move {
                match first {
                    true => Err(StoreError::Unavailable("away".into())),
                    false => Err::<(), _>(StoreError::Corrupt("bad".into())),
                }
            }
        });
        assert!(matches!(result.await, Err(StoreError::Corrupt(_))));
        assert_eq!(attempts.get(), 2);
        assert!(patience.since().is_none(), "it answers again");
    }
}
