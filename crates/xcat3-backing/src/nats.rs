//! A NATS server of one's own, with JetStream.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::supervised::Supervised;
use crate::{Error, check_tier, free_port, random_word};

/// The environment variable that names a server which is there already: its URL, user and password
/// included.
pub const NATS_VARIABLE: &str = "XCAT3_TEST_NATS";

/// Where Debian has the program, and where others put it.
const PROGRAMS: [&str; 3] = [
    "/usr/sbin/nats-server",
    "/usr/bin/nats-server",
    "/usr/local/bin/nats-server",
];
/// How long a server that is up takes to greet.
const GREETING: Duration = Duration::from_secs(1);

/// The server of this process, where none was named to it. It ends with the process.
static OWN: Mutex<Option<Nats>> = Mutex::new(None);

/// A NATS server with JetStream on file storage, on a port of 127.0.0.1 or of another address of a
/// namespace of one's own, that lets in who has its
/// password. Dropped, or when the process ends in whatever way, it is ended and all that it stored is
/// removed.
pub struct Nats {
    // Before the directory, so that the server ends first.
    running: Option<Supervised>,
    directory: TempDir,
    program: PathBuf,
    address: Ipv4Addr,
    port: u16,
    password: String,
}

impl Nats {
    /// Makes and starts a server.
    ///
    /// # Errors
    /// NATS is not installed, or does not start.
    pub fn start() -> Result<Self, Error> {
        Self::start_on(Ipv4Addr::LOCALHOST)
    }

    /// The same on an address that other network namespaces reach.
    ///
    /// # Errors
    /// NATS is not installed, or does not start.
    pub fn start_on(address: Ipv4Addr) -> Result<Self, Error> {
        let mut nats = Self::prepare()?;
        nats.address = address;
        nats.start_again()?;
        Ok(nats)
    }

    /// Makes a server that is not there yet: [`Nats::start_again`] starts it.
    ///
    /// # Errors
    /// NATS is not installed.
    pub fn prepare() -> Result<Self, Error> {
        check_tier("NATS")?;
        let program = PROGRAMS
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists());
        let program = program.ok_or_else(|| Error::Missing {
            program: "nats-server".to_owned(),
            package: "nats-server",
        })?;
        let directory = tempfile::Builder::new().prefix("xcat3-nats-").tempdir();
        Ok(Self {
            running: None,
            directory: directory.map_err(Error::system("making a temporary directory"))?,
            program,
            address: Ipv4Addr::LOCALHOST,
            port: free_port()?,
            password: random_word()?,
        })
    }

    /// The URL of the server that [`NATS_VARIABLE`] names, else of one that this process starts when
    /// it first needs it and that ends with it. Who uses it keeps to subjects of its own.
    ///
    /// # Errors
    /// NATS is not installed, or does not start.
    pub fn shared_url() -> Result<String, Error> {
        if let Some(url) = std::env::var(NATS_VARIABLE)
            .ok()
            .filter(|url| !url.is_empty())
        {
            return Ok(url);
        }
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_none() {
            *own = Some(Self::start()?);
        }
        own.as_ref()
            .map(Self::url)
            .ok_or_else(|| Error::failed("starting NATS", ""))
    }

    /// Its URL, with user and password.
    #[must_use]
    pub fn url(&self) -> String {
        let (password, address, port) = (&self.password, self.address, self.port);
        format!("nats://xcat3:{password}@{address}:{port}")
    }

    /// The port that it listens on, or will.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password in its URL.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Kills it (SIGKILL), as a loss of power would but for what the kernel still writes.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("KILL");
        }
    }

    /// Stops it in good order.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("TERM");
        }
    }

    /// Starts it where it was, after [`Nats::kill`] or [`Nats::stop`].
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            return Ok(());
        }
        let directory = self.directory.path();
        let configuration = directory.join("nats.conf");
        let text = format!(
            "listen: \"{}:{}\"\n\
             jetstream {{ store_dir: \"{}\", max_mem: 64MB, max_file: 1GB }}\n\
             authorization {{ user: xcat3, password: \"{}\" }}\n",
            self.address,
            self.port,
            self.data().display(),
            self.password
        );
        std::fs::write(&configuration, text).map_err(Error::system("writing nats.conf"))?;
        let arguments = ["-c".to_owned(), configuration.display().to_string()];
        let running = Supervised::start(directory, None, "TERM", &self.program, &arguments)?;
        running.wait_until("starting NATS", || greets((self.address, self.port).into()))?;
        self.running = Some(running);
        Ok(())
    }

    /// Removes all that it stored. It must not run.
    ///
    /// # Errors
    /// It runs, or the system refused.
    pub fn forget_all(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            return Err(Error::failed("removing what NATS stored", "it runs"));
        }
        match std::fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::system("removing what NATS stored")(error))
            }
            _ => Ok(()),
        }
    }

    /// Has it stand still, so that who asks it waits.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Undoes [`Nats::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// The id of its process, while it runs.
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

    fn data(&self) -> PathBuf {
        self.directory.path().join(Path::new("jetstream"))
    }
}

/// Whether a server on this port says `INFO` to who connects, which it does when all is read back
/// that it had stored.
fn greets(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect_timeout(&address, GREETING) else {
        return false;
    };
    let mut line = Vec::new();
    stream.set_read_timeout(Some(GREETING)).is_ok()
        && BufReader::new(stream).read_until(b' ', &mut line).is_ok()
        && line.starts_with(b"INFO")
}
