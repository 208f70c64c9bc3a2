//! The one place that knows which database it is: opening it, transactions, statements, values.
//!
//! All statements of the crate are texts that SQLite and PostgreSQL both take, with `$n` for
//! values. Many rows go into one statement as a JSON array of arrays, unfolded by
//! `json_each($1)` and taken apart by `value ->> column`; PostgreSQL gets a function of that name
//! in its first migration. Whatever can't be said alike in both belongs here.
//!
//! # Who writes beside whom
//!
//! SQLite has one writer at a time. On PostgreSQL the transactions of [`Turn::Alone`] are alone too,
//! by a lock that they take before they read anything: what they check (is the name free, is the
//! node held, do the networks overlap) stays true until they commit, no two of them deadlock, and a
//! revision is visible before the next one is given out. [`Turn::Shared`] is for the few that are
//! written often and keep to rows of their own: they run beside each other, not beside those.
//! Reading waits for nobody and sees one state throughout.
//!
//! # When a commit is not answered
//!
//! Where the connection is lost during a commit, nobody knows whether it happened, and the error
//! says so. Sending the same again is safe: outcomes, leases, progress, heartbeats and provisioning
//! are keyed and the same twice; a reservation for the same purpose takes its own over; creating
//! and removing answer for each name that it is there, or gone, already. A job is created anew by
//! being sent again unless it has a key of its own, so only who gave it one may repeat that.

mod postgres;
mod row;
mod sqlite;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{Postgres, Sqlite};
use tokio::sync::watch;

use crate::error::is_collision;
use crate::{Revision, StoreError};
use postgres::{PostgresDatabase, in_time};
pub(crate) use row::{Row, Value, json};
use sqlite::SqliteDatabase;

/// Rows that one statement carries at most.
pub(crate) const CHUNK: usize = 1_000;
/// How long a request waits for its turn, in this process and behind other ones.
const PATIENCE: Duration = Duration::from_secs(30);

/// Beside whom a transaction may write; SQLite lets none write beside another in any case.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turn {
    /// Nobody else writes until it ends.
    Alone,
    /// Others of its kind may write at the same time: it has to hold by the locks of the rows that
    /// it writes alone, and is tried again ([`Tries`]) where two
    /// of them stood in each other's way.
    Shared,
}

/// Counts how often a transaction of [`Turn::Shared`] was tried.
#[derive(Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Whether to try again, after a moment: only where others were in the way, and not for ever.
    pub(crate) async fn again(&mut self, error: &StoreError) -> bool {
        self.0 += 1;
        if self.0 > 8 || !is_collision(error) {
            return false;
        }
        // Not all of those that collided after the same time.
        let jitter = SystemTime::now().duration_since(UNIX_EPOCH);
        let jitter = jitter.map_or(0, |now| now.subsec_micros() % (20_000 * self.0));
        tokio::time::sleep(Duration::from_micros(jitter.into())).await;
        true
    }
}

/// Runs `$body` as a transaction `$tx` of [`Turn::Shared`], again where it collided with another, and
/// commits it. What the body returns by `return` is the answer too, of a transaction that is not
/// committed.
macro_rules! beside {
    ($store:expr, $tx:ident, $body:block) => {{
        let mut tries = $crate::database::Tries::default();
        loop {
            let attempt = async {
                let mut $tx = $store.write_beside().await?;
                let done = $body;
                $tx.commit().await?;
                Ok(done)
            };
            match attempt.await {
                Err(error) if tries.again(&error).await => {}
                result => break result,
            }
        }
    }};
}
pub(crate) use beside;

/// An open database.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

impl Database {
    /// Opens the database at `url`, makes it where it is a file that is not there, and brings its
    /// schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let sqlite = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"));
        if let Some(path) = sqlite.filter(|path| !path.is_empty()) {
            return SqliteDatabase::open(path).await.map(Self::Sqlite);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return PostgresDatabase::open(url).await.map(Self::Postgres);
        }
        Err(unknown_url(url))
    }

    /// Begins a transaction that writes.
    pub(crate) async fn write(
        &self,
        turn: Turn,
        nudge: &watch::Sender<Revision>,
    ) -> Result<Tx, StoreError> {
        let inner = match self {
            Self::Sqlite(database) => Inner::Sqlite(database.write().await?),
            Self::Postgres(database) => Inner::Postgres(database.write(turn).await?),
        };
        Ok(Tx {
            inner,
            nudge: Some(nudge.clone()),
            revision: None,
        })
    }

    /// Begins a transaction that only reads and sees one state of the database throughout.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        let inner = match self {
            Self::Sqlite(database) => Inner::Sqlite(database.read().await?),
            Self::Postgres(database) => Inner::Postgres(database.read().await?),
        };
        Ok(Tx {
            inner,
            nudge: None,
            revision: None,
        })
    }

    /// Ends all connections once their statements have ended.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

fn unknown_url(url: &str) -> StoreError {
    // Only the part that can't hold a password.
    let scheme: String = url.chars().take_while(|&c| c != ':').take(32).collect();
    StoreError::Invalid(format!(
        "'{scheme}:…' is not a database that xcat3 knows: use sqlite:/path/to/xcat3.db or \
         postgres://user:password@host/database"
    ))
}

