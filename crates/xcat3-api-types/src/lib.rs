//! The wire contract of the REST API v1: what is sent and answered as JSON, and how that becomes the
//! domain's types and back.
//!
//! Nothing here knows HTTP. Reading is tolerant where the clients of the prototype are careless (null
//! for absent, texts for truth values and numbers) and strict where a mistake would go unnoticed: a
//! field that is not known is refused by name. Writing masks secrets unless told otherwise.

pub mod control;
pub mod discovered;
pub mod error;
pub mod hardware;
pub mod job;
pub mod network;
pub mod nic;
pub mod node;
pub mod nodes;
pub mod osimage;
pub mod passwd;
pub mod patch;
pub mod reader;
pub mod root;
pub mod selection;
pub mod service;
pub mod told;

pub use error::ErrorBody;
pub use hardware::{BiosBody, MediaBody, NodeReports};
pub use job::{JobEnd, JobList, JobPage, JobRecord, OutcomeRecord, OutcomesOrJob, StreamLine};
pub use network::{NetworkBody, NetworkList, NetworkOutcome};
pub use nic::{NicBody, NicInfo, NicList, NicRecord};
pub use node::{DeployRecord, NodeBody, NodeRecord};
pub use nodes::{Names, NodeEntries, NodeInfo, NodeList, NodeOutcomes, NodePatches};
pub use osimage::{OsImageBody, OsImageList, OsImageOutcome};
pub use passwd::{PasswdBody, PasswdList, PasswdOutcome};
pub use patch::{Patch, PatchOp};
pub use root::{Description, Link, VersionDescription};
pub use selection::Selection;
pub use service::{ServiceList, ServiceRecord};
pub use told::ToldNode;

/// Whether secrets are written in clear or masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// Each is replaced by [`xcat3_core::secret::REDACTED`].
    Masked,
    /// As they are. Only for an export that was asked for with its explicit flag.
    InClear,
}
