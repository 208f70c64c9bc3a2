//! One connection: serves its requests one after the other, each within its timeouts, until one side
//! closes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rustix::net::SendFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::head::{self, BadRequest, Head};
use super::response::{Persistence, Response};
use super::send::Sender;
use super::{Handler, Limits, Method, Request, SentResponse};

/// How long a connection may be idle while nearly all connections are in use.
const CROWDED_IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long, and for how many bytes, the server reads on after a response that ends the connection
/// before the request was read. Without that the client may not see the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// State of a server that its connections use.
#[derive(Debug)]
pub struct ServerState {
    pub limits: Limits,
    /// Whether nearly all allowed connections are in use.
    pub is_crowded: AtomicBool,
    pub shutdown: CancellationToken,
}

/// A connection.
pub struct Connection<H> {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub handler: Arc<H>,
    pub state: Arc<ServerState>,
}

/// Why no further request is read from a connection.
enum NoRequest {
    /// The client closed the connection, was idle for too long, or the server shuts down.
    Closed,
    /// The request is refused with a response.
    Bad(BadRequest),
}

const TOO_SLOW: NoRequest = NoRequest::Bad(BadRequest {
    status: 408,
    sentence: "The request took too long to arrive.",
});

impl<H: Handler> Connection<H> {
    /// Serves requests until the connection ends.
    pub async fn serve(mut self) {
        let mut input = BytesMut::with_capacity(4096);
        let mut out = Vec::with_capacity(1024);
        loop {
            let head = match self.head(&mut input).await {
                Ok(head) => head,
                Err(NoRequest::Closed) => return,
                Err(NoRequest::Bad(bad)) => return self.refuse(&bad, &mut out).await,
            };
            let start = Instant::now();
            let len = match self.body(&head, &mut input).await {
                Ok(len) => len,
                Err(NoRequest::Closed) => return,
                Err(NoRequest::Bad(bad)) => return self.refuse(&bad, &mut out).await,
            };
            let continues = self.respond(&head, &input[..len], start, &mut out).await;
            input.advance(len);
            if !continues {
                let _ = self.stream.shutdown().await;
                return;
            }
        }
    }

    /// Reads the header of the next request and removes it from `input`.
    async fn head(&mut self, input: &mut BytesMut) -> Result<Head, NoRequest> {
        let state = Arc::clone(&self.state);
        let limits = &state.limits;
        let mut scanned = 0;
        let mut deadline = None;
        loop {
            // The first bytes are parsed at once; after that only when a blank line arrived, so that a
            // header sent byte by byte is not parsed anew with each byte.
            if !input.is_empty()
                && (scanned == 0 || has_blank_line(&input[scanned..]))
                && let Some((head, len)) = head::parse(input).map_err(NoRequest::Bad)?
            {
                input.advance(len);
                return Ok(head);
            }
            scanned = input.len().saturating_sub(3);
            if input.len() >= limits.head {
                let sentence = "The header of the request is too large.";
                return Err(NoRequest::Bad(BadRequest {
                    status: 431,
                    sentence,
                }));
            }
            if input.is_empty() {
                self.first_bytes(input).await?;
            } else {
                let until =
                    *deadline.get_or_insert_with(|| Instant::now() + limits.request_timeout);
                let read = self.stream.read_buf(input);
                match tokio::time::timeout_at(until.into(), read).await {
                    Err(_) => return Err(TOO_SLOW),
                    Ok(Ok(0) | Err(_)) => return Err(NoRequest::Closed),
                    Ok(Ok(_)) => {}
                }
            }
        }
    }

    async fn first_bytes(&mut self, input: &mut BytesMut) -> Result<(), NoRequest> {
        let idle_timeout = match self.state.is_crowded.load(Ordering::Relaxed) {
            true => self.state.limits.idle_timeout.min(CROWDED_IDLE_TIMEOUT),
            false => self.state.limits.idle_timeout,
        };
        input.reserve(4096);
        let read = tokio::select! {
            biased;
            read = timeout(idle_timeout, self.stream.read_buf(input)) => read,
            () = self.state.shutdown.cancelled() => return Err(NoRequest::Closed),
        };
        match read {
            Ok(Ok(len)) if len > 0 => Ok(()),
            _ => Err(NoRequest::Closed),
        }
    }

