//! Taking work from the bus: a bounded number of batches at once, each kept alive on the bus while it
//! is worked on, all of them joined at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use xcat3_core::Lane;
use xcat3_service::bus::Delivery;

use crate::Conductor;

/// How often a batch is tried whose conductors died of it.
const ATTEMPTS: u32 = 5;
/// Before the bus or a damaged store is asked again.
const PAUSE: Duration = Duration::from_secs(1);

impl Conductor {
    /// Takes and carries out work until `shutdown`, then drains.
    pub(crate) async fn work(&self, shutdown: &CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.settings.batches_at_once));
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = tasks.join_next() => tell(ended),
                (slot, delivery) = self.next(&slots) => {
                    let conductor = self.clone();
                    tasks.spawn(async move {
                        conductor.deliver(delivery).await;
                        drop(slot);
                    });
                }
            }
        }
        self.drain(&mut tasks).await;
    }

    /// Waits for a free slot and for work to put into it. Cancel safe.
    async fn next(&self, slots: &Arc<Semaphore>) -> (OwnedSemaphorePermit, Delivery) {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                // Nobody closes the semaphore.
                return std::future::pending().await;
            };
            // Waiting is cancel safe: what the other lane had meanwhile stays in its queue.
            let delivery = tokio::select! {
                delivery = self.bus.next_work(Lane::Hardware) => delivery,
                delivery = self.bus.next_work(Lane::Provisioning) => delivery,
            };
            match delivery {
                Ok(delivery) => return (slot, delivery),
                Err(error) => tracing::warn!(%error, "waiting for the bus"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets work under way end; what takes too long is left to whoever starts next.
    async fn drain(&self, tasks: &mut JoinSet<()>) {
        let drained = async {
            while let Some(ended) = tasks.join_next().await {
                tell(ended);
            }
        };
        if tokio::time::timeout(self.settings.drain, drained)
            .await
            .is_err()
        {
            tracing::warn!(
                batches = tasks.len(),
                "stopping with work under way: it goes on later"
            );
            tasks.shutdown().await;
        }
    }

    async fn deliver(&self, delivery: Delivery) {
        let work = delivery.work();
        let carried_out = async {
            if delivery.attempt() > ATTEMPTS {
                let reason = format!("given up: {ATTEMPTS} attempts ended without an answer");
                return self.give_up(work, &reason).await;
            }
            self.carry_out(work).await
        };
        let result = tokio::select! {
            result = carried_out => result,
            () = keep_alive(&delivery) => return,
        };
        match result {
            Ok(()) => {
                if let Err(error) = delivery.acknowledge().await {
                    tracing::warn!(job = %work.job, batch = work.batch, %error, "may be done again");
                }
            }
            Err(error) => {
                tracing::error!(job = %work.job, batch = work.batch, %error, "batch not done");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Tells the bus again and again that the work goes on. Never ends.
async fn keep_alive(delivery: &Delivery) {
    let mut beats = tokio::time::interval(delivery.patience() / 3);
    loop {
        beats.tick().await;
        if let Err(error) = delivery.in_progress().await {
            tracing::debug!(%error, "a sign of life was lost");
        }
    }
}

fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a batch ended by a panic; it is tried again");
    }
}
