//! An HTTP/1.1 file server for boot loaders, installers and package managers: RFC 9110 and 9112 as
//! far as those use them. Whatever is not in its [`Handler`]'s knowledge does not exist; files are
//! sent by sendfile(2), also out of an ISO image. Not for TLS, not a proxy, no compression.

mod connection;
pub mod content_type;
mod head;
mod listing;
mod response;
mod select;
mod send;
mod server;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

pub use listing::Listed;
pub use response::Response;
pub use server::Server;

/// Knows what there is.
pub trait Handler: Send + Sync + 'static {
    /// The answer to a request. A GET is answered with the whole; which part of it is sent, or
    /// whether anything has to be, is the server's to find.
    fn answer(&self, request: &Request<'_>) -> impl Future<Output = Response> + Send;

    /// An answer was sent, or as much of it as the client took. Must be quick.
    fn sent(&self, sent: &Sent<'_>) {
        let _ = sent;
    }
}

/// What a client wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Send it.
    Get,
    /// As GET, but only the header is sent. Answer it as a GET.
    Head,
    /// Take this.
    Put,
    /// Take this.
    Post,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What to do.
    pub method: Method,
    /// Decoded and as [`crate::path::normalise`] leaves it: no slash at the beginning.
    pub path: &'a str,
    /// What is behind the question mark, not decoded. See [`Request::query_value`].
    pub query: Option<&'a str>,
    /// The body of a PUT or POST.
    pub body: &'a [u8],
    /// The client.
    pub peer: SocketAddr,
    /// The address that the request came to.
    pub local: SocketAddr,
    /// The host that the client asked for.
    pub host: Option<&'a str>,
    /// The client's program.
    pub user_agent: Option<&'a str>,
}

impl Request<'_> {
    /// The decoded value of a name in the query, if it is there and can be decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        let pairs = self.query?.split('&');
        let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.find(|(key, _)| *key == name)?;
        crate::path::percent_decode(&value.replace('+', " ")).ok()
    }
}

/// An answer that was sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// What was asked.
    pub request: &'a Request<'a>,
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the body that were handed to the network.
    pub bytes: u64,
    /// Bytes of the body that were to be sent.
    pub size: u64,
    /// Whether all of it was.
    pub complete: bool,
    /// From the request's arrival on.
    pub duration: Duration,
}

/// What a server allows.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Connections at a time of one address; further ones are answered 503.
    pub connections_per_client: usize,
    /// Bytes of a request's header.
    pub head: usize,
    /// Bytes of a request's body.
    pub body: usize,
    /// How long a request may take to arrive, header and body each.
    pub request_time: Duration,
    /// How long a connection may be idle between requests.
    pub idle_time: Duration,
    /// How long a client may take nothing of an answer.
    pub send_time: Duration,
    /// How long the handler may take.
    pub answer_time: Duration,
    /// How long running answers may go on after a shutdown.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_client: 256,
            head: 16 * 1024,
            body: 64 * 1024,
            request_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(30),
            send_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let request = Request {
            method: Method::Get,
            path: "boot.ipxe",
            query: Some("mac=52%3a54&at=a+b&flag&bad=%"),
            body: b"",
            peer: address,
            local: address,
            host: None,
            user_agent: None,
        };
        assert_eq!(request.query_value("mac").as_deref(), Some("52:54"));
        assert_eq!(request.query_value("at").as_deref(), Some("a b"));
        assert_eq!(request.query_value("flag").as_deref(), Some(""));
        assert_eq!(request.query_value("bad"), None);
        assert_eq!(request.query_value("none"), None);
    }
}
