//! An HTTP/1.1 file server for boot loaders, installers and package managers: the parts of RFC 9110
//! and 9112 that these clients use. A [`Handler`] decides what exists; files are sent by sendfile(2),
//! also out of an ISO image. No TLS, no proxying, no compression.

mod connection;
pub mod content_type;
pub mod head;
mod response;
pub mod select;
mod send;
mod server;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

pub use response::Response;
pub use server::Server;

/// What the server serves.
pub trait Handler: Send + Sync + 'static {
    /// Returns the response to a request. For a GET that is the whole content: the server applies
    /// ranges and conditions.
    fn respond(&self, request: &Request<'_>) -> impl Future<Output = Response> + Send;

    /// Called after a response was sent, or after the connection broke while it was sent. Must not
    /// block.
    fn sent(&self, sent: &SentResponse<'_>) {
        let _ = sent;
    }
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read the content.
    Get,
    /// Read the header only. A handler responds as to a GET.
    Head,
    /// Store the body.
    Put,
    /// Process the body.
    Post,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path, decoded and normalised by [`crate::path::normalise`]: no slash at the beginning.
    pub path: &'a str,
    /// The query, not decoded.
    pub query: Option<&'a str>,
    /// The body of a PUT or POST.
    pub body: &'a [u8],
    /// The client.
    pub peer: SocketAddr,
    /// The address that the request came to.
    pub local: SocketAddr,
}

/// A response that was sent, whole or in part.
#[derive(Clone, Copy, Debug)]
pub struct SentResponse<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// The status.
    pub status: u16,
    /// Bytes of the body that the network accepted.
    pub bytes: u64,
    /// Bytes of the body.
    pub size: u64,
    /// Whether the whole body was sent.
    pub complete: bool,
    /// Time since the request arrived.
    pub duration: Duration,
}

/// Limits of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Concurrent connections; further ones wait to be accepted.
    pub connections: usize,
    /// Concurrent connections from one address; further ones get 503.
    pub connections_per_client: usize,
    /// Largest header of a request, in bytes.
    pub head: usize,
    /// Largest body of a request, in bytes.
    pub body: usize,
    /// How long the header and the body of a request may each take to arrive.
    pub request_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// How long a client may accept no byte of a response.
    pub send_timeout: Duration,
    /// How long the handler may take.
    pub respond_timeout: Duration,
    /// How long responses in progress may continue after a shutdown.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_client: 256,
            head: 16 * 1024,
            body: 64 * 1024,
            request_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(30),
            respond_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(5),
        }
    }
}
