//! Opening a SQLite database: one connection that writes, others that read beside it.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite};

use super::PATIENCE;
use crate::StoreError;

/// Connections that read at the same time.
const READERS: u32 = 4;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// An open SQLite database.
#[derive(Clone, Debug)]
pub(crate) struct SqliteDatabase {
    pub(crate) writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteDatabase {
    /// Opens the file, makes it where there is none, and brings its schema up to date. `:memory:` is
    /// a database of its own in memory.
    pub(super) async fn open(path: &str) -> Result<Self, StoreError> {
        if path == ":memory:" {
            return Self::in_memory().await;
        }
        create_private(Path::new(path))?;
        // Another process may be making the same database at this moment, and what two do at once
        // in the first instants of one can fail in either.
        let mut attempt = 0;
        loop {
            match Self::open_file(Path::new(path)).await {
                Err(StoreError::Unavailable(_) | StoreError::Conflict(_)) if attempt < 8 => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(25 * attempt)).await;
                }
                result => return result,
            }
        }
    }

    async fn open_file(path: &Path) -> Result<Self, StoreError> {
        let options = connect_options()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let writer = pool(1).connect_with(options.clone()).await?;
        migrate(&writer).await?;
        let options = options.pragma("query_only", "ON");
        let readers = pool(READERS).connect_with(options).await?;
        Ok(Self { writer, readers })
    }

    /// Each connection to `:memory:` is a database of its own, so there is only one.
    async fn in_memory() -> Result<Self, StoreError> {
        let options = connect_options().in_memory(true).filename(":memory:");
        let writer = pool(1).min_connections(1).connect_with(options).await?;
        migrate(&writer).await?;
        let readers = writer.clone();
        Ok(Self { writer, readers })
    }

    /// Begins a transaction that writes. It is the only one until it ends: writers queue here, and
    /// behind other processes, before they read anything.
    pub(super) async fn write(&self) -> Result<sqlx::Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a transaction that only reads and sees one state of the database throughout.
    pub(super) async fn read(&self) -> Result<sqlx::Transaction<'static, Sqlite>, StoreError> {
        Ok(self.readers.begin_with("BEGIN").await?)
    }

    /// Ends all connections once their statements have ended.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn connect_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .row_buffer_size(1_024)
        .disable_statement_logging()
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(is_usable(connection)))
}

/// A full disk may make SQLite end a transaction by itself, which the driver does not notice: it
/// believes ever after that one is open. Such a connection is replaced. The ping waits until a
/// transaction that was dropped has been rolled back.
async fn is_usable(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await?;
    Ok(MIGRATIONS.run_direct(None, &mut *connection, false).await?)
}

/// The database holds secrets, so its file is its owner's alone; the files that SQLite puts beside
/// it take over its permissions.
fn create_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(StoreError::DiskFull),
        Err(error) => {
            let path = path.display();
            Err(StoreError::Unavailable(format!(
                "can't open {path}: {error}"
            )))
        }
    }
}
