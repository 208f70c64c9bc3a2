//! Opening a PostgreSQL database, and going on when it was away.
//!
//! A process holds at most [`WRITERS`] + [`READERS`] connections, so that two dozen worker processes
//! stay below the hundred that PostgreSQL allows by default.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{PATIENCE, Turn};
use crate::{StoreError, local_ms, set_ahead_ms};

/// Connections of a process that write at the same time.
const WRITERS: u32 = 2;
/// Connections of a process that read at the same time.
const READERS: u32 = 2;
/// For how long a request waits until it asks whether the database is there at all.
const AWAY: Duration = Duration::from_secs(5);
/// After how long a connection is replaced, and the clocks are compared again.
const LIFETIME: Duration = Duration::from_secs(1_800);
/// The oldest PostgreSQL that will do.
const OLDEST: u32 = 13;
/// How long connecting may take.
const CONNECTING: Duration = Duration::from_secs(3);
/// For how long it is believed what was found out about the database being there.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long a statement may take here; the server itself gives up before.
pub(super) const STATEMENT: Duration = Duration::from_secs(35);

/// What each connection begins with.
///
/// The planner knows the tables of an empty database as empty, and they fill within seconds: it is
/// to look at them each time (`plan_cache_mode`), to believe that indexes are cheap, as they are in
/// memory or on solid-state disks, to look up the rows that a statement names by their keys instead of
/// reading the whole table for a thousand of them (`enable_hashjoin` and its like: nothing of ours
/// joins whole tables), and never to compile a statement, which takes longer than any of
/// ours runs (`jit`). A process that stops in the middle of a transaction, or whose host is cut off,
/// must not hold the others up for long (`idle_in_transaction_session_timeout`).
const SESSION: &str = "
    SET plan_cache_mode = force_custom_plan;
    SET random_page_cost = 1.1;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET enable_material = off;
    SET jit = off;
    SET lock_timeout = '30s';
    SET statement_timeout = '30s';
    SET idle_in_transaction_session_timeout = '10s'";

/// The first key of the advisory locks of writers: `xcat` in ASCII. They are of one database; sqlx
/// locks migrations with keys of the other kind.
const WRITING: i32 = 0x7863_6174;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// An open PostgreSQL database.
#[derive(Clone)]
pub(crate) struct PostgresDatabase {
    writers: PgPool,
    readers: PgPool,
    presence: Arc<Presence>,
}

/// Where it is, without the password: the options of sqlx show theirs.
impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.presence.options;
        f.debug_struct("PostgresDatabase")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    /// Connects and brings the schema up to date. Where several processes do it at once, one does
    /// and the others wait.
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        // What can't be understood may be a part of the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            let form = "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=MODE";
            StoreError::Invalid(format!("the URL of the database is not of the form {form}"))
        })?;
        let options = options
            .application_name("xcat3")
            .disable_statement_logging();
        migrate(&options).await?;
        Ok(Self {
            writers: pool(WRITERS).connect_lazy_with(options.clone()),
            readers: pool(READERS).connect_lazy_with(options.clone()),
            presence: Arc::new(Presence::of(options)),
        })
    }

    /// Begins a transaction that writes. Each of its statements sees all that was committed before,
    /// and with [`Turn::Alone`] that is the state that it leaves behind itself, for nobody else
    /// writes meanwhile.
    pub(super) async fn write(
        &self,
        turn: Turn,
    ) -> Result<sqlx::Transaction<'static, Postgres>, StoreError> {
        let mut tx = self.begin(&self.writers, "BEGIN").await?;
        let lock = match turn {
            Turn::Alone => "SELECT pg_advisory_xact_lock($1, 0)",
            Turn::Shared => "SELECT pg_advisory_xact_lock_shared($1, 0)",
        };
        let locking = sqlx::query(lock).bind(WRITING).execute(&mut *tx);
        in_time(locking).await?;
        Ok(tx)
    }

    /// Begins a transaction that only reads and sees one state of the database throughout.
    pub(super) async fn read(&self) -> Result<sqlx::Transaction<'static, Postgres>, StoreError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.begin(&self.readers, begin).await
    }

    /// A transaction on a connection that works: one that broke meanwhile is replaced. Waits for its
    /// turn while the database is there; where it is not, that is told after a few seconds, however
    /// many wait.
    async fn begin(
        &self,
        pool: &PgPool,
        statement: &'static str,
    ) -> Result<sqlx::Transaction<'static, Postgres>, StoreError> {
        let mut beginning = std::pin::pin!(pool.begin_with(statement));
        loop {
            match timeout(AWAY, &mut beginning).await {
                Ok(begun) => return Ok(begun?),
                Err(_) => self.presence.check().await?,
            }
        }
    }

    /// Ends all connections once their statements have ended.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// Waits for what was asked of the database. A host that is cut off answers nothing, not even that.
