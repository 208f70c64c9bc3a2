//! One BMC's HTTP/1.1 connection: requests one after the other, kept open between them, within
//! limits and in time. What the bodies mean is not known here.
//!
//! There is no task behind an open connection: it is driven while something is asked over it and rests
//! otherwise, so that thousands of them cost little.

use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::spawn;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::connector::{Address, Connector, Stream};
use crate::error::Error;
use crate::glance::Places;

/// The longest body that is read, in bytes.
pub const LONGEST_BODY: usize = 8 << 20;
/// The longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// How long is waited for a BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, with its TLS handshake.
    pub connect: Duration,
    /// For the whole answer to one request.
    pub request: Duration,
    /// For a task that the BMC carries out in the background, or a change of power, to end.
    pub task: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            task: Duration::from_secs(60),
        }
    }
}

/// What is asked. `headers` go beside those that every request has.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    /// Path and query.
    pub path: String,
    pub headers: HeaderMap,
    /// JSON.
    pub body: Option<Bytes>,
}

/// `PATCH /redfish/v1/Systems/1`.
impl std::fmt::Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, crate::error::tame(&self.path, 200))
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// The text of a header, where it is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

type Connection = http1::Connection<TokioIo<Stream>, Full<Bytes>>;

/// A connection that is open.
struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    /// None once it has ended.
    connection: Option<Pin<Box<Connection>>>,
}

/// A BMC's connection, open or not.
pub struct Link {
    connector: Arc<Connector>,
    address: Address,
    patience: Patience,
    open: Option<Open>,
    answers: Arc<AtomicU32>,
}

/// Why an exchange over an open connection failed.
enum Failed {
    /// The connection was closed before the request was sent.
    Unsent,
    Other(Error),
}

impl Link {
    /// Where the systems of BMCs are.
    pub fn places(&self) -> &Places {
        self.connector.places()
    }

    pub fn new(connector: Arc<Connector>, address: Address, patience: Patience) -> Self {
        Self {
            connector,
            address,
            patience,
            open: None,
            answers: Arc::default(),
        }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Whether there is a connection, as far as is known.
    pub fn is_open(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| !open.sender.is_closed())
    }

    /// Counts the answers.
    pub fn answers(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.answers)
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Asks, over a new connection where there is none or the BMC has closed it meanwhile. Dropped
    /// before its end it closes the connection.
    pub async fn exchange(&mut self, ask: &Ask) -> Result<Reply, Error> {
        let had = self.open.is_some();
        match self.exchange_once(ask).await {
            Err(Failed::Unsent) if had => match self.exchange_once(ask).await {
                Err(Failed::Unsent) => Err(closed(ask)),
                Err(Failed::Other(error)) => Err(error),
                Ok(reply) => Ok(reply),
            },
            Err(Failed::Unsent) => Err(closed(ask)),
            Err(Failed::Other(error)) => Err(error),
            Ok(reply) => Ok(reply),
        }
    }

