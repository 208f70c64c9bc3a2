//! A TFTP server for boot loaders: read only, whatever is not in its [`Handler`]'s knowledge does not
//! exist. [`packet`] is the form of packets, [`transfer`] says what to send when and does no I/O,
//! [`Server`] has the socket for requests and a socket of its own for each transfer.
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
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::content::Content;

pub use server::Server;
pub use transfer::Bounds;

/// Knows the files there are.
pub trait Handler: Send + Sync + 'static {
    /// What a file holds. The path is as [`crate::path::normalise`] leaves it, with backslashes
    /// taken for slashes.
    fn open(
        &self,
        client: &Client,
        path: &str,
    ) -> impl Future<Output = Result<Content, Refusal>> + Send;

    /// A transfer ended. Must be quick.
    fn ended(&self, transfer: &Ended) {
        let _ = transfer;
    }
}

/// Who asks, and at which of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client.
    pub peer: SocketAddr,
    /// The address that the request came to.
    pub local: SocketAddr,
}

/// Why there is no file for a client; the sentence is sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is none of that name.
    NotFound(String),
    /// It is not for this client.
    Denied(String),
    /// Something else.
    Failed(String),
}

/// A transfer that ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Whose it was.
    pub client: Client,
    /// The path, in one form.
    pub path: String,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes that the client acknowledged.
    pub bytes: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Duration,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client has it all.
    Complete,
    /// The client ended it: the sentence says with which error. Boot ROMs do so on purpose when they
    /// only ask for the size.
    Aborted(String),
    /// It was refused: there is no such file, or not for this client.
    Refused(String),
    /// It broke off on this side, or nothing was heard from the client any more.
    Failed(String),
}

/// What a server allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Transfers at a time. Requests beyond it are not answered, so that clients ask again.
    pub transfers: usize,
    /// Transfers at a time of one address.
    pub transfers_per_client: usize,
    /// Ports that transfers use; any where `None`.
    pub ports: Option<RangeInclusive<u16>>,
    /// Block size, window and time-outs.
    pub bounds: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transfers: 1000,
            transfers_per_client: 16,
            ports: None,
            bounds: Bounds::default(),
        }
    }
}
