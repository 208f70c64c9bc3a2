//! Sends bytes to a client that may be slow or gone: each wait has a time-out, and after a few
//! megabytes others have their turn.

use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::content::{Content, Run};

/// Files up to this size are read and sent with their header in one piece.
const SMALL: u64 = 16 * 1024;
/// Bytes sent by one call.
const PIECE: u64 = 1 << 20;
/// Bytes after which others have their turn.
const TURN: u64 = 4 << 20;

/// Sends on one connection, within one answer.
#[derive(Debug)]
pub struct Sender<'a> {
    stream: &'a TcpStream,
    limit: Duration,
    since_turn: u64,
    /// Bytes of the body that the network took.
    pub bytes: u64,
}

impl<'a> Sender<'a> {
    /// Sends to `stream`; an answer of which nothing is taken for `limit` breaks off.
    pub fn new(stream: &'a TcpStream, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            since_turn: 0,
            bytes: 0,
        }
    }

    /// Sends a header, and the body where there is one.
    pub async fn answer(&mut self, head: &mut Vec<u8>, body: Option<&Content>) -> io::Result<()> {
        let Some(body) = body.filter(|body| !body.is_empty()) else {
            return self.all(head, SendFlags::empty()).await;
        };
        let len = body.len();
        if len <= SMALL {
            let start = head.len();
            head.resize(start + len as usize, 0);
            body.read_at(0, &mut head[start..])?;
            self.all(head, SendFlags::empty()).await?;
            self.bytes = len;
            return Ok(());
        }
        self.all(head, SendFlags::MORE).await?;
        match body {
            Content::Memory(bytes) => {
                for piece in bytes.chunks(PIECE as usize) {
                    self.all(piece, SendFlags::empty()).await?;
                    self.bytes += piece.len() as u64;
                }
            }
            Content::File(runs) => {
                for run in runs.runs() {
                    self.run(runs.file(), *run).await?;
                }
            }
        }
        Ok(())
    }

    /// Sends all of `bytes`.
    pub async fn all(&mut self, mut bytes: &[u8], flags: SendFlags) -> io::Result<()> {
        let stream = self.stream;
        let flags = flags | SendFlags::NOSIGNAL;
        while !bytes.is_empty() {
            let sent = self
                .once(|| Ok(rustix::net::send(stream, bytes, flags)?))
                .await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    async fn run(&mut self, file: &File, run: Run) -> io::Result<()> {
        let stream = self.stream;
        let (mut at, end) = (run.offset, run.offset.saturating_add(run.len));
        while at < end {
            let piece = (end - at).min(PIECE) as usize;
            let mut offset = at;
            let sent = self
                .once(|| {
                    Ok(rustix::fs::sendfile(
                        stream,
                        file,
                        Some(&mut offset),
                        piece,
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

    /// Does a call that sends, once the network takes something.
    async fn once(&mut self, mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        if self.since_turn >= TURN {
            self.since_turn = 0;
            tokio::task::yield_now().await;
        }
        loop {
            match self.stream.try_io(Interest::WRITABLE, &mut call) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = tokio::time::timeout(self.limit, self.stream.writable());
                    writable.await.map_err(|_| {
                        let message = "the client takes nothing any more";
                        io::Error::new(io::ErrorKind::TimedOut, message)
                    })??;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(sent) => {
                    self.since_turn += sent as u64;
                    return Ok(sent);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
