//! The listening socket and its end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use xcat3_core::ServiceKind;
use xcat3_service::{Jobs, Slot, heartbeat};
use xcat3_store::Store;

use crate::patient::{PATIENCE, Patient};
use crate::router::router;
use crate::{Api, Settings};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long the definition of a network waits to be served.
const SERVE_WITHIN: Duration = Duration::from_secs(10);
/// How often an address that is in use is tried.
const AGAIN: Duration = Duration::from_millis(20);

/// Why the API does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The address can't be listened on.
    #[error("the API cannot listen on {address}: {}", explain(.reason, .address))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: io::Error,
    },
    /// The socket failed.
    #[error("the API's socket failed: {0}")]
    Socket(io::Error),
}

fn explain(reason: &io::Error, address: &SocketAddr) -> String {
    let port = address.port();
    match reason.kind() {
        io::ErrorKind::AddrInUse => {
            format!("port {port} is in use by another program; choose another with --listen")
        }
        io::ErrorKind::PermissionDenied => {
            format!("permission denied: port {port} takes root or CAP_NET_BIND_SERVICE")
        }
        io::ErrorKind::AddrNotAvailable => format!("{} is no address of this host", address.ip()),
        _ => reason.to_string(),
    }
}

/// Listens on `address`.
///
/// # Errors
/// The address can't be had; the sentence says why.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ServiceError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|reason| ServiceError::Listen { address, reason })
}

/// Takes `address` for processes that share it, and does not listen yet: who connects is refused
/// until one of them does by [`listen`]. Waits as long as `patience` for an address that is in use.
///
/// # Errors
/// The address can't be had; the sentence says why.
pub fn claim(address: SocketAddr, patience: Duration) -> Result<OwnedFd, ServiceError> {
    let claimed = || -> io::Result<OwnedFd> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    let started = Instant::now();
    loop {
        match claimed() {
            Err(reason)
                if reason.kind() == io::ErrorKind::AddrInUse && started.elapsed() < patience =>
            {
                std::thread::sleep(AGAIN);
            }
            claimed => {
                return claimed.map_err(|reason| ServiceError::Listen { address, reason });
            }
        }
    }
}

/// Listens by a socket that was claimed for several processes. A connection goes to whichever takes it
/// first; one that waits outlives any of them.
///
/// # Errors
/// The address can't be had any more; the sentence says why.
pub fn listen(socket: impl AsFd, address: SocketAddr) -> Result<TcpListener, ServiceError> {
    let listening = || {
        let socket = Socket::from(socket.as_fd().try_clone_to_owned()?);
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    listening().map_err(|reason| ServiceError::Listen { address, reason })
}

/// Serves the API on `listener` until `shutdown`, and reports for duty meanwhile.
///
/// # Errors
/// The socket failed.
pub async fn serve(
    listener: TcpListener,
    settings: &Settings,
    slot: &Slot,
    store: Store,
    jobs: Jobs,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    let address = listener.local_addr().map_err(ServiceError::Socket)?;
    tracing::info!(%address, "the API is listening");
    let api = Api {
        store: store.clone(),
        jobs,
        answer_within: settings.answer_within_s.duration(),
        serve_within: SERVE_WITHIN,
        shutdown: shutdown.clone(),
    };
    let listener = Patient::new(listener, PATIENCE);
    let ended = shutdown.clone();
    let serving = axum::serve(listener, router(api))
        .with_graceful_shutdown(async move { ended.cancelled().await });
    let drain = settings.drain_s.duration();
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    let served = async {
        tokio::select! {
            served = serving => served.map_err(ServiceError::Socket),
            () = drained => Ok(()),
        }
    };
    let (served, ()) = tokio::join!(
        served,
        heartbeat::beat(&store, ServiceKind::Api, slot, &shutdown)
    );
    served
}
