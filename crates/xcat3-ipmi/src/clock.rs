//! The clock of the runtime. It stands still while a test pauses the runtime's time, so tests of timeouts
//! need no real time.

use std::time::Instant;

/// The present time.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
