//! The heartbeat by which a service says that it is there (`GET /v1/services`).

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_core::ServiceKind;
use xcat3_core::service::HEARTBEAT_S;
use xcat3_store::{ServiceReport, Store};

use crate::slot::Slot;

/// What a service of `kind` reports from its place, as long as there is nothing more to say.
#[must_use]
pub fn report(kind: ServiceKind, slot: &Slot) -> ServiceReport {
    ServiceReport {
        hostname: slot.hostname.clone(),
        kind,
        worker: slot.worker,
        workers: slot.workers,
        instance: slot.instance,
        served: None,
        note: None,
    }
}

/// Reports the service of `kind` at `slot` at once and then every [`HEARTBEAT_S`] seconds until
/// `shutdown`, then signs it off. A store that can't be reached is asked again at the next beat. The
/// service serves once its first report is in the store.
pub async fn beat(store: &Store, kind: ServiceKind, slot: &Slot, shutdown: &CancellationToken) {
    let service = report(kind, slot);
    let mut beats = tokio::time::interval(Duration::from_secs(HEARTBEAT_S));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut heard = true;
    while shutdown.run_until_cancelled(beats.tick()).await.is_some() {
        let reported = store.heartbeat(&service).await;
        match &reported {
            Ok(()) => slot.serving(),
            Err(error) if heard => {
                tracing::warn!(%kind, %error, "the service counts as offline: its heartbeat failed");
            }
            Err(_) => {}
        }
        heard = reported.is_ok();
    }
    let retired = store.retire_service(&service.hostname, kind, service.instance);
    if let Err(error) = retired.await {
        tracing::warn!(%kind, %error, "the service counts as online for a while yet");
    }
}
