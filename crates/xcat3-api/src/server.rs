//! The listening socket and its end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use xcat3_core::ServiceKind;
use xcat3_service::{Jobs, config, heartbeat};
use xcat3_store::{ServiceReport, Store};

use crate::Api;
use crate::router::router;

/// How long requests under way may go on after shutdown began.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the definition of a network waits to be served.
const SERVE_WITHIN: Duration = Duration::from_secs(10);

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

/// Serves the API at the configured address until `shutdown`.
///
/// # Errors
/// The address can't be had, or the socket failed.
pub async fn run(
    config: config::Api,
    store: Store,
    jobs: Jobs,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    let listener = bind(config.listen).await?;
    serve(listener, &config, store, jobs, shutdown).await
}

/// Serves the API on `listener` until `shutdown`, and reports for duty meanwhile.
///
/// # Errors
/// The socket failed.
pub async fn serve(
    listener: TcpListener,
    config: &config::Api,
    store: Store,
    jobs: Jobs,
    shutdown: CancellationToken,
) -> Result<(), ServiceError> {
    let address = listener.local_addr().map_err(ServiceError::Socket)?;
    tracing::info!(%address, "the API is listening");
    let report = ServiceReport {
        hostname: heartbeat::hostname(),
        kind: ServiceKind::Api,
        worker: 0,
        workers: 1,
        instance: Uuid::new_v4(),
        served: None,
        note: None,
    };
    let api = Api {
        store: store.clone(),
        jobs,
        answer_within: config.answer_within_s.duration(),
        serve_within: SERVE_WITHIN,
    };
    let listener = listener.tap_io(|connection| {
        // Without it the last part of an answer waits for the client's acknowledgement.
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let ended = shutdown.clone();
    let serving = axum::serve(listener, router(api))
        .with_graceful_shutdown(async move { ended.cancelled().await });
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let served = async {
        tokio::select! {
            served = serving => served.map_err(ServiceError::Socket),
            () = drained => Ok(()),
        }
    };
    let (served, ()) = tokio::join!(served, heartbeat::beat(&store, &report, &shutdown));
    served
}
