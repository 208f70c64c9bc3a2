//! Credentials that BMCs rejected, as far as an order knows of them: those that other processes, or this
//! one before, have written down, and those that it finds itself and that are to be written down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use xcat3_core::BmcRejection;

use super::endpoint::Host;
use super::lane::Span;

/// When it was written down, once it is: who begins to look after that finds it.
pub(super) type Noted = Arc<OnceLock<Instant>>;

/// A rejection that is to be written down.
#[derive(Debug)]
pub struct NewRejection {
    /// What is to be written.
    pub rejection: BmcRejection,
    noted: Noted,
}

impl NewRejection {
    /// It is written down where all look.
    pub fn noted(&self) {
        let _ = self.noted.set(Instant::now());
    }
}

/// Rejections of an order's BMCs.
#[derive(Debug)]
pub struct Rejections {
    begun: Instant,
    /// By host and login, the time and the reason.
    known: HashMap<(String, i64), (i64, String)>,
    new: Mutex<Vec<NewRejection>>,
}

impl Rejections {
    /// What was found written down of the order's BMCs; `begun` is before it was looked for.
    #[must_use]
    pub fn new(begun: Instant, known: Vec<BmcRejection>) -> Self {
        let by_login = known.into_iter().map(|known| {
            let BmcRejection {
                host,
                login,
                reason,
                at_ms,
            } = known;
            ((host, login), (at_ms, reason))
        });
        Self {
            begun,
            known: by_login.collect(),
            new: Mutex::default(),
        }
    }

    /// For orders of which nothing is written down anywhere.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Instant::now(), Vec::new())
    }

    /// Those that the order has found and nobody has taken yet.
    #[must_use]
    pub fn take(&self) -> Vec<NewRejection> {
        std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Before what was written down was looked for.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// Whether nothing is written down of this login at this host.
    ///
    /// # Errors
    /// The sentence for the node.
    pub(super) fn check(&self, host: &Host, login: i64) -> Result<(), String> {
        if self.known.is_empty() {
            return Ok(());
        }
        match self.known.get(&(host.to_string(), login)) {
            None => Ok(()),
            Some((at_ms, reason)) => {
                let ago = u64::try_from(now_ms().saturating_sub(*at_ms)).unwrap_or(0);
                Err(sentence(Duration::from_millis(ago), reason))
            }
        }
    }

    /// The BMC at `host` rejected this login just now.
    pub(super) fn add(&self, host: &Host, login: i64, reason: &str) -> Noted {
        let noted = Noted::default();
        let rejection = BmcRejection {
            host: host.to_string(),
            login,
            reason: reason.to_owned(),
            at_ms: now_ms(),
        };
        let new = NewRejection {
            rejection,
            noted: Arc::clone(&noted),
        };
        self.new
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(new);
        noted
    }
}

/// What is said of a BMC that rejected the credentials so long ago.
pub(super) fn sentence(ago: Duration, reason: &str) -> String {
    let ago = Span(ago);
    format!(
        "it rejected these credentials {ago} ago ({reason}); they are not tried again until they \
         change or are written anew (xcat3 update), since accounts lock out"
    )
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
