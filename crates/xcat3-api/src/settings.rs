//! The section `[api]` of the configuration.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use xcat3_core::setting::Seconds;
use xcat3_service::config::Workers;

/// The REST API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// How long a request waits for the outcomes of its job.
    pub answer_within_s: Seconds,
    /// How many worker processes there are.
    pub workers: Workers,
    /// How long requests under way may go on after the daemon was told to stop.
    pub drain_s: Seconds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3010)),
            answer_within_s: Seconds::new(60),
            workers: Workers::ONE,
            drain_s: Seconds::new(10),
        }
    }
}