    /// Reads until the body is in `input` and returns its length.
    async fn body(&mut self, head: &Head, input: &mut BytesMut) -> Result<usize, NoRequest> {
        let limits = &self.state.limits;
        let Some(len) = usize::try_from(head.body)
            .ok()
            .filter(|len| *len <= limits.body)
        else {
            let sentence = "The body of the request is too large.";
            return Err(NoRequest::Bad(BadRequest {
                status: 413,
                sentence,
            }));
        };
        if head.expects_continue && input.len() < len {
            let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
            let mut sender = Sender::new(&self.stream, limits.send_timeout);
            let sent = sender.send_all(interim, SendFlags::empty()).await;
            sent.map_err(|_| NoRequest::Closed)?;
        }
        let until = Instant::now() + limits.request_timeout;
        while input.len() < len {
            let read = self.stream.read_buf(input);
            match tokio::time::timeout_at(until.into(), read).await {
                Err(_) => return Err(TOO_SLOW),
                Ok(Ok(0) | Err(_)) => return Err(NoRequest::Closed),
                Ok(Ok(_)) => {}
            }
        }
        Ok(len)
    }

    /// Responds to a request. Returns whether another request may follow.
    async fn respond(&self, head: &Head, body: &[u8], start: Instant, out: &mut Vec<u8>) -> bool {
        let request = Request {
            method: head.method,
            path: &head.path,
            query: head.query.as_deref(),
            body,
            peer: self.peer,
            local: self.local,
        };
        let limits = &self.state.limits;
        let response = match timeout(limits.respond_timeout, self.handler.respond(&request)).await {
            Ok(response) => response,
            Err(_) => Response::text(503, "The response took too long.\n"),
        };
        let (response, range) = response.select(head);
        let persistence = self.persistence(head);
        response.write_head(range.as_deref(), persistence, out);
        let has_body = head.method != Method::Head && !matches!(response.status, 204 | 304);
        let body = has_body.then_some(&response.content);
        let mut sender = Sender::new(&self.stream, limits.send_timeout);
        let sent = sender.send_response(out, body).await;
        if let Err(error) = &sent {
            debug!(peer = %self.peer, %error, bytes = sender.bytes, "HTTP response not sent completely");
        }
        out.truncate(0);
        self.handler.sent(&SentResponse {
            request: &request,
            status: response.status,
            bytes: sender.bytes,
            size: body.map_or(0, crate::content::Content::len),
            complete: sent.is_ok(),
            duration: start.elapsed(),
        });
        sent.is_ok() && persistence != Persistence::Close
    }

    fn persistence(&self, head: &Head) -> Persistence {
        let is_ending =
            self.state.shutdown.is_cancelled() || self.state.is_crowded.load(Ordering::Relaxed);
        match (head.keep_alive && !is_ending, head.is_http10) {
            (false, _) => Persistence::Close,
            (true, false) => Persistence::KeepAlive,
            (true, true) => Persistence::KeepAliveHttp10,
        }
    }

    /// Responds with the reason why a request is refused, and ends the connection.
    async fn refuse(mut self, bad: &BadRequest, out: &mut Vec<u8>) {
        debug!(peer = %self.peer, status = bad.status, reason = bad.sentence, "HTTP request refused");
        let response = Response::bad(bad);
        response.write_head(None, Persistence::Close, out);
        let mut sender = Sender::new(&self.stream, self.state.limits.send_timeout);
        if sender
            .send_response(out, Some(&response.content))
            .await
            .is_ok()
        {
            let _ = timeout(LINGER_TIMEOUT, linger(&mut self.stream)).await;
        }
    }
}

/// Reads and discards what the client still sends, within limits.
async fn linger(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let mut discarded = [0; 4096];
    let mut left = LINGER_BYTES;
    while let Ok(len) = stream.read(&mut discarded).await {
        if len == 0 || len > left {
            return;
        }
        left -= len;
    }
}

/// Whether `bytes` contain a blank line.
fn has_blank_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}
