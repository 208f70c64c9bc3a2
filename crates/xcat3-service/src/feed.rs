//! The change feed between processes: who wrote to the store says so on the bus, and who follows the
//! store hears it at once.
//!
//! It carries no change, only the word that there is one; the change is read from the store. Where the
//! bus is away, and for what is written by processes that are on no bus (`xcat3-copycds`), followers
//! look by themselves every second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use xcat3_store::{Revision, Store};

use crate::bus::{Bus, Nudges, Topic};

/// How often a follower looks though it heard nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Changes that follow one another this closely are told of as one.
const GATHER: Duration = Duration::from_millis(3);

/// Says on `bus` that `store` has changes whenever this process made some, until it is dropped.
pub fn tell(store: &Store, bus: Arc<dyn Bus>) -> AbortOnDropHandle<()> {
    let mut changed = store.changed();
    AbortOnDropHandle::new(tokio::spawn(async move {
        while changed.changed().await.is_ok() {
            if let Err(error) = bus.nudge(Topic::Changes).await {
                tracing::debug!(%error, "changes will be noticed late by other processes");
            }
            tokio::time::sleep(GATHER).await;
        }
    }))
}

/// Waits for changes of a store, whichever process makes them.
pub struct Follower {
    own: watch::Receiver<Revision>,
    others: Ears,
}

/// Listens for changes on a bus, for as long as that is there.
pub(crate) struct Ears {
    bus: Arc<dyn Bus>,
    nudges: Option<Nudges>,
}

impl Follower {
    /// Follows `store` by way of `bus`. What happens from now on is not missed.
    pub async fn new(store: &Store, bus: Arc<dyn Bus>) -> Self {
        Self {
            own: store.changed(),
            others: Ears::open(bus).await,
        }
    }

    /// Waits until the store may have changes: until this process made some, another said so, or a
    /// second has passed. Cancel safe.
    pub async fn changed(&mut self) {
        let own = async {
            if self.own.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = own => {}
            () = self.others.nudged(Instant::now() + LOOK_AGAIN) => {}
        }
    }
}

impl Ears {
    pub(crate) async fn open(bus: Arc<dyn Bus>) -> Self {
        let nudges = listen(bus.as_ref()).await;
        Self { bus, nudges }
    }

    /// Waits for a nudge, at most until `end`. Cancel safe.
    pub(crate) async fn nudged(&mut self, end: Instant) {
        tokio::select! {
            () = self.next() => {}
            () = sleep_until(end) => {}
        }
    }

    async fn next(&mut self) {
        match &mut self.nudges {
            Some(nudges) => nudges.next().await,
            None => {
                self.nudges = listen(self.bus.as_ref()).await;
                // What was said before that went unheard.
                if self.nudges.is_none() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

async fn listen(bus: &dyn Bus) -> Option<Nudges> {
    let listening = bus.listen(Topic::Changes).await;
    listening
        .inspect_err(|error| tracing::debug!(%error, "changes are noticed by looking for them"))
        .ok()
}
