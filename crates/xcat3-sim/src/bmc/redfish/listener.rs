//! The sockets: one listener answers for every address of 127/8, the local address of a connection says
//! which machine is meant. TLS, HTTP/1.1, and the faults that concern a connection or the way an answer
//! is sent; what is answered is in `face.rs`.

use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{Answer, JSON};
use super::face::{Ask, Face};
use super::faults::Fault;
use super::payload::{BrokenOff, Payload};

/// Connections that may wait to be taken.
const BACKLOG: i32 = 8192;
/// The longest body of a request, bytes.
const BODY: usize = 1024 * 1024;
/// A client has so long for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// A megabyte of headers: so many, of so many bytes.
const HUGE_HEADERS: (usize, usize) = (64, 16 * 1024);

/// A listener on the port for all addresses.
pub(super) fn bind(port: u16) -> Result<TcpListener> {
    let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    let open = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from(address).into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().with_context(|| format!("listening on {address} for Redfish"))
}

/// Takes connections until it is told to stop, then breaks those off that are open.
pub(super) async fn serve(listener: TcpListener, face: Arc<Face>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let taken = tokio::select! {
            taken = listener.accept() => taken,
            () = stop.cancelled() => break,
        };
        let Ok((stream, _)) = taken else {
            // Too many open files, or a client that has gone already: others may still be served.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (face, stop) = (Arc::clone(&face), stop.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection(stream, &face) => {}
                () = stop.cancelled() => {}
            }
        });
    }
    connections.close();
    connections.wait().await;
}

/// Which machine is meant, and at which address.
fn target(stream: &TcpStream, face: &Face) -> Option<(usize, Ipv4Addr)> {
    let SocketAddr::V4(local) = stream.local_addr().ok()? else {
        return None;
    };
    Some((face.index(*local.ip())?, *local.ip()))
}

async fn connection(stream: TcpStream, face: &Arc<Face>) {
    let Some((index, address)) = target(&stream, face) else {
        return reset(&stream);
    };
    let _ = stream.set_nodelay(true);
    for fault in face.options.faults.strike(index, true) {
        match fault {
            Fault::BlackHole => {
                // As long as the client has patience.
                let _stream = stream;
                return std::future::pending().await;
            }
            Fault::Refuse => return reset(&stream),
            Fault::Certificate => face.certificates.change(index),
            _ => {}
        }
    }
    if !face.options.tls {
        return http(stream, index, face).await;
    }
    let Ok(config) = face.certificates.config(index, address) else {
        return reset(&stream);
    };
    let accepted = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await;
    if let Ok(Ok(stream)) = accepted {
        http(Box::new(stream), index, face).await;
    }
}

/// Has the connection end with a reset, as where nobody listens.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin, index: usize, face: &Arc<Face>) {
    let service = service_fn(|request| exchange(request, index, face));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(face.options.idle)
        .keep_alive(face.options.keep_alive)
        .max_buf_size(64 * 1024)
        .half_close(false);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// One request and its answer.
