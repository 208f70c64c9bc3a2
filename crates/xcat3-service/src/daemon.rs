//! What `main.rs` of every daemon shares: arguments, runtime, logging, state directory, store,
//! signals, and how a failure is told: one sentence on standard error and exit code 1.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use xcat3_store::Store;

use crate::state_dir::Environment;
use crate::{Config, StateDir, logging, shutdown};

/// The arguments of every daemon.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "daemon")]
pub struct Arguments {
    /// Configuration file (TOML); without one every setting has its default
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Directory for what must survive the daemon [default: /var/lib/xcat3 for root, else
    /// ~/.local/state/xcat3]
    #[arg(long, value_name = "DIR", env = "XCAT3_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Log what goes on in detail
    #[arg(long)]
    pub debug: bool,
}

/// What a daemon stands on.
#[derive(Clone)]
pub struct Foundation {
    /// The configuration, its defaults included.
    pub config: Config,
    /// The state directory.
    pub state: StateDir,
    /// The store, open and migrated.
    pub store: Store,
    /// Cancelled when the daemon is to stop.
    pub shutdown: CancellationToken,
}

/// Reads the configuration and finds the state directory.
///
/// # Errors
/// The configuration is wrong or the state directory can't be used.
pub fn prepare(arguments: &Arguments) -> anyhow::Result<(Config, StateDir)> {
    let config = Config::load(arguments.config_file.as_deref())?;
    let chosen = arguments
        .state_dir
        .clone()
        .or_else(|| config.state_dir.clone());
    let path = match chosen {
        Some(path) => path,
        None => Environment::read().default_state_dir()?,
    };
    Ok((config, StateDir::open(&path)?))
}

/// The database that `config` names, else the one in the state directory.
#[must_use]
pub fn database(config: &Config, state: &StateDir) -> String {
    config.database.clone().unwrap_or_else(|| state.database())
}

/// The database in a sentence: its file, but nothing of a URL that may hold a password.
fn shown(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) => format!("the database {path}"),
        None => "the database".to_owned(),
    }
}

/// Runs the daemon `name` until `service` ends, in a runtime of its own.
///
/// `before` changes the configuration by the daemon's own arguments and may claim what only one
/// process may have; what it returns is held until the end.
pub fn main<Claim, Run, Running>(
    name: &str,
    arguments: &Arguments,
    before: impl FnOnce(&mut Config, &StateDir) -> anyhow::Result<Claim>,
    service: Run,
) -> ExitCode
where
    Run: FnOnce(Foundation) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    logging::start(std::env::var("RUST_LOG").ok().as_deref(), arguments.debug);
    raise_descriptor_limit();
    let result = prepare(arguments).and_then(|(mut config, state)| {
        let _claim = before(&mut config, &state)?;
        run(config, state, service)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Thousands of machines that boot at once are thousands of sockets, and the usual soft limit of 1,024
/// is for programs that use `select`. What the administrator set as the hard limit stays the limit.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

fn run<Run, Running>(config: Config, state: StateDir, service: Run) -> anyhow::Result<()>
where
    Run: FnOnce(Foundation) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        let shutdown = shutdown::on_signal().context("cannot listen for signals")?;
        let url = database(&config, &state);
        let opened = Store::open(&url).await;
        let store = opened.with_context(|| format!("cannot open {}", shown(&url)))?;
        service(Foundation {
            config,
            state,
            store,
            shutdown,
        })
        .await
    })
}
