//! The one place that knows which database it is: opening it, transactions, statements, values.
//!
//! All statements of the crate are texts that SQLite and PostgreSQL both take, with `$n` for
//! values. Many rows go into one statement as a JSON array of arrays, unfolded by
//! `json_each($1)` and taken apart by `value ->> column`; PostgreSQL gets a function of that name
//! over `json_array_elements`. Whatever can't be said alike in both belongs here.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments as _, ConnectOptions as _, Connection as _, Row as _, Sqlite};
use tokio::sync::watch;

use crate::{Revision, StoreError};

/// Rows that one statement carries at most.
pub(crate) const CHUNK: usize = 1_000;
/// Connections that read at the same time.
const READERS: u32 = 4;
/// How long a request waits for its turn, in this process and behind other ones.
const PATIENCE: Duration = Duration::from_secs(30);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// An open database. One connection writes, others read beside it.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens the database at `url`, makes it where there is none, and brings its schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .filter(|path| !path.is_empty())
            .ok_or_else(|| unknown_url(url))?;
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
    pub(crate) async fn write(&self, nudge: &watch::Sender<Revision>) -> Result<Tx, StoreError> {
        let inner = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let nudge = Some(nudge.clone());
        Ok(Tx {
            inner,
            nudge,
            revision: None,
        })
    }

    /// Begins a transaction that only reads and sees one state of the database throughout.
    pub(crate) async fn read(&self) -> Result<Tx, StoreError> {
        let inner = self.readers.begin_with("BEGIN").await?;
        Ok(Tx {
            inner,
            nudge: None,
            revision: None,
        })
    }

    /// Ends all connections once their statements have ended.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn unknown_url(url: &str) -> StoreError {
    // Only the part that can't hold a password.
    let scheme: String = url.chars().take_while(|&c| c != ':').take(32).collect();
    StoreError::Invalid(format!(
        "'{scheme}:…' is not a database that xcat3 knows: use sqlite:/path/to/xcat3.db"
    ))
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

/// A transaction. Dropped without [`Tx::commit`], nothing of it happened.
pub(crate) struct Tx {
    inner: sqlx::Transaction<'static, Sqlite>,
    nudge: Option<watch::Sender<Revision>>,
    revision: Option<Revision>,
}

impl Tx {
    /// Runs a statement and tells how many rows it wrote.
    pub(crate) async fn run<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<u64, StoreError> {
        let query = sqlx::query_with(statement, arguments(values)?);
        Ok(query.execute(&mut *self.inner).await?.rows_affected())
    }

    /// Runs a statement and gives all the rows that it answers.
    pub(crate) async fn rows<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<Vec<Row>, StoreError> {
        let query = sqlx::query_with(statement, arguments(values)?);
        let rows = query.fetch_all(&mut *self.inner).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Runs a statement and gives the first row that it answers.
    pub(crate) async fn row<const N: usize>(
        &mut self,
        statement: &'static str,
        values: [Value; N],
    ) -> Result<Option<Row>, StoreError> {
        let query = sqlx::query_with(statement, arguments(values)?);
        Ok(query.fetch_optional(&mut *self.inner).await?.map(Row))
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
        self.inner.commit().await?;
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

/// A value that a statement is given.
pub(crate) enum Value {
    /// Text, or SQL's NULL.
    Text(Option<String>),
    /// A number, or SQL's NULL.
    Int(Option<i64>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

fn arguments<const N: usize>(values: [Value; N]) -> Result<SqliteArguments, StoreError> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Value::Text(text) => arguments.add(text),
            Value::Int(number) => arguments.add(number),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// A row that a statement answered; columns are counted from 0.
pub(crate) struct Row(SqliteRow);

impl Row {
    /// Text that is always there.
    pub(crate) fn text(&self, column: usize) -> Result<&str, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Text that may be absent.
    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// The same as a text of its own.
    pub(crate) fn owned(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.maybe_text(column)?.map(str::to_owned))
    }

    /// A number that is always there.
    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// A number that may be absent.
    pub(crate) fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.0.try_get(column)?)
    }

    /// Text that has to be a `T`; `place` names it where it is not.
    pub(crate) fn parse<T>(&self, column: usize, place: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let text = self.text(column)?;
        text.parse().map_err(|why| StoreError::corrupt(place, why))
    }

    /// The same for text that may be absent.
    pub(crate) fn maybe_parse<T>(&self, column: usize, place: &str) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let parsed = self.maybe_text(column)?.map(str::parse).transpose();
        parsed.map_err(|why| StoreError::corrupt(place, why))
    }

    /// JSON that has to be a `T`.
    pub(crate) fn json<T>(&self, column: usize, place: &str) -> Result<T, StoreError>
    where
        T: serde::de::DeserializeOwned,
    {
        // The error of serde_json may quote the value, which may be a secret.
        serde_json::from_str(self.text(column)?)
            .map_err(|_| StoreError::corrupt(place, "it is not the JSON that it should be"))
    }
}

/// What stands in the database for structured values.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Invalid(error.to_string()))
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
