//! How often and after which timeouts a datagram is sent again.

use std::time::Duration;

/// Timeout and number of attempts for one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Timeout of the first attempt. Each later timeout is half as long again.
    pub first_timeout: Duration,
    /// Number of attempts, the first included.
    pub attempts: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_timeout: Duration::from_millis(500),
            attempts: 5,
        }
    }
}

/// The timeout of the attempt after one with this timeout.
pub(crate) fn next_timeout(timeout: Duration) -> Duration {
    timeout + timeout / 2
}
