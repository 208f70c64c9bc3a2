//! A PostgreSQL server of one's own.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::supervised::Supervised;
use crate::{Database, Error, Server, check_tier, free_port, random_word};

const PACKAGE: &str = "postgresql";
/// Who runs it where we are root, since it refuses to run as root.
const USER: &str = "postgres";
/// A server that loses data when the machine does, and is quicker for it.
const QUICK: [&str; 4] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=300",
];

/// A PostgreSQL server with a superuser `xcat3`, on a port of 127.0.0.1 or of another address of a
/// namespace of one's own. Dropped, or when the process
/// ends in whatever way, it is ended and all that it stored is removed.
///
/// Texts are sorted in it as people of the en-US locale expect, not by bytes, so that a statement
/// which relies on the order of bytes without saying so is found out.
pub struct Postgres {
    // Before the directory, so that the server ends first.
    running: Option<Supervised>,
    directory: TempDir,
    programs: PathBuf,
    user: Option<&'static str>,
    address: Ipv4Addr,
    port: u16,
    password: String,
    settings: &'static [&'static str],
}

impl Postgres {
    /// Makes and starts a server that writes to the disk what it says it has, as in production.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub fn start() -> Result<Self, Error> {
        Self::start_on(Ipv4Addr::LOCALHOST)
    }

    /// The same on an address that other network namespaces reach.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub fn start_on(address: Ipv4Addr) -> Result<Self, Error> {
        Self::make(address, &[])
    }

    /// The same, of which a loss of power may take everything: quicker, for tests of what is in it.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start.
    pub fn start_quick() -> Result<Self, Error> {
        Self::make(Ipv4Addr::LOCALHOST, &QUICK)
    }

    fn make(address: Ipv4Addr, settings: &'static [&'static str]) -> Result<Self, Error> {
        check_tier("PostgreSQL")?;
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("xcat3-postgres-").tempdir();
        let mut postgres = Self {
            running: None,
            directory: directory.map_err(Error::system("making a temporary directory"))?,
            programs,
            user: rustix::process::geteuid().is_root().then_some(USER),
            address,
            port: free_port()?,
            password: random_word()?,
            settings,
        };
        postgres.initialise()?;
        postgres.start_again()?;
        Ok(postgres)
    }

    /// The URL of its own administrative database.
    #[must_use]
    pub fn url(&self) -> String {
        let (password, address, port) = (&self.password, self.address, self.port);
        format!("postgres://xcat3:{password}@{address}:{port}/postgres")
    }

    /// A new database in it, which is removed when it is dropped.
    ///
    /// # Errors
    /// The server is away or refused.
    pub fn database(&self) -> Result<Database, Error> {
        self.server().database()
    }

    /// The server, to make databases in.
    #[must_use]
    pub fn server(&self) -> Server {
        Server::at(self.url())
    }

    /// Kills it (SIGKILL), as a loss of power would but for what the kernel still writes.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("KILL");
        }
    }

    /// Stops it in good order, without waiting for its clients ("fast" shutdown).
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("INT");
        }
    }

    /// Starts it where it was, after [`Postgres::kill`] or [`Postgres::stop`].
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            return Ok(());
        }
        let mut arguments = vec!["-D".to_owned(), self.path("data")];
        let own = [
            format!("port={}", self.port),
            format!("listen_addresses={}", self.address),
            format!(
                "unix_socket_directories={}",
                self.directory.path().display()
            ),
            // In its directory, so that nothing stays in /dev/shm after it was killed.
            "dynamic_shared_memory_type=mmap".to_owned(),
        ];
        for setting in own
            .into_iter()
            .chain(self.settings.iter().map(ToString::to_string))
        {
            arguments.extend(["-c".to_owned(), setting]);
        }
        let program = self.programs.join("postgres");
        let directory = self.directory.path();
        let running = Supervised::start(directory, self.user, "QUIT", &program, &arguments)?;
        let ready = || {
            let mut command = Command::new(self.programs.join("pg_isready"));
            command.args([
                "--quiet",
                &format!("--host={}", self.address),
                &format!("--port={}", self.port),
            ]);
            command.status().is_ok_and(|status| status.success())
        };
        running.wait_until("starting PostgreSQL", ready)?;
        self.running = Some(running);
        Ok(())
    }

    /// Has it and all that work for it stand still, so that who asks it waits. What connects is
    /// accepted by the kernel and hears nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Undoes [`Postgres::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The id of its first process, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        let running = self.running.as_ref()?;
        Some(running.pid().as_raw_nonzero().get())
    }

    fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            running.signal_all(signal);
        }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn initialise(&self) -> Result<(), Error> {
        let directory = self.directory.path();
        let secret = directory.join("password");
        std::fs::write(&secret, &self.password).map_err(Error::system("writing a password"))?;
        let mut command = Command::new("setpriv");
        if let Some(user) = self.user {
            let (uid, gid) = ids_of(user)?;
            for path in [directory, &secret] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(Error::system(
                    format!("giving {} to {user}", path.display()),
                ))?;
            }
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg("--").arg(self.programs.join("initdb"));
        command.args([
            "--pgdata",
            &self.path("data"),
            "--pwfile",
            &self.path("password"),
        ]);
        command.args(["--username=xcat3", "--auth=scram-sha-256", "--no-sync"]);
        command.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]);
        command.args(["--locale-provider=icu", "--icu-locale=en-US"]);
        let output = command.current_dir(directory).output();
        let output = output.map_err(Error::system("starting setpriv and initdb"))?;
        let _ = std::fs::remove_file(secret);
        if output.status.success() {
            return self.let_in();
        }
        Err(Error::failed(
            "initdb",
            &String::from_utf8_lossy(&output.stderr),
        ))
    }

    /// Lets in who has the password from wherever its address is reached.
    fn let_in(&self) -> Result<(), Error> {
        let what = "writing pg_hba.conf";
        let file = std::fs::File::options()
            .append(true)
            .open(self.path("data/pg_hba.conf"));
        let line = b"host all all 0.0.0.0/0 scram-sha-256\n";
        file.and_then(|mut file| file.write_all(line))
            .map_err(Error::system(what))
    }
}

/// Where Debian has the programs of the newest PostgreSQL that is installed.
pub(crate) fn programs() -> Result<PathBuf, Error> {
    let missing = || Error::Missing {
        program: "PostgreSQL".to_owned(),
        package: PACKAGE,
    };
    let versions = std::fs::read_dir("/usr/lib/postgresql").map_err(|_| missing())?;
    versions
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .exists()
                .then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs)
        .ok_or_else(missing)
}

/// User and group of a name, from /etc/passwd.
fn ids_of(user: &str) -> Result<(u32, u32), Error> {
    let path = Path::new("/etc/passwd");
    let users = std::fs::read_to_string(path).map_err(Error::system("reading /etc/passwd"))?;
    let ids = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.first() == Some(&user)).then_some(())?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    let missing = Error::Missing {
        program: format!("the user {user}"),
        package: PACKAGE,
    };
    users.lines().find_map(ids).ok_or(missing)
}
