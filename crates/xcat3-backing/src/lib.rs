//! Real PostgreSQL and NATS servers of one's own, for tests and benchmarks: on loopback, in a
//! temporary directory, killed and started again at will, and never left behind.
//!
//! Each server is the child of a small shell that waits on a pipe from the process that asked for
//! the server. Whatever ends that process, SIGKILL included, closes the pipe, and the shell ends the
//! server and removes its directory. Not for production: no configuration of ours would suit it.
//!
//! `xcat3-backing run -- COMMAND…` starts one server of each kind, names them to the command in
//! environment variables, and ends them with it; [`Server::shared`] and [`Nats::shared_url`] find them
//! there.

mod databases;
mod nats;
mod postgres;
mod stop;
mod supervised;

use std::path::Path;

pub use databases::{Database, POSTGRES_VARIABLE, Server};
pub use nats::{NATS_VARIABLE, Nats};
pub use postgres::Postgres;
pub use stop::stand_still;

/// The environment variable that says which tier of tests runs; `cargo xtask test` sets it.
const TIER_VARIABLE: &str = "XCAT3_TEST_TIER";

/// Why there is no server. Each is a sentence for who runs the tests.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("{program} is not installed: apt-get install {package} (cargo xtask packages does it)")]
    Missing {
        /// What was looked for.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A quick test asked for a server.
    #[error(
        "{program} is not for quick tests: mark this one with #[ignore = \"real: …\"] as CONTRIBUTING.md says"
    )]
    QuickTier {
        /// What was to be started.
        program: &'static str,
    },
    /// The system refused something.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// A program failed, or a server did not come up.
    #[error("{what} failed:\n{output}")]
    Failed {
        /// What was tried.
        what: String,
        /// The last lines that it wrote.
        output: String,
    },
}

impl Error {
    fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |why| Self::System { what, why }
    }

    fn failed(what: impl Into<String>, output: &str) -> Self {
        let from = output
            .char_indices()
            .rev()
            .nth(4_000)
            .map_or(0, |(at, _)| at);
        let (what, output) = (what.into(), output[from..].trim().to_owned());
        Self::Failed { what, output }
    }
}

/// Refuses to start a server in a run of quick tests ([`TIER_VARIABLE`]): they must pass on machines
/// that have no servers.
fn check_tier(program: &'static str) -> Result<(), Error> {
    match std::env::var(TIER_VARIABLE) {
        Ok(tier) if tier == "quick" => Err(Error::QuickTier { program }),
        _ => Ok(()),
    }
}

/// A TCP port of 127.0.0.1 that nobody listens on. Below the range that the kernel takes for outgoing
/// connections: a client that tries again and again while its server is away could otherwise be
/// given the server's port as its own.
fn free_port() -> Result<u16, Error> {
    let mut why = std::io::Error::other("no port was tried");
    for _ in 0..100 {
        let port = 20_000 + u16::from_be_bytes(random::<2>()?) % 12_000;
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => why = error,
        }
    }
    Err(Error::system("looking for a free port")(why))
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    use std::io::Read as _;
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::system("reading /dev/urandom"))?;
    Ok(bytes)
}

fn random_word() -> Result<String, Error> {
    let bytes = random::<8>()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
