//! A read-only TFTP server for boot loaders. A [`Handler`] decides what exists; [`packet`] is the wire
//! format, [`transfer`] the state machine of a transfer without I/O, [`Server`] owns the socket for
//! requests, and each transfer has its own socket.
//!
//! RFC 1350, 2347, 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize).

pub mod netascii;
pub mod packet;
mod reader;
mod server;
mod session;
pub mod transfer;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use crate::content::Content;

pub use server::Server;
pub use transfer::Bounds;

/// What the server serves.
pub trait Handler: Send + Sync + 'static {
    /// Returns the content of a file. Backslashes in the path are slashes, and the path is normalised
    /// by [`crate::path::normalise`].
    fn open(
        &self,
        client: &Client,
        path: &str,
    ) -> impl Future<Output = Result<Content, Refusal>> + Send;

    /// Called after a transfer ended. Must not block.
    fn ended(&self, transfer: &Ended) {
        let _ = transfer;
    }
}

/// A client and the local address of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address of the client.
    pub peer: SocketAddr,
    /// The local address that received the request.
    pub local: SocketAddr,
}

/// Why a client gets no file. The sentence is sent to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such file.
    NotFound(String),
    /// The file is not for this client.
    Denied(String),
    /// The file cannot be read now.
    Failed(String),
}

/// A transfer that ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The client.
    pub client: Client,
    /// The path, normalised.
    pub path: String,
    /// Size of the file, in bytes.
    pub size: u64,
    /// Bytes that the client acknowledged.
    pub bytes: u64,
    /// The outcome.
    pub outcome: Outcome,
    /// Time since the request arrived.
    pub duration: Duration,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client has the whole file.
    Complete,
    /// The client sent the error in the sentence. Boot ROMs do so on purpose when they only want the
    /// size.
    Aborted(String),
    /// The request was refused, with this sentence.
    Refused(String),
    /// The server failed, or the client stopped responding.
    Failed(String),
}

/// Limits of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Concurrent transfers. Further requests get no reply, so that clients repeat them.
    pub transfers: usize,
    /// Concurrent transfers of one address.
    pub transfers_per_client: usize,
    /// Block size, window and timeouts.
    pub bounds: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transfers: 1000,
            transfers_per_client: 16,
            bounds: Bounds::default(),
        }
    }
}
