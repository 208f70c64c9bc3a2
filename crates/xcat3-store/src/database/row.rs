//! Values that statements are given and rows that they answer, alike for both databases.

use serde::Serialize;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Column as _, Row as _, TypeInfo as _};

use crate::StoreError;

/// A value that a statement is given. It has a type even where it is NULL: PostgreSQL wants to know.
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

pub(super) fn for_sqlite<const N: usize>(
    values: [Value; N],
) -> Result<SqliteArguments, StoreError> {
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

pub(super) fn for_postgres<const N: usize>(values: [Value; N]) -> Result<PgArguments, StoreError> {
    let mut arguments = PgArguments::default();
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
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// Text that is always there.
    pub(crate) fn text(&self, column: usize) -> Result<&str, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// Text that may be absent.
    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The same as a text of its own.
    pub(crate) fn owned(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.maybe_text(column)?.map(str::to_owned))
    }

    /// A number that is always there; of a condition 0 or 1.
    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        let absent = || StoreError::corrupt("a number", "it is absent");
        self.maybe_int(column)?.ok_or_else(absent)
    }

    /// A number that may be absent.
    pub(crate) fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        let row = match self {
            Self::Sqlite(row) => return Ok(row.try_get(column)?),
            Self::Postgres(row) => row,
        };
        // SQLite has one kind of number; PostgreSQL tells conditions and constants from columns.
        Ok(match row.try_column(column)?.type_info().name() {
            "BOOL" => row.try_get::<Option<bool>, _>(column)?.map(i64::from),
            "INT4" => row.try_get::<Option<i32>, _>(column)?.map(i64::from),
            _ => row.try_get(column)?,
        })
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
