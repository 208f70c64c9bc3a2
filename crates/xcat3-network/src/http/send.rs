//! Sends bytes to a client that may be slow or gone: each wait has a timeout, and after a few
//! megabytes the task yields to others.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::content::{Content, Run};

/// Contents up to this size, in bytes, are sent with their header by one call.
const SMALL_BYTES: u64 = 16 * 1024;
/// Most bytes sent by one call.
const CHUNK_BYTES: u64 = 1 << 20;
/// Bytes after which the task yields.
const YIELD_BYTES: u64 = 4 << 20;

/// Sends one response on one connection.
#[derive(Debug)]
pub struct Sender<'a> {
    stream: &'a TcpStream,
    timeout: Duration,
    since_yield: u64,
    /// Bytes of the body that the network accepted.
    pub bytes: u64,
}

impl<'a> Sender<'a> {
    /// Sends to `stream`. Sending fails when the client accepts nothing for `timeout`.
    pub fn new(stream: &'a TcpStream, timeout: Duration) -> Self {
        Self {
            stream,
            timeout,
            since_yield: 0,
            bytes: 0,
        }
    }

    /// Sends a header, and the body where there is one.
    pub async fn send_response(
        &mut self,
        head: &mut Vec<u8>,
        body: Option<&Content>,
    ) -> io::Result<()> {
        let Some(body) = body.filter(|body| !body.is_empty()) else {
            return self.send_all(head, SendFlags::empty()).await;
        };
        let len = body.len();
        if len <= SMALL_BYTES {
            let start = head.len();
            head.resize(start + len as usize, 0);
            body.read_at(0, &mut head[start..])?;
            self.send_all(head, SendFlags::empty()).await?;
            self.bytes = len;
            return Ok(());
        }
        self.send_all(head, SendFlags::MORE).await?;
        match body {
            Content::Memory(bytes) => {
                for chunk in bytes.chunks(CHUNK_BYTES as usize) {
                    self.send_all(chunk, SendFlags::empty()).await?;
                    self.bytes += chunk.len() as u64;
                }
            }
            Content::File(runs) => {
                for run in runs.runs() {
                    self.send_run(runs.file(), *run).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends all of `bytes`.
    pub async fn send_all(&mut self, mut bytes: &[u8], flags: SendFlags) -> io::Result<()> {
        let stream = self.stream;
        let flags = flags | SendFlags::NOSIGNAL;
        while !bytes.is_empty() {
            let sent = self
                .send_once(|| Ok(rustix::net::send(stream, bytes, flags)?))
                .await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    async fn send_run(&mut self, file: &File, run: Run) -> io::Result<()> {
        let stream = self.stream;
        let (mut at, end) = (run.offset, run.offset.saturating_add(run.len));
        while at < end {
            let chunk = (end - at).min(CHUNK_BYTES) as usize;
            let mut offset = at;
            let sent = self
                .send_once(|| {
                    Ok(rustix::fs::sendfile(
                        stream,
                        file,
                        Some(&mut offset),
                        chunk,
                    )?)
                })
                .await?;
            if sent == 0 {
                let message = "the file has become shorter";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            at += sent as u64;
            self.bytes += sent as u64;
        }
        Ok(())
    }

    /// Repeats a call that sends until the network accepts something.
    async fn send_once(
        &mut self,
        mut call: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.since_yield >= YIELD_BYTES {
            self.since_yield = 0;
            tokio::task::yield_now().await;
        }
        loop {
            match self.stream.try_io(Interest::WRITABLE, &mut call) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = tokio::time::timeout(self.timeout, self.stream.writable());
                    writable.await.map_err(|_| {
                        let message = "the client accepts no more data";
                        io::Error::new(io::ErrorKind::TimedOut, message)
                    })??;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(sent) => {
                    self.since_yield += sent as u64;
                    return Ok(sent);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