/// A transaction. Dropped without [`Tx::commit`], nothing of it happened.
pub(crate) struct Tx {
    inner: Inner,
    nudge: Option<watch::Sender<Revision>>,
    revision: Option<Revision>,
}

enum Inner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Tx {
    /// Runs a statement and tells how many rows it wrote.
    pub(crate) async fn run<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<u64, StoreError> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                let query = sqlx::query_with(statement, row::for_sqlite(values)?);
                query.execute(&mut **tx).await?.rows_affected()
            }
            Inner::Postgres(tx) => {
                let query = sqlx::query_with(statement, row::for_postgres(values)?);
                in_time(query.execute(&mut **tx)).await?.rows_affected()
            }
        })
    }

    /// Runs a statement and gives all the rows that it answers.
    pub(crate) async fn rows<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<Vec<Row>, StoreError> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                let query = sqlx::query_with(statement, row::for_sqlite(values)?);
                let rows = query.fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Inner::Postgres(tx) => {
                let query = sqlx::query_with(statement, row::for_postgres(values)?);
                let rows = in_time(query.fetch_all(&mut **tx)).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs a statement and hands each row that it answers to `take`: for very many of them, which
    /// are never all in memory.
    pub(crate) async fn each<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
        mut take: impl FnMut(&Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let query = sqlx::query_with(statement, row::for_sqlite(values)?);
                let mut rows = query.fetch(&mut **tx);
                while let Some(row) = rows.try_next().await? {
                    take(&Row::Sqlite(row))?;
                }
            }
            Inner::Postgres(tx) => {
                let query = sqlx::query_with(statement, row::for_postgres(values)?);
                let mut rows = query.fetch(&mut **tx);
                while let Some(row) = in_time(rows.try_next()).await? {
                    take(&Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }

    /// Runs a statement and gives the first row that it answers.
    pub(crate) async fn row<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<Option<Row>, StoreError> {
        Ok(match &mut self.inner {
            Inner::Sqlite(tx) => {
                let query = sqlx::query_with(statement, row::for_sqlite(values)?);
                query.fetch_optional(&mut **tx).await?.map(Row::Sqlite)
            }
            Inner::Postgres(tx) => {
                let query = sqlx::query_with(statement, row::for_postgres(values)?);
                in_time(query.fetch_optional(&mut **tx))
                    .await?
                    .map(Row::Postgres)
            }
        })
    }

    /// The next number of reservations, which is never given out again. On PostgreSQL a sequence,
    /// since those who count up a row wait for each other's commit.
    pub(crate) async fn next_fence(&mut self) -> Result<i64, StoreError> {
        match &self.inner {
            Inner::Sqlite(_) => self.count_up("fence").await,
            Inner::Postgres(_) => {
                let row = self.row("SELECT nextval('fence')", []).await?;
                row.ok_or_else(|| StoreError::corrupt("fence", "it gave no number"))?
                    .int(0)
            }
        }
    }

    /// The next number of a counter.
    pub(crate) async fn count_up(&mut self, counter: &str) -> Result<i64, StoreError> {
        let statement = "UPDATE counters SET value = value + 1 WHERE name = $1 RETURNING value";
        let row = self.row(statement, [counter.into()]).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("counters", counter))?;
        row.int(0)
    }

    /// The revision that what this transaction writes has: one more than before it.
    pub(crate) async fn new_revision(&mut self) -> Result<Revision, StoreError> {
        match self.revision {
            Some(revision) => Ok(revision),
            None => {
                let revision = self.count_up("revision").await?;
                self.revision = Some(revision);
                Ok(revision)
            }
        }
    }

    /// The revision of the last change.
    pub(crate) async fn latest_revision(&mut self) -> Result<Revision, StoreError> {
        let row = self
            .row("SELECT value FROM counters WHERE name = 'revision'", [])
            .await?;
        row.ok_or_else(|| StoreError::corrupt("counters", "there is no revision"))?
            .int(0)
    }

    /// Makes what was written last, and wakes those who wait for changes.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => postgres::commit(tx).await?,
        }
        if let (Some(revision), Some(nudge)) = (self.revision, self.nudge) {
            nudge.send_if_modified(|latest| {
                let newer = revision > *latest;
                *latest = revision.max(*latest);
                newer
            });
        }
        Ok(())
    }
}

/// Rows of one column each for `json_each`, in statements of at most [`CHUNK`].
pub(crate) fn chunks_of<'a, T: AsRef<str> + 'a>(
    texts: impl IntoIterator<Item = &'a T>,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<[&str; 1]> = texts.into_iter().map(|text| [text.as_ref()]).collect();
    chunks(&rows)
}

/// Rows for `json_each`, in statements of at most [`CHUNK`].
pub(crate) fn chunks<T: Serialize>(rows: &[T]) -> Result<Vec<String>, StoreError> {
    rows.chunks(CHUNK).map(json).collect()
}