    async fn exchange_once(&mut self, ask: &Ask) -> Result<Reply, Failed> {
        let request = self.request(ask).map_err(Failed::Other)?;
        // Taken, so that whoever is stopped half-way leaves none behind.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await.map_err(Failed::Other)?,
        };
        let wait = self.patience.request;
        let answered = timeout(wait, open.answer(request, ask)).await;
        let reply = answered.map_err(|_| {
            Failed::Other(Error::Silent {
                what: ask.to_string(),
                seconds: wait.as_secs(),
            })
        })??;
        self.answers.fetch_add(1, Ordering::Relaxed);
        if open.connection.is_some() {
            self.open = Some(open);
        }
        Ok(reply)
    }

    async fn connect(&self) -> Result<Open, Error> {
        let (connector, address) = (Arc::clone(&self.connector), self.address.clone());
        let patience = self.patience.connect;
        // A task of its own: the arithmetic of handshakes with thousands of BMCs is for all processors,
        // not for the one that happens to drive their request.
        let connecting = spawn(async move { connector.connect(&address, patience).await });
        let connected = AbortOnDropHandle::new(connecting).await;
        let stream = connected.unwrap_or_else(|ended| match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(Error::Unreachable(
                "no connection: this program ends".to_owned(),
            )),
        })?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(LONGEST_HEAD);
        let made = builder.handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            made.map_err(|error| Error::Unreachable(format!("no connection: {error}")))?;
        Ok(Open {
            sender,
            connection: Some(Box::pin(connection)),
        })
    }

    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, Error> {
        let host = self.host();
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header("host", host)
            .header("user-agent", "xcat3")
            .header("accept", "application/json")
            .header("odata-version", "4.0");
        if ask.body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let mut request = request
            .body(Full::new(ask.body.clone().unwrap_or_default()))
            .map_err(|_| Error::Nonsense(format!("{ask} is no address that can be asked")))?;
        for (name, value) in &ask.headers {
            request.headers_mut().insert(name, value.clone());
        }
        if ask.body.is_none() && ask.method == Method::POST {
            let none = HeaderValue::from_static("0");
            request.headers_mut().insert(CONTENT_LENGTH, none);
        }
        Ok(request)
    }

    fn host(&self) -> String {
        let usual = if self.address.trust == crate::trust::Trust::Plain {
            80
        } else {
            443
        };
        let all = self.address.to_string();
        match self.address.port == usual {
            true => all.trim_end_matches(&format!(":{usual}")).to_owned(),
            false => all,
        }
    }
}

impl Open {
    /// Sends `request` and reads the answer, driving the connection meanwhile.
    async fn answer(&mut self, request: Request<Full<Bytes>>, ask: &Ask) -> Result<Reply, Failed> {
        let sender = &mut self.sender;
        let answer = async move {
            if sender.ready().await.is_err() {
                return Err(Failed::Unsent);
            }
            let response = match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => {
                    let unsent = error.take_message().is_some();
                    let why = || Failed::Other(broken(ask, error.error()));
                    return Err(if unsent { Failed::Unsent } else { why() });
                }
            };
            read(response, ask).await.map_err(Failed::Other)
        };
        Driven {
            answer: pin!(answer),
            connection: &mut self.connection,
        }
        .await
    }
}

/// An answer that is awaited and the connection that brings it.
struct Driven<'c, A> {
    answer: Pin<&'c mut A>,
    connection: &'c mut Option<Pin<Box<Connection>>>,
}

impl<A: Future> Future for Driven<'_, A> {
    type Output = A::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        if let Poll::Ready(answer) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        if let Some(connection) = self.connection.as_mut() {
            // Its error comes out of the answer, too.
            if connection.as_mut().poll(cx).is_ready() {
                *self.connection = None;
            }
        }
        self.answer.as_mut().poll(cx)
    }
}

async fn read(response: Response<Incoming>, ask: &Ask) -> Result<Reply, Error> {
    let (head, mut incoming) = response.into_parts();
    let too_long = || {
        let mib = LONGEST_BODY >> 20;
        Error::Nonsense(format!("the answer to {ask} is longer than {mib} MiB"))
    };
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if ask.method != Method::HEAD && announced.is_some_and(|length| length > LONGEST_BODY as u64) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| broken(ask, &error))?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        if body.len() + part.len() > LONGEST_BODY {
            return Err(too_long());
        }
        body.extend_from_slice(&part);
    }
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
    })
}

fn closed(ask: &Ask) -> Error {
    Error::Broken(format!("the connection was closed before {ask}"))
}

/// What happened, for an operator: of an early end TLS's library tells the developer of a client more.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::UnexpectedEof) => "it was closed without notice".to_owned(),
        _ => error.to_string(),
    }
}

fn broken(ask: &Ask, error: &hyper::Error) -> Error {
    // hyper's errors hide what happened in their sources.
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let text = in_words(inner);
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        source = inner.source();
    }
    let why = crate::error::tame(&why, 200);
    match error.is_parse() || error.is_parse_too_large() {
        true => Error::Nonsense(format!("the answer to {ask} is not HTTP: {why}")),
        false => Error::Broken(format!(
            "the connection broke before the answer to {ask}: {why}"
        )),
    }
}
