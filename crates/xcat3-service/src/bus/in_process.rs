//! The bus of services that share a process. It forgets everything with the process: the conductor
//! publishes what the store holds unfinished when it starts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;
use xcat3_core::Lane;

use super::nudge::Hub;
use super::queue::{Queue, Taken};
use super::{Bus, BusError, Delivery, Nudges, Receipt, Topic, Work};

/// How long a worker may be silent before its work goes to another.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bus inside one process. Clones are the same bus.
#[derive(Clone)]
pub struct InProcess {
    hardware: Arc<Shared>,
    provisioning: Arc<Shared>,
    hub: Arc<Hub>,
}

/// The queue of a lane.
struct Shared {
    queue: Mutex<Queue>,
    /// Wakes one waiting worker. It is notified whenever work becomes ready, and by each worker
    /// that took some while more is left.
    ready: Notify,
}

impl Default for InProcess {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl InProcess {
    /// A bus that takes workers for dead after `patience` without a sign of life.
    #[must_use]
    pub fn with_patience(patience: Duration) -> Self {
        Self {
            hardware: Arc::new(Shared::new(patience)),
            provisioning: Arc::new(Shared::new(patience)),
            hub: Arc::default(),
        }
    }

    fn lane(&self, lane: Lane) -> &Arc<Shared> {
        match lane {
            Lane::Hardware => &self.hardware,
            Lane::Provisioning => &self.provisioning,
        }
    }
}

impl Shared {
    fn new(patience: Duration) -> Self {
        Self {
            queue: Mutex::new(Queue::new(patience)),
            ready: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<(Taken, Duration)> {
        let mut queue = self.queue();
        let patience = queue.patience();
        queue.take(Instant::now()).map(|taken| (taken, patience))
    }
}

#[async_trait]
impl Bus for InProcess {
    async fn publish(&self, work: &[Work]) -> Result<(), BusError> {
        for lane in Lane::ALL {
            let shared = self.lane(lane);
            {
                let mut queue = shared.queue();
                let ours = work.iter().filter(|work| work.lane == lane);
                ours.for_each(|work| queue.put(*work));
            }
            shared.ready.notify_one();
        }
        Ok(())
    }

    async fn next_work(&self, lane: Lane) -> Result<Delivery, BusError> {
        let shared = self.lane(lane);
        loop {
            if let Some((taken, patience)) = shared.take() {
                shared.ready.notify_one();
                return Ok(Delivery {
                    work: taken.work,
                    attempt: taken.attempt,
                    patience,
                    receipt: Box::new(Held {
                        taken,
                        shared: shared.clone(),
                    }),
                });
            }
            let expiry = shared.queue().next_expiry();
            tokio::select! {
                () = shared.ready.notified() => {}
                () = at(expiry) => {}
            }
        }
    }

    async fn nudge(&self, topic: Topic) -> Result<(), BusError> {
        self.hub.nudge(topic);
        Ok(())
    }

    async fn listen(&self, topic: Topic) -> Result<Nudges, BusError> {
        Ok(self.hub.listen(topic))
    }
}

/// Waits until `instant`, or for ever where there is none.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

struct Held {
    taken: Taken,
    shared: Arc<Shared>,
}

#[async_trait]
impl Receipt for Held {
    async fn in_progress(&self) -> Result<(), BusError> {
        self.shared.queue().touch(self.taken, Instant::now());
        Ok(())
    }

    async fn acknowledge(&self) -> Result<(), BusError> {
        self.shared.queue().done(self.taken.work);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.queue().give_back(self.taken);
        self.shared.ready.notify_one();
    }
}
