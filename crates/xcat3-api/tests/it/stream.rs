//! Reads streams of a job as a client does: bytes as they come, cut into lines or events.

use std::time::Duration;

use serde_json::Value;

use crate::wire::{Answered, Chunks, Wire};
use crate::world::World;

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// An answer whose body comes bit by bit.
pub struct Stream {
    pub head: Answered,
    wire: Wire,
    chunks: Chunks,
    read: usize,
    separator: &'static [u8],
}

/// A request with headers.
pub fn asking(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: xcat3\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    text.into_bytes()
}

/// The header that asks for lines.
pub const LINES: (&str, &str) = ("Accept", "application/x-ndjson");

impl Stream {
    /// Sends a request that is answered by lines.
    pub async fn lines(world: &World, method: &str, target: &str, body: &Value) -> Self {
        let request = asking(method, target, &[LINES], &body.to_string());
        Self::open(Wire::to(world.address).await, &request, b"\n").await
    }

    /// Follows the events of a job.
    pub async fn events(world: &World, target: &str, headers: &[(&str, &str)]) -> Self {
        let request = asking("GET", target, headers, "");
        Self::open(Wire::to(world.address).await, &request, b"\n\n").await
    }

    pub async fn open(mut wire: Wire, request: &[u8], separator: &'static [u8]) -> Self {
        let opened = tokio::time::timeout(LONG, wire.open(request)).await;
        let (head, body) = opened.expect("no head in time").expect("no answer");
        let mut chunks = Chunks::default();
        chunks.push(&body);
        Self {
            head,
            wire,
            chunks,
            read: 0,
            separator,
        }
    }

    /// The id of the job that the answer names.
    pub fn job(&self) -> String {
        let location = self.head.header("location");
        location.strip_prefix("/v1/jobs/").unwrap().to_owned()
    }

    /// The next line or event; nothing at the end of the body.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            let rest = &self.chunks.content[self.read..];
            let width = self.separator.len();
            if let Some(end) = rest.windows(width).position(|part| part == self.separator) {
                let part = String::from_utf8(rest[..end].to_vec()).unwrap();
                self.read += end + width;
                return Some(part);
            }
            if self.chunks.ended {
                assert!(rest.is_empty(), "a part of a line");
                return None;
            }
            let mut bytes = Vec::new();
            let more = tokio::time::timeout(LONG, self.wire.more(&mut bytes)).await;
            if !more.expect("nothing came for a minute") {
                panic!("the stream broke off");
            }
            self.chunks.push(&bytes);
        }
    }

    /// The next line as a document.
    pub async fn line(&mut self) -> Value {
        serde_json::from_str(&self.next().await.expect("one more line")).unwrap()
    }

    /// The next event that is no comment: its id, its kind, its document.
    pub async fn event(&mut self) -> Option<(Option<i64>, String, Value)> {
        loop {
            let text = self.next().await?;
            if text.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.map(str::to_owned)
            };
            let id = field("id: ").map(|id| id.parse().unwrap());
            let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
            return Some((id, field("event: ").unwrap(), data));
        }
    }

    /// All lines up to the end.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            lines.push(serde_json::from_str(&line).unwrap());
        }
        lines
    }
}
