//! The bus of services that share a process. It forgets everything with the process: the conductor
//! publishes what the store holds unfinished when it starts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::nudge::Hub;
use super::queue::{Queue, Taken};
use super::{Bus, BusError, Delivery, Nudges, Receipt, Topic, Work};

/// How long a worker may be silent before its work goes to another.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bus inside one process. Clones are the same bus.
#[derive(Clone)]
pub struct InProcess {
    shared: Arc<Shared>,
    hub: Arc<Hub>,
}

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
        let shared = Shared {
            queue: Mutex::new(Queue::new(patience)),
            ready: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
            hub: Arc::default(),
        }
    }
}

impl Shared {
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
        {
            let mut queue = self.shared.queue();
            work.iter().for_each(|work| queue.put(*work));
        }
        self.shared.ready.notify_one();
        Ok(())
    }

    async fn next_work(&self) -> Result<Delivery, BusError> {
        loop {
            if let Some((taken, patience)) = self.shared.take() {
                self.shared.ready.notify_one();
                return Ok(Delivery {
                    work: taken.work,
                    attempt: taken.attempt,
                    patience,
                    receipt: Box::new(Held {
                        taken,
                        shared: self.shared.clone(),
                    }),
                });
            }
            let expiry = self.shared.queue().next_expiry();
            tokio::select! {
                () = self.shared.ready.notified() => {}
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
