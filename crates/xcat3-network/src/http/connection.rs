//! One connection: its requests one after the other, each within its time, until one side is done.

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

use super::head::{self, Bad, Head};
use super::response::{Keep, Response};
use super::send::Sender;
use super::{Handler, Limits, Method, Request, Sent};

/// How long a connection may be idle when there are too many.
const SHORT_IDLE: Duration = Duration::from_secs(1);
/// How long, and for how many bytes, a client is listened to after an answer that ends the
/// connection before its request was read: else it might not see the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// What the connections of a server share.
#[derive(Debug)]
pub struct Shared {
    pub limits: Limits,
    /// Nearly all connections that are allowed are taken.
    pub is_crowded: AtomicBool,
    pub shutdown: CancellationToken,
}

/// A connection.
pub struct Connection<H> {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub handler: Arc<H>,
    pub shared: Arc<Shared>,
}

/// Why there is no further request.
enum NoRequest {
    /// The client is done, gone, or was idle for too long.
    Quiet,
    /// The client is to be told.
    Bad(Bad),
}

const SLOW: NoRequest = NoRequest::Bad(Bad {
    status: 408,
    sentence: "The request took too long to arrive.",
});

impl<H: Handler> Connection<H> {
    /// Serves it until its end.
    pub async fn serve(mut self) {
        let mut input = BytesMut::with_capacity(4096);
        let mut out = Vec::with_capacity(1024);
        loop {
            let head = match self.head(&mut input).await {
                Ok(head) => head,
                Err(NoRequest::Quiet) => return,
                Err(NoRequest::Bad(bad)) => return self.refuse(&bad, &mut out).await,
            };
            let began = Instant::now();
            let len = match self.body(&head, &mut input).await {
                Ok(len) => len,
                Err(NoRequest::Quiet) => return,
                Err(NoRequest::Bad(bad)) => return self.refuse(&bad, &mut out).await,
            };
            let goes_on = self.answer(&head, &input[..len], began, &mut out).await;
            input.advance(len);
            if !goes_on {
                let _ = self.stream.shutdown().await;
                return;
            }
        }
    }

    /// Waits for a request's header and takes it out of `input`.
    async fn head(&mut self, input: &mut BytesMut) -> Result<Head, NoRequest> {
        let shared = Arc::clone(&self.shared);
        let limits = &shared.limits;
        let mut looked_at = 0;
        let mut deadline = None;
        loop {
            // A header drip by drip is not read anew with each byte, but its beginning is at once.
            if !input.is_empty()
                && (looked_at == 0 || has_end(&input[looked_at..]))
                && let Some((head, len)) = head::parse(input).map_err(NoRequest::Bad)?
            {
                input.advance(len);
                return Ok(head);
            }
            looked_at = input.len().saturating_sub(3);
            if input.len() >= limits.head {
                let sentence = "The header of the request is too large.";
                return Err(NoRequest::Bad(Bad {
                    status: 431,
                    sentence,
                }));
            }
            if input.is_empty() {
                self.first_bytes(input).await?;
            } else {
                let until = *deadline.get_or_insert_with(|| Instant::now() + limits.request_time);
                let read = self.stream.read_buf(input);
                match tokio::time::timeout_at(until.into(), read).await {
                    Err(_) => return Err(SLOW),
                    Ok(Ok(0) | Err(_)) => return Err(NoRequest::Quiet),
                    Ok(Ok(_)) => {}
                }
            }
        }
    }

    async fn first_bytes(&mut self, input: &mut BytesMut) -> Result<(), NoRequest> {
        let idle = match self.shared.is_crowded.load(Ordering::Relaxed) {
            true => self.shared.limits.idle_time.min(SHORT_IDLE),
            false => self.shared.limits.idle_time,
        };
        input.reserve(4096);
        let read = tokio::select! {
            biased;
            read = timeout(idle, self.stream.read_buf(input)) => read,
            () = self.shared.shutdown.cancelled() => return Err(NoRequest::Quiet),
        };
        match read {
            Ok(Ok(len)) if len > 0 => Ok(()),
            _ => Err(NoRequest::Quiet),
        }
    }

