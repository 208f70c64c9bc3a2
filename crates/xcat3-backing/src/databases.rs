//! Databases for tests: each its own, in a server that they share.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::postgres::programs;
use crate::{Error, Postgres, random_word};

/// The environment variable that names a server which is there already: the URL of a superuser's
/// connection to it.
pub const POSTGRES_VARIABLE: &str = "XCAT3_TEST_POSTGRES";

/// The server of this process, where none was named to it. It ends with the process.
static OWN: Mutex<Option<Postgres>> = Mutex::new(None);

/// A server that databases can be made in.
#[derive(Clone)]
pub struct Server {
    url: String,
}

impl Server {
    /// The server at this URL, of a connection that may create databases.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// The server that [`POSTGRES_VARIABLE`] names, else one that this process starts when it first
    /// needs it and that ends with it.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub fn shared() -> Result<Self, Error> {
        if let Some(url) = std::env::var(POSTGRES_VARIABLE)
            .ok()
            .filter(|url| !url.is_empty())
        {
            return Ok(Self::at(url));
        }
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_none() {
            *own = Some(Postgres::start_quick()?);
        }
        own.as_ref()
            .map(Postgres::server)
            .ok_or_else(|| Error::failed("starting PostgreSQL", ""))
    }

    /// A new, empty database.
    ///
    /// # Errors
    /// The server is away or refused.
    pub fn database(&self) -> Result<Database, Error> {
        self.create("")
    }

    /// A new database with all that is in the one called `template`, which nobody may use meanwhile.
    /// Nothing where there is no such database.
    ///
    /// # Errors
    /// The server is away or refused.
    pub fn copy_of(&self, template: &str) -> Result<Option<Database>, Error> {
        let exists = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if self.run(&exists)?.trim() != "1" {
            return Ok(None);
        }
        self.create(&format!(" TEMPLATE {template}")).map(Some)
    }

    /// Makes what is in `database`, which nobody uses, the template of this name. Where another
    /// process has just made one, that stays.
    ///
    /// # Errors
    /// The server is away or refused.
    pub fn keep_as(&self, database: &Database, template: &str) -> Result<(), Error> {
        let renamed = self.run(&format!(
            "ALTER DATABASE {} RENAME TO {template}",
            database.name
        ));
        match renamed {
            Ok(_) => Ok(()),
            Err(Error::Failed { output, .. }) if output.contains("already exists") => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn create(&self, how: &str) -> Result<Database, Error> {
        let name = format!("xcat3_test_{}", random_word()?);
        self.run(&format!("CREATE DATABASE {name}{how}"))?;
        Ok(Database {
            server: self.clone(),
            name,
        })
    }

    fn run(&self, statement: &str) -> Result<String, Error> {
        let mut command = Command::new(programs()?.join("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args([
            "--set=ON_ERROR_STOP=1",
            "--command",
            statement,
            "--dbname",
            &self.url,
        ]);
        let output = command.output().map_err(Error::system("starting psql"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::failed(
            statement,
            &String::from_utf8_lossy(&output.stderr),
        ))
    }
}

/// A database of one's own. Dropped, it is removed, whoever is still connected to it.
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    /// Its URL, with the password of its server.
    #[must_use]
    pub fn url(&self) -> String {
        let (path, options) = match self.server.url.split_once('?') {
            Some((path, options)) => (path, format!("?{options}")),
            None => (self.server.url.as_str(), String::new()),
        };
        let server = path.rsplit_once('/').map_or(path, |(server, _)| server);
        format!("{server}/{}{options}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Where the server is away, it is on its way out with all that it has.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = self.server.run(&drop);
    }
}
