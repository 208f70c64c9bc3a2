//! Taking work from the bus: a bounded number of batches at once, each kept alive on the bus while it
//! is worked on, all of them joined at the end.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use xcat3_core::Lane;
use xcat3_service::bus::{Delivery, Work};

use crate::Conductor;
use crate::tenure::Unfinished;

/// How often a batch is tried whose conductors died of it.
const ATTEMPTS: u32 = 5;
/// Before the bus or a damaged store is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The batches that this conductor works on. A bus that took it for dead may deliver one of them
/// once more; the second delivery waits for the first to end.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Mutex<HashSet<Work>>);

/// A batch under way, until this is dropped.
struct Turn<'a> {
    under_way: &'a UnderWay,
    work: Work,
}

impl UnderWay {
    async fn turn(&self, work: Work) -> Turn<'_> {
        while !self.works().insert(work) {
            tokio::time::sleep(PAUSE).await;
        }
        Turn {
            under_way: self,
            work,
        }
    }

    fn works(&self) -> MutexGuard<'_, HashSet<Work>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.under_way.works().remove(&self.work);
    }
}

impl Conductor {
    /// Takes and carries out work until `shutdown`, then drains.
    pub(crate) async fn work(&self, shutdown: &CancellationToken) {
        tokio::join!(
            self.work_lane(Lane::Hardware, shutdown),
            self.work_lane(Lane::Provisioning, shutdown),
        );
    }

    async fn work_lane(&self, lane: Lane, shutdown: &CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.settings.at_once(lane)));
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = tasks.join_next() => tell(ended),
                (slot, delivery) = self.next(lane, &slots) => {
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
    async fn next(&self, lane: Lane, slots: &Arc<Semaphore>) -> (OwnedSemaphorePermit, Delivery) {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                // Nobody closes the semaphore.
                return std::future::pending().await;
            };
            match self.bus.next_work(lane).await {
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
        if tokio::time::timeout(self.settings.drain_s.duration(), drained)
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
            let _turn = self.under_way.turn(work).await;
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
            Err(error @ Unfinished::Lost) => {
                tracing::warn!(job = %work.job, batch = work.batch, "{error}");
                tokio::time::sleep(PAUSE).await;
            }
            Err(Unfinished::Store(error)) => {
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