    /// Waits until the body is in `input`, and tells its length.
    async fn body(&mut self, head: &Head, input: &mut BytesMut) -> Result<usize, NoRequest> {
        let limits = &self.shared.limits;
        let Some(len) = usize::try_from(head.body)
            .ok()
            .filter(|len| *len <= limits.body)
        else {
            let sentence = "The body of the request is too large.";
            return Err(NoRequest::Bad(Bad {
                status: 413,
                sentence,
            }));
        };
        if head.expects_continue && input.len() < len {
            let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
            let mut sender = Sender::new(&self.stream, limits.send_time);
            let sent = sender.all(go_on, SendFlags::empty()).await;
            sent.map_err(|_| NoRequest::Quiet)?;
        }
        let until = Instant::now() + limits.request_time;
        while input.len() < len {
            let read = self.stream.read_buf(input);
            match tokio::time::timeout_at(until.into(), read).await {
                Err(_) => return Err(SLOW),
                Ok(Ok(0) | Err(_)) => return Err(NoRequest::Quiet),
                Ok(Ok(_)) => {}
            }
        }
        Ok(len)
    }

    /// Answers a request and tells whether another may follow.
    async fn answer(&self, head: &Head, body: &[u8], began: Instant, out: &mut Vec<u8>) -> bool {
        let request = Request {
            method: head.method,
            path: &head.path,
            query: head.query.as_deref(),
            body,
            peer: self.peer,
            local: self.local,
            host: head.host.as_deref(),
            user_agent: head.user_agent.as_deref(),
        };
        let limits = &self.shared.limits;
        let response = match timeout(limits.answer_time, self.handler.answer(&request)).await {
            Ok(response) => response,
            Err(_) => Response::text(503, "The answer took too long.\n"),
        };
        let (response, range) = response.select(head);
        let keep = self.keep(head);
        response.write_head(range.as_deref(), keep, out);
        let has_body = head.method != Method::Head && !matches!(response.status, 204 | 304);
        let body = has_body.then_some(&response.content);
        let mut sender = Sender::new(&self.stream, limits.send_time);
        let sent = sender.answer(out, body).await;
        if let Err(error) = &sent {
            debug!(peer = %self.peer, %error, bytes = sender.bytes, "HTTP answer broke off");
        }
        out.truncate(0);
        self.handler.sent(&Sent {
            request: &request,
            status: response.status,
            bytes: sender.bytes,
            size: body.map_or(0, crate::content::Content::len),
            complete: sent.is_ok(),
            duration: began.elapsed(),
        });
        sent.is_ok() && keep != Keep::Close
    }

    fn keep(&self, head: &Head) -> Keep {
        let is_ending =
            self.shared.shutdown.is_cancelled() || self.shared.is_crowded.load(Ordering::Relaxed);
        match (head.keep_alive && !is_ending, head.is_old) {
            (false, _) => Keep::Close,
            (true, false) => Keep::Open,
            (true, true) => Keep::OpenOld,
        }
    }

    /// Says why a request is not served, and ends the connection.
    async fn refuse(mut self, bad: &Bad, out: &mut Vec<u8>) {
        debug!(peer = %self.peer, status = bad.status, reason = bad.sentence, "HTTP request refused");
        let response = Response::bad(bad);
        response.write_head(None, Keep::Close, out);
        let mut sender = Sender::new(&self.stream, self.shared.limits.send_time);
        if sender.answer(out, Some(&response.content)).await.is_ok() {
            let _ = timeout(LINGER, linger(&mut self.stream)).await;
        }
    }
}

/// Reads on for a little, so that the client gets to see the answer.
async fn linger(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let mut waste = [0; 4096];
    let mut left = LINGER_BYTES;
    while let Ok(len) = stream.read(&mut waste).await {
        if len == 0 || len > left {
            return;
        }
        left -= len;
    }
}

/// Whether there is an empty line.
fn has_end(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| pair == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}
