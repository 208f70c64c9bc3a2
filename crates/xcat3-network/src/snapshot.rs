//! The facts in memory, kept up with the store by its change feed.
//!
//! Requests are answered from here, never from the store, so nodes go on booting while it is away. A
//! change is taken over as a whole; nobody sees half of it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::watch;
use xcat3_store::{Revision, Store, StoreError};

use crate::facts::{Facts, Touched};

/// How often the store is asked whether another process changed something.
const POLL: Duration = Duration::from_millis(200);
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
}

/// What the snapshot is fed from.
pub struct Feed {
    store: Store,
    nudges: watch::Receiver<Revision>,
    snapshot: Snapshot,
    revision: Revision,
}

impl Feed {
    /// A feed that has read nothing yet.
    #[must_use]
    pub fn new(store: Store, snapshot: Snapshot) -> Self {
        let nudges = store.changed();
        Self {
            store,
            nudges,
            snapshot,
            revision: 0,
        }
    }

    /// The revision that the snapshot has.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Waits until the store may have changes: at once when this process wrote them, else up to a
    /// fifth of a second.
    pub async fn changed(&mut self) {
        let nudged = async {
            if self.nudges.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(POLL, nudged).await;
    }

    /// Reads what changed since the last time and takes it over.
    ///
    /// # Errors
    /// The store's. The snapshot stays as it was.
    pub async fn pull(&mut self) -> Result<Option<Touched>, StoreError> {
        if self.revision > 0 && self.store.revision().await? == self.revision {
            return Ok(None);
        }
        let reading = self.store.changes_since(self.revision);
        let Ok(changes) = tokio::time::timeout(PATIENCE, reading).await else {
            return Err(StoreError::Unavailable(
                "reading changes takes too long".into(),
            ));
        };
        let changes = changes?;
        self.revision = changes.revision;
        let mut facts = self
            .snapshot
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Some(facts.apply(changes)))
    }
}
