//! Database and bus at the start of a daemon: waited for while they are away.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use xcat3_store::{Store, StoreError};

use crate::bus::{self, BusError};
use crate::slot::Slot;
use crate::{Bus, Config, StateDir};

use super::database;

/// The wait before what is away is tried again; doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Opens the store and connects to the bus, however long that takes; `None` when `shutdown` comes
/// first.
///
/// # Errors
/// Waiting will not help.
pub(super) async fn patiently(
    config: &Config,
    state: &StateDir,
    slot: &Slot,
    shutdown: &CancellationToken,
) -> anyhow::Result<Option<(Store, Arc<dyn Bus>)>> {
    let opened = async {
        let url = database(config, state);
        let what = shown(&url);
        let open = async || match Store::open(&url).await {
            Ok(store) => Ok(Ok(store)),
            Err(error @ StoreError::Unavailable(_)) if !is_a_file(&url) => Err(error.to_string()),
            Err(error) => Ok(Err(error)),
        };
        let store = again(slot, &what, open).await;
        let store = store.with_context(|| format!("cannot open {what}"))?;
        let bus = bus::connect(&config.section("bus")?).await?;
        let answers = async || match bus.check().await {
            Err(error @ BusError::Unavailable(_)) => Err(error.to_string()),
            checked => Ok(checked),
        };
        again(slot, "the message broker", answers).await?;
        anyhow::Ok((store, bus))
    };
    shutdown.run_until_cancelled(opened).await.transpose()
}

/// Tries until it is not for naught; says why it has to wait, each reason once.
async fn again<T, Trying>(slot: &Slot, what: &str, mut attempt: impl FnMut() -> Trying) -> T
where
    Trying: Future<Output = Result<T, String>>,
{
    let mut wait = FIRST_WAIT;
    let mut said = String::new();
    loop {
        let reason = match attempt().await {
            Ok(done) => {
                if !said.is_empty() {
                    tracing::info!("{what} is there");
                }
                return done;
            }
            Err(reason) => reason,
        };
        if reason != said {
            let sentence = format!("waiting for {what}: {reason}");
            tracing::warn!("{sentence}");
            slot.waiting(&sentence);
            said = reason;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A file that can't be opened now will not be opened by waiting.
fn is_a_file(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// The database in a sentence: its file, but nothing of a URL that may hold a password.
fn shown(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) => format!("the database {path}"),
        None => "the database".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Condition;

    #[tokio::test(start_paused = true)]
    async fn what_is_away_is_waited_for_and_named() {
        let slot = Slot::alone("host");
        let condition = slot.condition();
        let mut left = 5;
        let attempt = || {
            left -= 1;
            std::future::ready(if left > 0 {
                Err("away".to_owned())
            } else {
                Ok(7)
            })
        };
        assert_eq!(again(&slot, "the bus", attempt).await, 7);
        let waiting = Condition::Waiting("waiting for the bus: away".into());
        assert_eq!(*condition.borrow(), waiting);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://u:secret@h/db"), "the database");
        assert_eq!(shown("sqlite:/a/b"), "the database /a/b");
    }
}
