//! Connections whose client has to take what it is sent: one that takes nothing for minutes is cut off.
//!
//! Without this a client that stopped, or whose host vanished, would hold its connection and what was
//! read for it until the process ends. Little is handed to the kernel ahead of such a client.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// For how long a client may take nothing of an answer.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What the kernel keeps unsent of a connection, in bytes.
const UNSENT: u32 = 128 << 10;

/// Accepts connections that are watched.
pub struct Patient {
    listener: TcpListener,
    patience: Duration,
}

impl Patient {
    /// Watches the connections of `listener`.
    pub fn new(listener: TcpListener, patience: Duration) -> Self {
        Self { listener, patience }
    }
}

impl Listener for Patient {
    type Io = Watched<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        let (connection, address) = Listener::accept(&mut self.listener).await;
        // Without it the last part of an answer waits for the client's acknowledgement.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        if let Err(error) = SockRef::from(&connection).set_tcp_notsent_lowat(UNSENT) {
            tracing::debug!(%error, "cannot set TCP_NOTSENT_LOWAT");
        }
        (Watched::new(connection, self.patience), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once nothing can be written to it for too long.
pub struct Watched<Io> {
    io: Io,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<Io> Watched<Io> {
    fn new(io: Io, patience: Duration) -> Self {
        Self {
            io,
            patience,
            stalled: None,
        }
    }

    /// Passes on what a write came to, unless none got on for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        tracing::info!("a client took nothing of its answer for too long and is cut off");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_and_who_takes_slowly_is_not() {
        let (mut client, server) = tokio::io::duplex(1_000);
        let mut server = Watched::new(server, Duration::from_secs(180));
        let writing = tokio::spawn(async move { server.write_all(&[0; 3_500]).await });
        let mut taken = [0; 1_000];
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(170)).await;
            client.read_exact(&mut taken).await.unwrap();
        }
        let started = tokio::time::Instant::now();
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 180);
    }
}
