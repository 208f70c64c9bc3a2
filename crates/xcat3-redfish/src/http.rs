//! The HTTP/1.1 connection to one BMC: one request after the other over a connection that stays open
//! between them, with limits and timeouts. The meaning of bodies is the business of [`crate::client`].
//!
//! An open connection has no task of its own. Requests drive it; between requests it rests, so that
//! thousands of open connections cost little.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::spawn;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::connector::{Address, Connector, Stream};
use crate::error::{Error, sanitize};
use crate::system_state::SystemPaths;

/// The longest body of a response, in bytes.
pub const MAX_BODY_BYTES: usize = 8 << 20;
/// The longest head of a response, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// How long a BMC may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection, with its TLS handshake.
    pub connect: Duration,
    /// To answer one request completely.
    pub request: Duration,
    /// To finish a background task or a change of power.
    pub task: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            task: Duration::from_secs(60),
        }
    }
}

/// A request. `headers` are sent in addition to those of every request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    /// JSON.
    pub body: Option<Bytes>,
}

impl Request {
    /// A request without headers of its own, with `content` as its body.
    pub fn new(method: Method, path: &str, content: Option<&Value>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: content.map(|content| Bytes::from(content.to_string())),
        }
    }
}

/// `PATCH /redfish/v1/Systems/1`.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, sanitize(&self.path, 200))
    }
}

/// A complete response.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// The value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Whether a BMC may still be changed. Evaluated right before each change.
pub type Gate = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

type Http1 = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// An open connection.
struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None once the connection has ended.
    connection: Option<Pin<Box<Http1>>>,
}

/// The connection to a BMC, which is opened when a request needs it.
pub struct HttpConnection {
    connector: Arc<Connector>,
    address: Address,
    timeouts: Timeouts,
    open: Option<Open>,
    responses: Arc<AtomicU32>,
    gate: Option<Gate>,
    has_sent_change: bool,
}

/// Why an exchange over an open connection failed.
enum ExchangeError {
    /// The connection was closed before the request was sent.
    Unsent,
    Other(Error),
}

impl HttpConnection {
    /// A connection to `address`, not opened yet.
    pub fn new(connector: Arc<Connector>, address: Address, timeouts: Timeouts) -> Self {
        Self {
            connector,
            address,
            timeouts,
            open: None,
            responses: Arc::default(),
            gate: None,
            has_sent_change: false,
        }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The paths of the systems of all BMCs.
    pub fn system_paths(&self) -> &SystemPaths {
        self.connector.system_paths()
    }

    /// Counts responses.
    pub fn response_counter(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.responses)
    }

    /// Sets the gate of the next operation.
    pub fn set_gate(&mut self, gate: Option<Gate>) {
        self.gate = gate;
        self.has_sent_change = false;
    }

    /// Whether a change was sent since the gate was set.
    pub fn has_sent_change(&self) -> bool {
        self.has_sent_change
    }

    /// Must precede each change. Fails if the gate is closed.
    pub async fn begin_change(&mut self) -> Result<(), Error> {
        if let Some(gate) = &self.gate
            && !gate().await
        {
            return Err(Error::Stopped);
        }
        self.has_sent_change = true;
        Ok(())
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Sends `request` and reads its response. Opens a new connection if there is none or the BMC has
    /// closed it. A dropped exchange closes the connection.
    pub async fn exchange(&mut self, request: &Request) -> Result<Response, Error> {
        let was_open = self.open.is_some();
        let mut exchanged = self.exchange_once(request).await;
        if was_open && matches!(exchanged, Err(ExchangeError::Unsent)) {
            exchanged = self.exchange_once(request).await;
        }
        exchanged.map_err(|error| match error {
            ExchangeError::Unsent => {
                Error::ConnectionLost(format!("the connection was closed before {request}"))
            }
            ExchangeError::Other(error) => error,
        })
    }

    async fn exchange_once(&mut self, request: &Request) -> Result<Response, ExchangeError> {
        let message = self.message(request).map_err(ExchangeError::Other)?;
        // Taken out of `self`: a dropped exchange leaves no half-used connection behind.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await.map_err(ExchangeError::Other)?,
        };
        let limit = self.timeouts.request;
        let exchanged = timeout(limit, open.exchange(message, request)).await;
        let response = exchanged.map_err(|_| {
            ExchangeError::Other(Error::NoResponse {
                request: request.to_string(),
                seconds: limit.as_secs(),
            })
        })??;
        self.responses.fetch_add(1, Ordering::Relaxed);
        if open.connection.is_some() {
            self.open = Some(open);
        }
        Ok(response)
    }

