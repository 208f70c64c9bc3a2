//! Passwords that installed machines are given. Their values never come into an error.

use xcat3_core::Passwd;

use crate::database::{Row, Tx};
use crate::feed::Kind;
use crate::{Revision, Store, StoreError};

impl Store {
    /// Adds a password entry.
    ///
    /// # Errors
    /// Its key is taken.
    pub async fn create_passwd(&self, passwd: &Passwd) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if by_key(&mut tx, &passwd.key).await?.is_some() {
            return Err(StoreError::Conflict(format!(
                "passwd {} exists already",
                passwd.key
            )));
        }
        write(&mut tx, passwd).await?;
        tx.exhume(Kind::Passwd, [passwd.key.as_str()]).await?;
        tx.commit().await
    }

    /// The password entry of this key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn passwd(&self, key: &str) -> Result<Option<Passwd>, StoreError> {
        by_key(&mut self.read().await?, key).await
    }

    /// All password entries, by key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn passwds(&self) -> Result<Vec<Passwd>, StoreError> {
        passwds_since(&mut self.read().await?, -1).await
    }

    /// Changes a password entry and gives it as it is then.
    ///
    /// # Errors
    /// There is no such entry, or `change` refused it ([`StoreError::Invalid`]).
    pub async fn update_passwd(
        &self,
        key: &str,
        change: &mut (dyn FnMut(&mut Passwd) -> Result<(), String> + Send),
    ) -> Result<Passwd, StoreError> {
        let mut tx = self.write().await?;
        let old = by_key(&mut tx, key).await?.ok_or_else(|| missing(key))?;
        let mut new = old.clone();
        change(&mut new).map_err(StoreError::Invalid)?;
        if new.key != old.key {
            let why = "the key of a passwd can't be changed";
            return Err(StoreError::Invalid(why.to_owned()));
        }
        if new != old {
            write(&mut tx, &new).await?;
            tx.commit().await?;
        }
        Ok(new)
    }

    /// Removes a password entry.
    ///
    /// # Errors
    /// There is no such entry.
    pub async fn delete_passwd(&self, key: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if tx
            .run("DELETE FROM passwds WHERE key = $1", [key.into()])
            .await?
            == 0
        {
            return Err(missing(key));
        }
        tx.bury(Kind::Passwd, [key]).await?;
        tx.commit().await
    }
}

fn missing(key: &str) -> StoreError {
    StoreError::NotFound(format!("passwd {key} does not exist"))
}

async fn by_key(tx: &mut Tx, key: &str) -> Result<Option<Passwd>, StoreError> {
    let statement = "SELECT key, username, password, crypt_method FROM passwds WHERE key = $1";
    let row = tx.row(statement, [key.into()]).await?;
    row.as_ref().map(passwd_of).transpose()
}

/// The password entries that changed after `revision`, by key.
pub(crate) async fn passwds_since(
    tx: &mut Tx,
    revision: Revision,
) -> Result<Vec<Passwd>, StoreError> {
    let statement = "
        SELECT key, username, password, crypt_method
        FROM passwds WHERE revision > $1 ORDER BY key";
    let rows = tx.rows(statement, [revision.into()]).await?;
    rows.iter().map(passwd_of).collect()
}

fn passwd_of(row: &Row) -> Result<Passwd, StoreError> {
    Ok(Passwd {
        key: row.text(0)?.to_owned(),
        username: row.owned(1)?,
        password: row.owned(2)?,
        crypt_method: row.owned(3)?,
    })
}

async fn write(tx: &mut Tx, passwd: &Passwd) -> Result<(), StoreError> {
    let revision = tx.new_revision().await?;
    let statement = "
        INSERT INTO passwds (key, username, password, crypt_method, revision)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (key) DO UPDATE
        SET username = excluded.username, password = excluded.password,
            crypt_method = excluded.crypt_method, revision = excluded.revision";
    let values = [
        passwd.key.as_str().into(),
        passwd.username.clone().into(),
        passwd.password.clone().into(),
        passwd.crypt_method.clone().into(),
        revision.into(),
    ];
    tx.run(statement, values).await.map(|_| ())
}
