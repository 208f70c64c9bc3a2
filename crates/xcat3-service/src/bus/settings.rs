//! The section `[bus]` of the configuration.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How processes of xcat3 hand one another work.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// The message broker, `nats://HOST:PORT` or `tls://HOST:PORT`, several servers of a cluster
    /// separated by commas; absent: inside one process, for `xcat3d` only.
    pub url: Option<String>,
    /// A file of credentials, as `nsc` makes them; absent: user and password of the URL, if any.
    pub credentials: Option<PathBuf>,
    /// A file of the certificates that the broker's must be signed by; absent: the system's.
    pub ca_file: Option<PathBuf>,
    /// The first word of all subjects and streams.
    pub prefix: String,
    /// How many servers of a cluster keep each batch.
    pub replicas: NonZeroUsize,
}

/// Without the URL, which may hold a password.
impl fmt::Debug for BusSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusSettings")
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("credentials", &self.credentials)
            .field("ca_file", &self.ca_file)
            .field("prefix", &self.prefix)
            .field("replicas", &self.replicas)
            .finish()
    }
}

impl Default for BusSettings {
    fn default() -> Self {
        Self {
            url: None,
            credentials: None,
            ca_file: None,
            prefix: "xcat3".to_owned(),
            replicas: NonZeroUsize::MIN,
        }
    }
}
