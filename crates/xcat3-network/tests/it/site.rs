//! Servers on loopback with a few contents, which record what their handlers are called with.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xcat3_network::content::Content;
use xcat3_network::{http, tftp};

/// The fields of an [`http::SentResponse`].
#[derive(Clone, Debug)]
pub struct Sent {
    pub path: String,
    pub status: u16,
    pub bytes: u64,
    pub size: u64,
    pub complete: bool,
}

#[derive(Default)]
pub struct Site {
    contents: HashMap<String, Content>,
    pub sent: Mutex<Vec<Sent>>,
    pub ended: Mutex<Vec<tftp::Ended>>,
    /// Bodies of PUT and POST, with their paths.
    pub put: Mutex<Vec<(String, Vec<u8>)>>,
}

/// A server that runs until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub site: Arc<Site>,
    pub shutdown: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Pseudo-random bytes.
pub fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The bytes as a file, with these extents of it, or whole.
pub fn file(bytes: &[u8], extents: Option<&[(u64, u64)]>) -> Content {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("written");
    match extents {
        Some(extents) => Content::extents(Arc::new(file), extents.iter().copied()),
        None => Content::file(Arc::new(file)).expect("its length"),
    }
}

impl Site {
    pub fn with(mut self, path: &str, content: Content) -> Self {
        self.contents.insert(path.to_owned(), content);
        self
    }

    pub fn serve_http(self, limits: http::Limits) -> Running {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = http::Server::bind(address, None, limits).expect("bound");
        let address = server.local_addr();
        let (site, shutdown) = (Arc::new(self), CancellationToken::new());
        let task = tokio::spawn(server.run(Arc::clone(&site), shutdown.clone()));
        Running {
            address,
            site,
            shutdown,
            task,
        }
    }

    pub fn serve_tftp(self, address: [u8; 4], limits: tftp::Limits) -> Running {
        let server = tftp::Server::bind((address, 0).into(), None, limits).expect("bound");
        let address = server.local_addr();
        let (site, shutdown) = (Arc::new(self), CancellationToken::new());
        let task = tokio::spawn(server.run(Arc::clone(&site), shutdown.clone()));
        Running {
            address,
            site,
            shutdown,
            task,
        }
    }
}

impl http::Handler for Site {
    async fn respond(&self, request: &http::Request<'_>) -> http::Response {
        match (request.method, request.path) {
            (http::Method::Put | http::Method::Post, path) => {
                let mut put = self.put.lock().expect("not poisoned");
                put.push((path.to_owned(), request.body.to_owned()));
                http::Response::text(200, "stored\n")
            }
            (_, "slow") => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                http::Response::text(200, "late\n")
            }
            (_, "panic") => panic!("a handler that panics on purpose"),
            (_, path) => match self.contents.get(path) {
                Some(content) => http::Response {
                    etag: Some("\"tag\"".to_owned()),
                    modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
                    ..http::Response::file(path, content.clone())
                },
                None => http::Response::not_found("There is no such file."),
            },
        }
    }

    fn sent(&self, sent: &http::SentResponse<'_>) {
        self.sent.lock().expect("not poisoned").push(Sent {
            path: sent.request.path.to_owned(),
            status: sent.status,
            bytes: sent.bytes,
            size: sent.size,
            complete: sent.complete,
        });
    }
}

impl tftp::Handler for Site {
    async fn open(&self, client: &tftp::Client, path: &str) -> Result<Content, tftp::Refusal> {
        if path == "denied" {
            let sentence = format!("not for {}", client.peer.ip());
            return Err(tftp::Refusal::Denied(sentence));
        }
        let content = self.contents.get(path).cloned();
        content.ok_or_else(|| tftp::Refusal::NotFound(format!("there is no {path}")))
    }

    fn ended(&self, transfer: &tftp::Ended) {
        self.ended
            .lock()
            .expect("not poisoned")
            .push(transfer.clone());
    }
}

/// Waits until `count` values are recorded.
pub async fn recorded<T: Clone>(values: &Mutex<Vec<T>>, count: usize) -> Vec<T> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let now = values.lock().expect("not poisoned").clone();
        if now.len() >= count {
            return now;
        }
        assert!(
            Instant::now() < until,
            "{count} values expected, {} recorded",
            now.len()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
