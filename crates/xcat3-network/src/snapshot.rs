//! The snapshot: the facts in memory, updated from the change feed of the store.
//!
//! Requests are answered from the snapshot, never from the store, so nodes boot while the store is
//! away. A node changes as a whole, and a complete reading replaces the snapshot as a whole. Of a change
//! of many nodes one may be visible before another.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use xcat3_service::feed::Follower;
use xcat3_store::{Changes, Revision, Store, StoreError};

use crate::facts::{Facts, Touched};

/// How long reading changes may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The facts as of the last change that was read. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Arc<RwLock<Facts>>);

impl Snapshot {
    /// The facts, for one answer. The guard must not live across an await.
    pub fn read(&self) -> RwLockReadGuard<'_, Facts> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Facts> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Updates a snapshot from the store.
pub struct Feed {
    store: Store,
    follower: Follower,
    snapshot: Snapshot,
    revision: Revision,
    /// What was affected by changes that [`Feed::pull`] has not returned yet.
    touched: Touched,
}

impl Feed {
    /// A feed that has read nothing.
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

    /// The revision of the snapshot.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Waits until the store may have changes, at most a second.
    pub async fn changed(&mut self) {
        self.follower.changed().await;
    }

    /// Reads the changes since the last call and applies them. Returns `None` where there are none.
    ///
    /// # Errors
    /// The store fails. Changes that were read until then are applied; a complete reading is not.
    pub async fn pull(&mut self) -> Result<Option<Touched>, StoreError> {
        if self.revision > 0 && self.store.revision().await? == self.revision {
            return Ok(None);
        }
        let mut rebuilt: Option<Facts> = None;
        let mut apply = |changes: Changes| {
            if changes.complete {
                rebuilt = Some(Facts::default());
            }
            let touched = match &mut rebuilt {
                Some(facts) => facts.apply(changes),
                None => self.snapshot.write().apply(changes),
            };
            self.touched.merge(touched);
        };
        let reading = self.store.each_change_since(self.revision, &mut apply);
        let Ok(revision) = tokio::time::timeout(READ_TIMEOUT, reading).await else {
            return Err(StoreError::Unavailable(
                "reading changes takes too long".into(),
            ));
        };
        self.revision = revision?;
        if let Some(facts) = rebuilt {
            *self.snapshot.write() = facts;
        }
        Ok(Some(std::mem::take(&mut self.touched)))
    }
}
