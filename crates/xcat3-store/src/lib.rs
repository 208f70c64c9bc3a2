//! The store: what operators declared, what xcat3 knows of nodes, jobs and leases. The truth that
//! all services share.
//!
//! One concrete [`Store`] over SQLite or PostgreSQL. Only this crate knows SQL. Each method is one transaction, whatever the number of nodes it is given, and
//! set-based: no statement a node. A node's failure is an [`xcat3_core::Outcome`], a failure of
//! the whole is a [`StoreError`].
//!
//! It is not a cache: who needs the facts at every request keeps a snapshot and follows the change
//! feed ([`Store::changes_since`]).

mod database;
mod discovered;
mod error;
mod feed;
#[cfg(test)]
mod full_disk;
mod images;
mod jobs;
mod leases;
mod networks;
mod nics;
mod nodes;
mod passwds;
mod progress;
mod provisioning;
mod rejections;
mod reservations;
mod services;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use database::{Database, Turn};

pub use error::StoreError;
pub use feed::{Changes, Revision};
pub use jobs::{Batch, Job, JobId, JobState, JobStatus, NewJob, Outcomes, UnknownJobState};
pub use leases::Lease;
pub use nodes::{NodeSort, SortKey, UnknownSortKey};
pub use provisioning::Provision;
pub use reservations::Reserved;
pub use services::ServiceReport;

/// The answer for a name that is not in the store.
pub const NOT_FOUND: &str = "Could not be found.";
/// The answer for a node that another operation holds.
pub const LOCKED: &str = "Locked temporarily";

/// The database of xcat3. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    latest: watch::Sender<Revision>,
    names: nodes::Names,
}

impl Store {
    /// Opens the database at `url` and brings its schema up to date: `sqlite:/path/xcat3.db`, made
    /// where there is none (readable by its owner only), `sqlite::memory:`, or
    /// `postgres://user:password@host:port/database?sslmode=…`, which has to be there (empty).
    ///
    /// Several processes may have the same database open, and open it at the same time. Where
    /// PostgreSQL is away later, requests wait a few seconds for it and then say so
    /// ([`StoreError::Unavailable`]); those that come when it is back succeed.
    ///
    /// # Errors
    /// It can't be opened or made, or a newer xcat3 wrote it. None shows the password.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let database = Database::open(url).await?;
        let store = Self {
            database,
            latest: watch::Sender::new(0),
            names: nodes::Names::default(),
        };
        store.latest.send_replace(store.revision().await?);
        Ok(store)
    }

    /// Ends all connections, once what runs on them has ended.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn read(&self) -> Result<database::Tx, StoreError> {
        self.database.read().await
    }

    /// A transaction that may write beside others of its kind ([`Turn::Shared`]).
    async fn write_beside(&self) -> Result<database::Tx, StoreError> {
        self.database.write(Turn::Shared, &self.latest).await
    }

    /// A transaction beside which nobody writes.
    async fn write(&self) -> Result<database::Tx, StoreError> {
        self.database.write(Turn::Alone, &self.latest).await
    }
}

/// By how many milliseconds the clock that the users of the database share is ahead of this host's.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

fn set_ahead_ms(ahead: i64) {
    AHEAD_MS.store(ahead, Ordering::Relaxed);
}

/// Now, in milliseconds since 1970 (UTC), by the clock that the users of the database share: that of
/// its host on PostgreSQL, their own on SQLite.
fn now_ms() -> i64 {
    local_ms().saturating_add(AHEAD_MS.load(Ordering::Relaxed))
}

fn local_ms() -> i64 {
    milliseconds(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Names for a sentence: at most ten of them, then how many more there are.
fn listed(names: &[&str]) -> String {
    let shown = names
        .iter()
        .take(10)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(10) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