pub(super) async fn in_time<T>(
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(STATEMENT, asking).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Unavailable(format!(
            "it did not answer within {} seconds",
            STATEMENT.as_secs()
        ))),
    }
}

/// Commits. Where the connection breaks meanwhile, it may have happened or not.
pub(super) async fn commit(tx: sqlx::Transaction<'static, Postgres>) -> Result<(), StoreError> {
    match timeout(STATEMENT, tx.commit()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error @ sqlx::Error::Database(_))) => Err(error.into()),
        Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable(
            "the connection to it was lost while this request was being stored: whether it was is \
             not known"
                .to_owned(),
        )),
    }
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(Duration::from_secs(600))
        .max_lifetime(LIFETIME)
        .test_before_acquire(true)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(SESSION).await?;
                set_clock(connection).await
            })
        })
        .after_release(|connection, _| Box::pin(is_usable(connection)))
}

/// The hosts that share the database go by its clock: reservations and heartbeats would end too early
/// or too late by those of hosts that are ahead or behind.
async fn set_clock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let clock = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
    let before = local_ms();
    let theirs = sqlx::query_scalar::<_, i64>(clock).persistent(false);
    let theirs = theirs.fetch_one(connection).await?;
    set_ahead_ms(ahead(before, theirs, local_ms()));
    Ok(())
}

/// By how much a clock is ahead that showed `theirs` when ours was between `before` and `after`; 0
/// where it may be the same.
fn ahead(before: i64, theirs: i64, after: i64) -> i64 {
    if (before..=after).contains(&theirs) {
        0
    } else {
        theirs - (before + (after - before) / 2)
    }
}

/// The ping waits until a transaction that was dropped has been rolled back; of a host that is cut
/// off it hears nothing.
async fn is_usable(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    Ok(timeout(CONNECTING, connection.ping())
        .await
        .is_ok_and(|answer| answer.is_ok()))
}

/// Connects once.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    match timeout(CONNECTING, options.connect()).await {
        Ok(connected) => Ok(connected?),
        Err(_) => {
            let (host, port) = (options.get_host(), options.get_port());
            let why = format!("{host} port {port} does not answer");
            Err(StoreError::Unavailable(why))
        }
    }
}

/// On a connection of its own: a migration may take longer than a request.
async fn migrate(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = connect(options).await?;
    if connection
        .server_version_num()
        .is_some_and(|version| version < OLDEST * 10_000)
    {
        let why = format!("PostgreSQL {OLDEST} or newer is needed");
        return Err(StoreError::Invalid(why));
    }
    let encoding = sqlx::query_scalar::<_, String>("SHOW server_encoding");
    if encoding.fetch_one(&mut connection).await? != "UTF8" {
        let why = "the database must have the encoding UTF8: createdb --encoding=UTF8";
        return Err(StoreError::Invalid(why.to_owned()));
    }
    MIGRATIONS.run_direct(None, &mut connection, false).await?;
    // It has done its work, whether it says goodbye or not.
    let _ = connection.close().await;
    Ok(())
}

/// Whether the database is there, found out at most once a second however many ask.
struct Presence {
    options: PgConnectOptions,
    last: Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Presence {
    fn of(options: PgConnectOptions) -> Self {
        let last = Mutex::new(None);
        Self { options, last }
    }

    /// Says why it is not there, if it is not.
    async fn check(&self) -> Result<(), StoreError> {
        let mut last = self.last.lock().await;
        let found = match &*last {
            Some((when, found)) if when.elapsed() < BELIEVED => found.clone(),
            _ => {
                let found = self.look().await;
                *last = Some((Instant::now(), found.clone()));
                found
            }
        };
        found.map_err(StoreError::Unavailable)
    }

    async fn look(&self) -> Result<(), String> {
        match connect(&self.options).await {
            Ok(connection) => {
                let _ = timeout(CONNECTING, connection.close()).await;
                Ok(())
            }
            Err(StoreError::Unavailable(why)) => Err(why),
            Err(other) => Err(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ahead;

    #[test]
    fn clocks_differ_only_where_they_must() {
        assert_eq!(ahead(1_000, 1_000, 1_000), 0);
        assert_eq!(ahead(1_000, 1_030, 1_040), 0, "the answer took that long");
        assert_eq!(ahead(1_000, 61_020, 1_040), 60_000);
        assert_eq!(ahead(61_000, 1_020, 61_040), -60_000);
    }
}
