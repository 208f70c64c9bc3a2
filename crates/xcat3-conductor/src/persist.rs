//! Patience with the store: what has to be read or written is tried again while the database is away
//! or its disk is full, because the work is not lost by waiting.

use std::future::Future;
use std::time::Duration;

use xcat3_store::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Does `operation` until it succeeds or fails for a reason that does not pass. `what` names it in
/// the log. It ends with the task that waits for it.
pub(crate) async fn persist<T, Attempt>(
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
                tracing::warn!(what, %error, "trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            ended => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn what_passes_is_waited_for_and_what_does_not_is_told() {
        let attempts = Cell::new(0);
        let result = persist("test", || {
            attempts.set(attempts.get() + 1);
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
    }
}
