//! What can go wrong in the store, by what the caller does about it.

use std::fmt;

use sqlx::postgres::PgDatabaseError;

/// Why the store did not do what it was asked for. Each is a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It exists already, is in use or is held: the sentence names what stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// There is nothing of that name.
    #[error("{0}")]
    NotFound(String),
    /// What was given can't be stored, for the reason given.
    #[error("{0}")]
    Invalid(String),
    /// The database can't be used now; the same request may succeed later.
    #[error("the database can't be used: {0}")]
    Unavailable(String),
    /// No room is left for the database. Nothing of the request was stored.
    #[error(
        "the disk that holds the database is full: nothing of this request was stored; free some \
         space and send it again"
    )]
    DiskFull,
    /// What is stored can't be understood.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// A stored value that is not what it has to be. The value itself stays out of the sentence,
    /// since it may be a secret.
    pub(crate) fn corrupt(place: &str, why: impl fmt::Display) -> Self {
        Self::Corrupt(format!("{place}: {why}"))
    }
}

/// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>); extended ones carry
/// theirs in the low byte.
mod code {
    pub const READONLY: i32 = 8;
    pub const CORRUPT: i32 = 11;
    pub const FULL: i32 = 13;
    pub const CONSTRAINT: i32 = 19;
    pub const NOTADB: i32 = 26;
    /// The shared-memory file of the write-ahead log could not grow.
    pub const IOERR_SHMSIZE: i32 = 4874;
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                if database.try_downcast_ref::<PgDatabaseError>().is_some() {
                    of_postgres(&code, database.message())
                } else {
                    of_sqlite(code.parse().unwrap_or(0), database.message())
                }
            }
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::DiskFull,
            sqlx::Error::PoolTimedOut => {
                Self::Unavailable("it was busy with other requests for too long".into())
            }
            sqlx::Error::PoolClosed => Self::Unavailable("it is being shut down".into()),
            other @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                Self::Corrupt(other.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

fn of_sqlite(extended: i32, message: &str) -> StoreError {
    match (extended, extended & 0xff) {
        (code::IOERR_SHMSIZE, _) | (_, code::FULL) => StoreError::DiskFull,
        (_, code::CORRUPT | code::NOTADB) => StoreError::Corrupt(message.to_owned()),
        (_, code::CONSTRAINT) => {
            StoreError::Conflict(format!("it does not fit what is stored: {message}"))
        }
        (_, code::READONLY) => StoreError::Unavailable(format!(
            "it may not be written to ({message}): check the permissions of its file and directory"
        )),
        _ => StoreError::Unavailable(message.to_owned()),
    }
}

/// What is said of transactions that stood in each other's way; the store tries such again itself.
const COLLISION: &str = "two requests stood in each other's way: send it again";

/// Whether a transaction failed only because another one wrote at the same time.
pub(crate) fn is_collision(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(why) if why == COLLISION)
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), whose first two
/// characters are its class. The messages name tables and constraints, but show no values.
fn of_postgres(code: &str, message: &str) -> StoreError {
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        (_, "53100") => StoreError::DiskFull,
        (_, "40001" | "40P01") => StoreError::Unavailable(COLLISION.to_owned()),
        (_, "55P03" | "57014") => {
            StoreError::Unavailable("it was busy with other requests for too long".to_owned())
        }
        // Text with a character of number 0, which PostgreSQL has no room for.
        (_, "22P05" | "22021") => StoreError::Invalid(format!("it can't be stored: {message}")),
        ("23", _) => StoreError::Conflict(format!("it does not fit what is stored: {message}")),
        (_, "XX001" | "XX002") => StoreError::Corrupt(message.to_owned()),
        _ => StoreError::Unavailable(message.to_owned()),
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => inner.into(),
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                Self::Unavailable(format!(
                    "it was written by a newer xcat3 (schema version {version}): use that one"
                ))
            }
            other => Self::Corrupt(other.to_string()),
        }
    }
}
