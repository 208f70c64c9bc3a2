//! Services on the wire.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use xcat3_core::Service;

use crate::selection::Fields;

/// The fields of a service.
pub const FIELDS: Fields = Fields {
    what: "a service",
    known: &["hostname", "type", "online", "workers"],
    always: "hostname",
    aliases: &[],
};

/// A process that reports for duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceRecord {
    /// The host that it runs on.
    pub hostname: String,
    /// `api`, `conductor`, `network`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it was heard of lately.
    pub online: bool,
    /// How many worker processes it has there.
    pub workers: u32,
}

/// The answer of `GET /services`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// By host and type.
    pub services: Vec<ServiceRecord>,
}

impl From<Service> for ServiceRecord {
    fn from(service: Service) -> Self {
        Self {
            hostname: service.hostname,
            kind: service.kind.to_string(),
            online: service.online,
            workers: service.workers,
        }
    }
}
