//! The facts in memory, kept up with the store by its change feed.
//!
//! Requests are answered from here, never from the store, so nodes go on booting while it is away.
//! What changed of a node is taken over as a whole, and so is everything where it is read anew: nobody
//! sees half a node or half the nodes. Of a change of many nodes one may be seen before another.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use xcat3_service::feed::Follower;
use xcat3_store::{Changes, Revision, Store, StoreError};

use crate::facts::{Facts, Touched};

/// How long reading changes may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The facts as of the last change that was read. Cheap to clone: all clones are the same facts.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Arc<RwLock<Facts>>);

impl Snapshot {
    /// The facts, for the moment of one answer: never hold this while waiting for anything.
    pub fn read(&self) -> RwLockReadGuard<'_, Facts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Facts> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the snapshot is fed from.
pub struct Feed {
    store: Store,
    follower: Follower,
    snapshot: Snapshot,
    revision: Revision,
    /// By changes that were taken over and not told of yet.
    touched: Touched,
}

impl Feed {
    /// A feed that has read nothing yet.
    #[must_use]
    pub fn new(store: Store, follower: Follower, snapshot: Snapshot) -> Self {
        Self {
            store,
            follower,
            snapshot,
            revision: 0,
            touched: Touched::default(),
        }
    }

    /// The revision that the snapshot has.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Waits until the store may have changes, at most a second.
    pub async fn changed(&mut self) {
        self.follower.changed().await;
    }

    /// Reads what changed since the last time and takes it over.
    ///
    /// # Errors
    /// The store's. What was read of changes up to then is taken over; of a new beginning nothing is.
    pub async fn pull(&mut self) -> Result<Option<Touched>, StoreError> {
        if self.revision > 0 && self.store.revision().await? == self.revision {
            return Ok(None);
        }
        let mut anew: Option<Facts> = None;
        let mut take = |changes: Changes| {
            if changes.complete {
                anew = Some(Facts::default());
            }
            let touched = match &mut anew {
                Some(facts) => facts.apply(changes),
                None => self.snapshot.write().apply(changes),
            };
            self.touched.and(touched);
        };
        let reading = self.store.each_change_since(self.revision, &mut take);
        let Ok(revision) = tokio::time::timeout(PATIENCE, reading).await else {
            return Err(StoreError::Unavailable(
                "reading changes takes too long".into(),
            ));
        };
        self.revision = revision?;
        if let Some(facts) = anew {
            *self.snapshot.write() = facts;
        }
        Ok(Some(std::mem::take(&mut self.touched)))
    }
}
