//! Why a command could not be carried out, as a sentence for the person who typed it.

use xcat3_core::noderange::InvalidRange;

/// A command that failed as a whole. The failure of a node is no error but part of the answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no node range.
    #[error(transparent)]
    Range(#[from] InvalidRange),
    /// An attribute or option that can't be understood.
    #[error("{0}")]
    Argument(String),
    /// The API can't be reached.
    #[error(
        "can't reach the xcat3 API at {url}: {reason}\n\
         Is xcat3d running there? Set the address with --xcat3-url or XCAT3_URL."
    )]
    Unreachable {
        /// The address that was tried.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The connection broke while a job was followed, and the API stayed away.
    #[error(
        "no connection to the xcat3 API for {seconds} seconds: {reason}\n\
         Job {job} goes on; follow it: xcat3 job {job} --follow"
    )]
    Lost {
        /// The job.
        job: String,
        /// For how long it was tried.
        seconds: u64,
        /// What went wrong.
        reason: String,
    },
    /// A stream ended with other counts than it told.
    #[error("job {job} has {nodes} nodes, but the API told of {told}: see xcat3 job {job}")]
    Missed {
        /// The job.
        job: String,
        /// How many were told.
        told: u64,
        /// How many there are.
        nodes: u64,
    },
    /// The API refused the whole request.
    #[error("{0}")]
    Refused(String),
    /// What answered is not the xcat3 API.
    #[error("{url} does not answer like the xcat3 API: {reason}")]
    Protocol {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A file that can't be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}
