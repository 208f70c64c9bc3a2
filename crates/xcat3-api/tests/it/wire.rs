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

    /// Sends bytes as they are and reads one answer.
    pub async fn exchange(&mut self, bytes: &[u8]) -> Answered {
        // A server that refuses a large body may answer and close before all of it was sent.
        let sent = self.0.write_all(bytes).await;
        let answered = self.answer().await;
        answered.unwrap_or_else(|| panic!("no answer; sending: {sent:?}"))
    }

    async fn answer(&mut self) -> Option<Answered> {
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
        let mut body = bytes[end + 4..].to_vec();
        let mut answered = Answered {
            status: head[9..12].parse().unwrap(),
            head,
            text: String::new(),
        };
        let length: usize = answered.header("content-length").parse().unwrap();
        while body.len() < length {
            assert_ne!(
                self.0.read_buf(&mut body).await.unwrap(),
                0,
                "the answer broke off"
            );
        }
        assert_eq!(body.len(), length, "more than one answer to one request");
        answered.text = String::from_utf8(body).unwrap();
        Some(answered)
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
