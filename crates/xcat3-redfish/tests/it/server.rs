//! A BMC in a few lines: answers each request with whatever bytes a test gives it.

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
use xcat3_redfish::{Address, Client, Connector, Login, Patience, Trust, Trusted};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path: `GET /redfish/v1/`.
    pub what: String,
    /// Head, in small letters.
    pub head: String,
    pub body: String,
}

/// What is done with the bytes of an answer.
#[derive(Clone)]
pub enum Say {
    /// They are sent, and the connection is kept.
    All(Vec<u8>),
    /// They are sent again and again until the client has enough; then how many were is noted.
    Endless(Vec<u8>, Vec<u8>),
    /// They are sent, and the connection is closed.
    Cut(Vec<u8>),
    /// They are sent, and then nothing happens.
    Stall(Vec<u8>),
}

type Answers = Arc<dyn Fn(&Asked) -> Say + Send + Sync>;

/// The server, and what it saw.
pub struct Server {
    pub address: SocketAddr,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    pub connections: Arc<AtomicUsize>,
    pub sent: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A certificate and its key, in DER.
pub struct Certificate {
    pub der: Vec<u8>,
    pub pem: String,
    key: Vec<u8>,
}

impl Certificate {
    /// One of its own for this name.
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
    pub async fn plain(answers: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::start(None, "127.0.0.1:0".parse().unwrap(), answers).await
    }

    /// A server with this certificate, on this address.
    pub async fn start(
        certificate: Option<&Certificate>,
        address: SocketAddr,
        answers: impl Fn(&Asked) -> Say + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = certificate.map(Certificate::acceptor);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (connections, sent) = (Arc::default(), Arc::default());
        let seen = Seen {
            answers: Arc::new(answers),
            asked: Arc::clone(&asked),
            sent: Arc::clone(&sent),
        };
        let counted = Arc::clone(&connections);
        let serving = tokio::spawn(async move {
            // Dropped with this task, which ends all connections.
            let mut all = tokio::task::JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                AtomicUsize::fetch_add(&counted, 1, Ordering::SeqCst);
                all.spawn(serve(tcp, acceptor.clone(), seen.clone()));
            }
        });
        Self {
            address,
            asked,
            connections,
            sent,
            serving,
        }
    }

    /// What was asked, in order.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|asked| asked.what.clone()).collect()
    }

    /// How often this was asked.
    pub fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == what).count()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// A client of it, that trusts by `trust`, with a login.
    pub fn client(&self, trust: Trust, trusted: Trusted) -> Client {
        self.by(&Arc::new(Connector::new(trusted)), trust)
    }

    /// Another client by a connector that has others, too; without TLS.
    pub fn client_of(&self, connector: &Arc<Connector>) -> Client {
        self.by(connector, Trust::Plain)
    }

    fn by(&self, connector: &Arc<Connector>, trust: Trust) -> Client {
        let address = Address::new("127.0.0.1", self.address.port(), trust);
        let login = Login {
            user: "admin".to_owned(),
            password: "s3cret".to_owned(),
        };
        Client::new(Arc::clone(connector), address, Some(login), PATIENCE)
    }

    /// A client of a server without TLS.
    pub fn plain_client(&self) -> Client {
        self.client(Trust::Plain, Trusted::default())
    }
}

/// Generous where something is to happen; tests of what does not happen have their own.
pub const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(30),
    request: Duration::from_secs(30),
    task: Duration::from_secs(30),
};

#[derive(Clone)]
struct Seen {
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
    sent: Arc<AtomicUsize>,
}

async fn serve(tcp: TcpStream, acceptor: Option<TlsAcceptor>, seen: Seen) {
    match acceptor {
        None => converse(tcp, seen).await,
        Some(acceptor) => {
            if let Ok(tls) = acceptor.accept(tcp).await {
                converse(tls, seen).await;
            }
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: Seen) {
    while let Some(asked) = read(&mut stream).await {
        seen.asked.lock().unwrap().push(asked.clone());
        let kept = match (seen.answers)(&asked) {
            Say::All(bytes) => stream.write_all(&bytes).await.is_ok(),
            Say::Cut(bytes) => {
                let _ = stream.write_all(&bytes).await;
                false
            }
            Say::Stall(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                std::future::pending::<()>().await;
                false
            }
            Say::Endless(head, part) => {
                let _ = stream.write_all(&head).await;
                while stream.write_all(&part).await.is_ok() {
                    seen.sent.fetch_add(part.len(), Ordering::SeqCst);
                }
                false
            }
        };
        if !kept || stream.flush().await.is_err() {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(head).unwrap();
    let what = text.lines().next().unwrap();
    let what = what.trim_end_matches(" HTTP/1.1").to_owned();
    let head = text.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Asked { what, head, body })
}

/// An answer with this status and JSON.
pub fn json(status: &str, value: &Value) -> Say {
    with(status, "", value)
}

/// The same, with more lines in its head.
pub fn with(status: &str, headers: &str, value: &Value) -> Say {
    let body = value.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    Say::All((head + &body).into_bytes())
}
