//! A BMC in a few lines: reacts to each request as a test says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use xcat3_redfish::{Address, Client, Connector, Login, Timeouts, Trust, TrustConfig};

/// A request that the server received.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Method and path: `GET /redfish/v1/`.
    pub line: String,
    /// Request line and headers, in lower case.
    pub head: String,
    pub body: String,
}

/// The reaction to a request.
#[derive(Clone)]
pub enum Reaction {
    /// Sends these bytes and keeps the connection.
    Respond(Vec<u8>),
    /// Sends the first bytes once, and the second until the client closes the connection.
    RespondEndlessly(Vec<u8>, Vec<u8>),
    /// Sends these bytes and closes the connection.
    RespondAndClose(Vec<u8>),
    /// Sends these bytes, and then nothing more.
    RespondAndStall(Vec<u8>),
}

type Handler = Arc<dyn Fn(&ReceivedRequest) -> Reaction + Send + Sync>;

/// The server and its record.
pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    pub connections: Arc<AtomicUsize>,
    /// Bytes sent by endless responses.
    pub sent: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A self-signed certificate and its key, in DER.
pub struct Certificate {
    pub der: Vec<u8>,
    pub pem: String,
    key: Vec<u8>,
}

impl Certificate {
    /// A new certificate for this name.
    pub fn new(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Self {
            der: made.cert.der().to_vec(),
            pem: made.cert.pem(),
            key: made.signing_key.serialize_der(),
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_no_client_auth();
        let config = builder.with_single_cert(vec![self.der.clone().into()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

impl Server {
    /// A server without TLS.
    pub async fn plain(
        handler: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        Self::start(None, "127.0.0.1:0".parse().unwrap(), handler).await
    }

    /// A server with this certificate, at this address.
    pub async fn start(
        certificate: Option<&Certificate>,
        address: SocketAddr,
        handler: impl Fn(&ReceivedRequest) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = certificate.map(Certificate::acceptor);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (connections, sent) = (Arc::default(), Arc::default());
        let serving = Serving {
            handler: Arc::new(handler),
            requests: Arc::clone(&requests),
            sent: Arc::clone(&sent),
        };
        let counted = Arc::clone(&connections);
        let closed: Arc<AtomicUsize> = Arc::default();
        let counted_closed = Arc::clone(&closed);
        let serving = tokio::spawn(async move {
            // Dropped with this task, which ends all connections.
            let mut all = tokio::task::JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                AtomicUsize::fetch_add(&counted, 1, Ordering::SeqCst);
                let conversation = serve(tcp, acceptor.clone(), serving.clone());
                let closed = Arc::clone(&counted_closed);
                all.spawn(async move {
                    conversation.await;
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            requests,
            connections,
            sent,
            closed,
            serving,
        }
    }

    /// The lines of all requests, in order.
    pub fn request_lines(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|request| request.line.clone())
            .collect()
    }

    /// How often this request came.
    pub fn count(&self, line: &str) -> usize {
        let lines = self.request_lines();
        lines.iter().filter(|received| *received == line).count()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until the server has closed this many connections.
    pub async fn wait_for_closed(&self, count: usize) {
        while self.closed.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A client with a login.
    pub fn client(&self, trust: Trust, trusted: TrustConfig) -> Client {
        self.connect(&Arc::new(Connector::new(trusted)), trust, TIMEOUTS)
    }

    /// A client without TLS, over a connector that others share.
    pub fn client_of(&self, connector: &Arc<Connector>) -> Client {
        self.connect(connector, Trust::Plain, TIMEOUTS)
    }

    /// A client of a server without TLS.
    pub fn plain_client(&self) -> Client {
        self.client(Trust::Plain, TrustConfig::default())
    }

    /// The same, with these timeouts.
    pub fn plain_client_within(&self, timeouts: Timeouts) -> Client {
        self.connect(&Arc::default(), Trust::Plain, timeouts)
    }

    fn connect(&self, connector: &Arc<Connector>, trust: Trust, timeouts: Timeouts) -> Client {
        let address = Address::new("127.0.0.1", self.address.port(), trust);
        let login = Login {
            user: "admin".to_owned(),
            password: "s3cret".to_owned(),
        };
        Client::new(Arc::clone(connector), address, Some(login), timeouts)
    }
}

/// Long enough that a busy machine does not exceed them. Tests of timeouts have their own.
pub const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(30),
    request: Duration::from_secs(30),
    task: Duration::from_secs(30),
};

#[derive(Clone)]
struct Serving {
    handler: Handler,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    sent: Arc<AtomicUsize>,
}

async fn serve(tcp: TcpStream, acceptor: Option<TlsAcceptor>, serving: Serving) {
    match acceptor {
        None => converse(tcp, serving).await,
        Some(acceptor) => {
            if let Ok(tls) = acceptor.accept(tcp).await {
                converse(tls, serving).await;
            }
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, serving: Serving) {
    while let Some(request) = read(&mut stream).await {
        serving.requests.lock().unwrap().push(request.clone());
        let keeps_connection = match (serving.handler)(&request) {
            Reaction::Respond(bytes) => stream.write_all(&bytes).await.is_ok(),
            Reaction::RespondAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                false
            }
            Reaction::RespondAndStall(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                std::future::pending::<()>().await;
                false
            }
            Reaction::RespondEndlessly(head, part) => {
                let _ = stream.write_all(&head).await;
                while stream.write_all(&part).await.is_ok() {
                    serving.sent.fetch_add(part.len(), Ordering::SeqCst);
                }
                false
            }
        };
        if !keeps_connection || stream.flush().await.is_err() {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<ReceivedRequest> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).unwrap();
    let line = text.lines().next().unwrap();
    let line = line.trim_end_matches(" HTTP/1.1").to_owned();
    let head = text.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(ReceivedRequest { line, head, body })
}

/// A response with this status and JSON.
pub fn respond(status: &str, value: &Value) -> Reaction {
    respond_with(status, "", value)
}

/// The same, with more headers.
pub fn respond_with(status: &str, headers: &str, value: &Value) -> Reaction {
    let body = value.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    Reaction::Respond((head + &body).into_bytes())
}
