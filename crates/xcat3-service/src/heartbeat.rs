//! The heartbeat by which a service says that it is there (`GET /v1/services`).

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_core::service::HEARTBEAT_S;
use xcat3_store::{ServiceReport, Store};

/// Reports `service` at once and then every [`HEARTBEAT_S`] seconds until `shutdown`, then signs it
/// off. A store that can't be reached is asked again at the next beat.
pub async fn beat(store: &Store, service: &ServiceReport, shutdown: &CancellationToken) {
    let kind = service.kind;
    let mut beats = tokio::time::interval(Duration::from_secs(HEARTBEAT_S));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut heard = true;
    while shutdown.run_until_cancelled(beats.tick()).await.is_some() {
        let reported = store.heartbeat(service).await;
        if let Err(error) = &reported
            && heard
        {
            tracing::warn!(%kind, %error, "the service counts as offline: its heartbeat failed");
        }
        heard = reported.is_ok();
    }
    let retired = store.retire_service(&service.hostname, kind, service.instance);
    if let Err(error) = retired.await {
        tracing::warn!(%kind, %error, "the service counts as online for a while yet");
    }
}

/// The name of this host.
#[must_use]
pub fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