async fn exchange(
    request: Request<Incoming>,
    index: usize,
    face: &Arc<Face>,
) -> Result<Response<Payload>, BrokenOff> {
    let faults = face.options.faults.strike(index, false);
    for fault in &faults {
        match fault {
            Fault::Slow(pause) => sleep(*pause).await,
            Fault::Reset => return Err(BrokenOff),
            Fault::Forget => face.side(index).sessions.close_all(),
            _ => {}
        }
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if let Some(answer) = instead(&faults, path, &parts.method) {
        return Ok(sent(answer, &faults));
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(answer) => return Ok(sent(*answer, &faults)),
    };
    let ask = Ask::new(&parts.method, &parts.uri, &parts.headers, body);
    let mut answer = face.answer(index, &ask);
    if faults.contains(&Fault::Loop) {
        answer.text = None;
        loops(&mut answer.body, path);
    }
    Ok(sent(answer, &faults))
}

/// What a fault answers without asking the machine.
fn instead(faults: &[Fault], path: &str, method: &Method) -> Option<Answer> {
    faults.iter().find_map(|fault| match fault {
        Fault::Error => {
            let message = "The request failed due to an internal service error.";
            Some(Answer::error(500, "InternalError", message))
        }
        Fault::Busy => {
            let message = "The service is temporarily unavailable. Retry in 1 seconds.";
            let answer = Answer::error(503, "ServiceTemporarilyUnavailable", message);
            Some(answer.with("retry-after", "1".to_owned()))
        }
        Fault::Redirect(host) => {
            let to = format!("{host}{path}");
            Some(Answer::empty(307).with("location", to))
        }
        Fault::Huge(_) if method == Method::GET => Some(Answer::empty(200)),
        _ => None,
    })
}

/// The JSON of a request; null where it has none.
async fn read(body: Incoming) -> Result<Value, Box<Answer>> {
    let bytes = match Limited::new(body, BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            let message = "The request body is too large or ended early.";
            return Err(Box::new(Answer::error(413, "PayloadTooLarge", message)));
        }
    };
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_reader(Cursor::new(bytes)).map_err(|_| {
        let message = "The request body submitted was malformed JSON and could not be parsed.";
        Box::new(Answer::error(400, "MalformedJSON", message))
    })
}

/// Makes a document lead back to where the client has been.
fn loops(document: &mut Value, path: &str) {
    let Some(fields) = document.as_object_mut() else {
        return;
    };
    if fields.contains_key("Members") {
        let next = Value::from(path);
        fields.insert("Members@odata.nextLink".to_owned(), next);
    }
}

/// The answer as it goes over the wire, with what faults do to it.
fn sent(answer: Answer, faults: &[Fault]) -> Response<Payload> {
    let (mut kind, mut bytes) = match answer.text {
        Some((kind, text)) => (kind, Bytes::from(text)),
        None if answer.body.is_null() => (JSON, Bytes::new()),
        None => (JSON, Bytes::from(answer.body.to_string())),
    };
    let mut response = Response::new(Payload::Whole(Bytes::new()));
    let status = StatusCode::from_u16(answer.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    let mut huge = None;
    for fault in faults {
        match fault {
            Fault::ContentType => kind = "text/html",
            Fault::Html => {
                (kind, bytes) = ("text/html", Bytes::from_static(b"<html>Please wait</html>"));
            }
            Fault::HugeHeaders => huge_headers(headers),
            Fault::Huge(size) => huge = Some(Payload::huge(*size)),
            _ => {}
        }
    }
    if !bytes.is_empty() || huge.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    *response.body_mut() = huge.unwrap_or_else(|| Payload::Whole(bytes));
    broken(response, faults)
}

/// The faults of how a document is sent.
fn broken(mut response: Response<Payload>, faults: &[Fault]) -> Response<Payload> {
    let Payload::Whole(bytes) = response.body_mut() else {
        return response;
    };
    let bytes = std::mem::take(bytes);
    let drip = faults.iter().find_map(|fault| match fault {
        Fault::Drip(pause) => Some(*pause),
        _ => None,
    });
    *response.body_mut() = if faults.contains(&Fault::Truncated) && bytes.len() > 1 {
        let length = HeaderValue::from(bytes.len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
        Payload::broken(bytes.slice(..bytes.len() / 2))
    } else if let Some(pause) = drip {
        Payload::drip(bytes, pause)
    } else {
        Payload::Whole(bytes)
    };
    response
}

fn huge_headers(headers: &mut hyper::HeaderMap) {
    let (count, size) = HUGE_HEADERS;
    let Ok(value) = HeaderValue::from_str(&"x".repeat(size)) else {
        return;
    };
    for number in 0..count {
        if let Ok(name) = HeaderName::from_bytes(format!("x-room-{number}").as_bytes()) {
            headers.insert(name, value.clone());
        }
    }
}

/// Raises the number of files that the process may have open to what the system allows it.
pub fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Where it is refused, there are as many connections as there can be.
    let _ = setrlimit(Resource::Nofile, raised);
}
