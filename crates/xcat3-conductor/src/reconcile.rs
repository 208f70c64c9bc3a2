//! What picks up whatever fell down: batches whose message was lost or whose conductor died,
//! deploys that will never end. (A reservation that nobody gave back ends by itself.)

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use xcat3_core::NodeName;
use xcat3_service::bus::Work;
use xcat3_store::{Provision, StoreError};

use crate::Conductor;
use crate::clock::now_ms;
use crate::decide::give_up;
use crate::overdue::{self, Limits};

/// How often each reconciler looks. The first look is at the start.
const PERIOD: Duration = Duration::from_secs(30);

impl Conductor {
    /// Looks after lost batches and deploys until `shutdown`.
    pub(crate) async fn reconcile(&self, shutdown: &CancellationToken) {
        tokio::join!(
            repeat("unfinished batches", shutdown, || self.publish_unfinished()),
            repeat("overdue deploys", shutdown, || self.fail_overdue(now_ms())),
        );
    }

    /// Publishes every batch that has no end. Those on the bus already stay as they are.
    async fn publish_unfinished(&self) -> Result<(), StoreError> {
        let unfinished = self.store.unfinished_batches().await?;
        let work: Vec<Work> = unfinished
            .into_iter()
            .map(|(job, batch, lane)| Work { job, batch, lane })
            .collect();
        if let Err(error) = self.bus.publish(&work).await {
            tracing::warn!(%error, batches = work.len(), "unfinished batches wait for the bus");
        }
        Ok(())
    }

    /// Fails the deploys that took too long, each with its reason.
    pub(crate) async fn fail_overdue(&self, now_ms: i64) -> Result<(), StoreError> {
        let limits = Limits {
            first_contact: self.settings.first_contact_s.duration(),
            silence: self.settings.silence_s.duration(),
        };
        let overdue = self
            .store
            .overdue_deploys(&limits.by_phase(), Duration::MAX)
            .await?;
        let overdue: Vec<NodeName> = overdue.into_iter().map(|node| node.name).collect();
        if overdue.is_empty() {
            return Ok(());
        }
        let owner = &self.slot.owner();
        let reserved = self
            .store
            .reserve(&overdue, owner, "overdue deploy", PERIOD)
            .await?;
        // Read under the reservation: a node that called back meanwhile is not overdue any more.
        let given_up = reserved.nodes.iter().filter_map(|node| {
            let reason = overdue::reason(node, limits, now_ms)?;
            tracing::warn!(node = %node.name, reason, "the deploy has failed");
            give_up(node, reason)
        });
        let changes: Vec<Provision> = given_up.collect();
        let written = self.store.provision(reserved.fence, &changes).await;
        self.store.release(reserved.fence).await?;
        written.map(|_| ())
    }
}

/// Does `look` now and then. A failure is told once, and again after it went away and came back.
async fn repeat<Look>(what: &str, shutdown: &CancellationToken, mut look: impl FnMut() -> Look)
where
    Look: Future<Output = Result<(), StoreError>>,
{
    let mut looks = tokio::time::interval(PERIOD);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut well = true;
    while shutdown.run_until_cancelled(looks.tick()).await.is_some() {
        let Some(result) = shutdown.run_until_cancelled(look()).await else {
            return;
        };
        if let Err(error) = &result
            && well
        {
            tracing::warn!(what, %error, "could not be looked after");
        }
        well = result.is_ok();
    }
}
