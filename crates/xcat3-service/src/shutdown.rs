//! Signals that end a daemon, as a [`CancellationToken`] which every task watches.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGTERM or SIGINT. A second signal ends the process at
/// once, for the operator who does not want to wait for work to drain.
///
/// # Errors
/// The system refuses to register the signals.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if first {
                tracing::info!(signal = name, "stopping");
                cancelled.cancel();
            } else {
                tracing::warn!(signal = name, "told to stop twice: ending at once");
                std::process::exit(1);
            }
        }
    });
    Ok(token)
}
