//! The REST API: takes requests on one node or on many, has conductors carry out what touches
//! hardware, and answers per node.
//!
//! The URL table is [`router`]; a file of `controllers` has the handlers of one resource. What the
//! documents look like is the crate `xcat3-api-types`. This is the only crate that knows HTTP
//! statuses; it never touches hardware and writes no provisioning state.

mod body;
mod controllers;
mod error;
mod follow;
mod many;
mod negotiation;
mod observe;
mod parameters;
mod patient;
mod records;
pub mod router;
mod server;
mod settings;
mod submission;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_service::Jobs;
use xcat3_store::Store;

pub use server::{ServiceError, bind, claim, listen, serve};
pub use settings::Settings;

/// What the handlers work with. Clones are the same.
#[derive(Clone)]
pub struct Api {
    /// What operators declared, and what is known.
    pub store: Store,
    /// The way to have operations carried out.
    pub jobs: Jobs,
    /// How long a request waits for the outcomes of its job.
    pub answer_within: Duration,
    /// How long the definition of a network waits to be served.
    pub serve_within: Duration,
    /// Cancelled when the API is to stop: streams end then.
    pub shutdown: CancellationToken,
}
