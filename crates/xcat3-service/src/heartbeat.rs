//! The heartbeat by which a service says that it is there (`GET /v1/services`).

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_core::ServiceKind;
use xcat3_core::service::HEARTBEAT_S;
use xcat3_store::{ServiceReport, Store};

use crate::slot::Slot;

/// How long signing off may take: a process that ends does not wait for a store that is away.
const PATIENCE: Duration = Duration::from_secs(3);

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
    let retiring = store.retire_service(&service.hostname, kind, service.instance);
    match tokio::time::timeout(PATIENCE, retiring).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%kind, %error, "the service counts as online for a while yet");
        }
        Err(_) => tracing::warn!(%kind, "the service counts as online for a while yet"),
    }
}
