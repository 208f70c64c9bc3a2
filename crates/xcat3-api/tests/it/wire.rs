//! HTTP as bytes: what is sent is exactly what a test writes down.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept open.
pub struct Wire(TcpStream);

/// An answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The sentence of an error, in the form that every error has.
    pub fn sentence(&self) -> String {
        let json = self.json();
        let message = &json["error_message"];
        let whose = if self.status < 500 {
            "Client"
        } else {
            "Server"
        };
        assert_eq!(message["faultcode"], whose, "{self:?}");
        assert_eq!(message["debuginfo"], Value::Null);
        assert!(message.as_object().unwrap().contains_key("debuginfo"));
        assert!(self.header("xcat3-request-id").starts_with("req-"));
        message["faultstring"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        value.unwrap_or_default()
    }
}

impl Wire {
    pub async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// To a client that takes in little at a time.
    pub async fn narrow(address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    /// Sends bytes as they are and reads one answer.
    pub async fn exchange(&mut self, bytes: &[u8]) -> Answered {
        // A server that refuses a large body may answer and close before all of it was sent.
        let sent = self.0.write_all(bytes).await;
        let answered = self.answer().await;
        answered.unwrap_or_else(|| panic!("no answer; sending: {sent:?}"))
    }

    /// Sends bytes as they are and reads what is answered up to the end of its head.
    pub async fn open(&mut self, bytes: &[u8]) -> Option<(Answered, Vec<u8>)> {
        let sent = self.0.write_all(bytes).await;
        let opened = self.head().await;
        assert!(opened.is_some() || sent.is_err(), "no answer");
        opened
    }

    /// Reads the head of an answer, and what came of the body along with it.
    async fn head(&mut self) -> Option<(Answered, Vec<u8>)> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            if self.0.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        let text = String::new();
        Some((Answered { status, head, text }, bytes[end + 4..].to_vec()))
    }

    /// More of a body; false at the end of the connection.
    pub async fn more(&mut self, body: &mut Vec<u8>) -> bool {
        self.0.read_buf(body).await.unwrap_or(0) > 0
    }

    async fn answer(&mut self) -> Option<Answered> {
        let (mut answered, mut body) = self.head().await?;
        if answered.header("transfer-encoding") == "chunked" {
            let mut chunks = Chunks::default();
            loop {
                chunks.push(&std::mem::take(&mut body));
                if chunks.ended {
                    break;
                }
                assert!(self.more(&mut body).await, "the answer broke off");
            }
            answered.text = String::from_utf8(chunks.content).unwrap();
            return Some(answered);
        }
        let length: usize = answered.header("content-length").parse().unwrap();
        while body.len() < length {
            assert!(self.more(&mut body).await, "the answer broke off");
        }
        assert_eq!(body.len(), length, "more than one answer to one request");
        answered.text = String::from_utf8(body).unwrap();
        Some(answered)
    }
}

/// A body in chunks (RFC 9112, section 7.1), as far as it has come.
#[derive(Default)]
pub struct Chunks {
    pub content: Vec<u8>,
    pub ended: bool,
    raw: Vec<u8>,
}

impl Chunks {
    pub fn push(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        while let Some(line) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[..line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let end = line + 2 + size + 2;
            if self.raw.len() < end {
                return;
            }
            self.content.extend_from_slice(&self.raw[line + 2..end - 2]);
            self.ended = size == 0;
            self.raw.drain(..end);
        }
    }
}

/// A request without the headers that no test is about.
pub fn request(method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: xcat3\r\n{length}\r\n{body}").into_bytes()
}
