//! What the drivers of BMCs share: a lane for each BMC, so that one which is slow or dead costs the
//! others nothing.
//!
//! ```text
//!  order ──► slots ──────────► lane of the BMC ──────────► protocol
//!            as many as answer  one operation at a time,     open, act, keep alive, close
//!            soon (`slots`,     the session is kept; who
//!            `limit`)           does not answer or rejected
//!                               the credentials is left alone
//!                               (`lane`, `breaker`)
//! ```
//!
//! A driver gives a [`Protocol`] and lets [`Lanes`] run its orders. What is *not* here: any protocol.

mod backoff;
mod breaker;
mod drive;
mod endpoint;
mod failure;
mod lane;
mod lanes;
mod limit;
mod protocol;
mod rejections;
mod resolve;
mod slots;
mod sweep;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use endpoint::{
    Bmc, BmcCredentials, Endpoint, Host, Password, number, text, wants_default_credentials,
};
pub use failure::{Failure, Kind};
pub use lanes::Lanes;
pub use protocol::{Asked, Pace, Protocol};
pub use rejections::{NewRejection, Rejections};
pub use slots::Turn;

/// How BMCs are asked, whatever their protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BmcConfig {
    /// How many BMCs are asked at once at least, however few of them answer.
    pub least_at_once: usize,
    /// How many are asked at once at most, however well they answer.
    pub most_at_once: usize,
    /// How long a session is kept that nobody uses.
    pub session_idle: Duration,
}

impl Default for BmcConfig {
    fn default() -> Self {
        Self {
            least_at_once: 128,
            most_at_once: 1_024,
            session_idle: Duration::from_secs(15),
        }
    }
}