    async fn connect(&self) -> Result<Open, Error> {
        let (connector, address) = (Arc::clone(&self.connector), self.address.clone());
        let limit = self.timeouts.connect;
        // A task of its own spreads the arithmetic of thousands of handshakes over all processors.
        let connecting = spawn(async move { connector.connect(&address, limit).await });
        let connected = AbortOnDropHandle::new(connecting).await;
        let stream = connected.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Error::Unreachable(
                "no connection: this program is shutting down".to_owned(),
            )),
        })?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD_BYTES);
        let (sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Error::Unreachable(format!("no connection: {error}")))?;
        Ok(Open {
            sender,
            connection: Some(Box::pin(connection)),
        })
    }

    /// `request` with the headers of every request.
    fn message(&self, request: &Request) -> Result<hyper::Request<Full<Bytes>>, Error> {
        let mut message = hyper::Request::builder()
            .method(request.method.clone())
            .uri(&request.path)
            .header("host", self.host())
            .header("user-agent", "xcat3")
            .header("accept", "application/json")
            .header("odata-version", "4.0");
        if request.body.is_some() {
            message = message.header("content-type", "application/json");
        }
        let mut message = message
            .body(Full::new(request.body.clone().unwrap_or_default()))
            .map_err(|_| Error::InvalidResponse(format!("{request} has no valid path")))?;
        for (name, value) in &request.headers {
            message.headers_mut().insert(name, value.clone());
        }
        if request.body.is_none() && request.method == Method::POST {
            let none = HeaderValue::from_static("0");
            message.headers_mut().insert(CONTENT_LENGTH, none);
        }
        Ok(message)
    }

    fn host(&self) -> String {
        let usual = self.address.trust.usual_port();
        let all = self.address.to_string();
        match self.address.port == usual {
            true => all.trim_end_matches(&format!(":{usual}")).to_owned(),
            false => all,
        }
    }
}

impl Open {
    /// Sends `message` and reads its response, driving the connection meanwhile.
    async fn exchange(
        &mut self,
        message: hyper::Request<Full<Bytes>>,
        request: &Request,
    ) -> Result<Response, ExchangeError> {
        let sender = &mut self.sender;
        let response = async move {
            if sender.ready().await.is_err() {
                return Err(ExchangeError::Unsent);
            }
            let response = match sender.try_send_request(message).await {
                Ok(response) => response,
                Err(mut error) => {
                    let is_unsent = error.take_message().is_some();
                    let lost = || ExchangeError::Other(connection_error(request, error.error()));
                    return Err(if is_unsent {
                        ExchangeError::Unsent
                    } else {
                        lost()
                    });
                }
            };
            read(response, request).await.map_err(ExchangeError::Other)
        };
        Driven {
            response: pin!(response),
            connection: &mut self.connection,
        }
        .await
    }
}

/// A response that is awaited and the connection that brings it.
struct Driven<'c, R> {
    response: Pin<&'c mut R>,
    connection: &'c mut Option<Pin<Box<Http1>>>,
}

impl<R: Future> Future for Driven<'_, R> {
    type Output = R::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R::Output> {
        if let Poll::Ready(response) = self.response.as_mut().poll(cx) {
            return Poll::Ready(response);
        }
        if let Some(connection) = self.connection.as_mut() {
            // The response reports the connection's error.
            if connection.as_mut().poll(cx).is_ready() {
                *self.connection = None;
            }
        }
        self.response.as_mut().poll(cx)
    }
}

async fn read(response: hyper::Response<Incoming>, request: &Request) -> Result<Response, Error> {
    let (head, mut incoming) = response.into_parts();
    let too_long = || {
        let mib = MAX_BODY_BYTES >> 20;
        Error::InvalidResponse(format!(
            "the response to {request} is longer than {mib} MiB"
        ))
    };
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| connection_error(request, &error))?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if body.len() + part.len() > MAX_BODY_BYTES {
            return Err(too_long());
        }
        body.extend_from_slice(&part);
    }
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
    })
}

fn connection_error(request: &Request, error: &hyper::Error) -> Error {
    // The cause of hyper's errors is in their sources.
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let text = describe(inner);
        if !reason.contains(&text) {
            reason = format!("{reason}: {text}");
        }
        source = inner.source();
    }
    let reason = sanitize(&reason, 200);
    match error.is_parse() || error.is_parse_too_large() {
        true => Error::InvalidResponse(format!("the response to {request} is not HTTP: {reason}")),
        false => Error::ConnectionLost(format!(
            "the connection broke before the response to {request}: {reason}"
        )),
    }
}

/// An error in words for operators. The TLS library describes an early end for developers.
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::UnexpectedEof) => "it was closed without notice".to_owned(),
        _ => error.to_string(),
    }
}
