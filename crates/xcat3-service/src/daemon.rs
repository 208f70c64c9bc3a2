//! What `main.rs` of every daemon shares: arguments, configuration, state directory, store and bus,
//! and how a failure is told: one sentence on standard error and exit code 1.
//!
//! [`main`] is for daemons with worker processes ([`crate::workers`]), [`alone`] for `xcat3d`.

mod alone;
mod open;

use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use xcat3_store::Store;

use crate::bus::BusSettings;
use crate::slot::Slot;
use crate::state_dir::Environment;
use crate::workers::{self, Daemon, Worker};
use crate::{Bus, Config, StateDir, feed};

pub use alone::alone;

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
    /// Be this worker of the process that started this one
    #[arg(long, value_name = "K", hide = true)]
    pub worker: Option<u32>,
}

/// What a service stands on.
#[derive(Clone)]
pub struct Foundation {
    /// The configuration, its defaults included.
    pub config: Config,
    /// The state directory.
    pub state: StateDir,
    /// The store, open and migrated.
    pub store: Store,
    /// The bus, connected.
    pub bus: Arc<dyn Bus>,
    /// The place of this process among the workers of its host.
    pub slot: Slot,
    /// The socket that all workers share, where the daemon has one: bound, maybe not yet listening.
    pub socket: Option<Arc<OwnedFd>>,
    /// Cancelled when the daemon is to stop.
    pub shutdown: CancellationToken,
}

/// Where the state directory is, by argument, by configuration, by default.
pub(crate) fn state_path(arguments: &Arguments, config: &Config) -> anyhow::Result<PathBuf> {
    let chosen = arguments
        .state_dir
        .clone()
        .or_else(|| config.general().state_dir.clone());
    let path = match chosen {
        Some(path) => path,
        None => Environment::read().default_state_dir()?,
    };
    Ok(std::path::absolute(&path).unwrap_or(path))
}

/// The state directory, made where it is missing.
pub(crate) fn state_dir(arguments: &Arguments, config: &Config) -> anyhow::Result<StateDir> {
    Ok(StateDir::open(&state_path(arguments, config)?)?)
}

/// The database that `config` names, else the one in the state directory.
#[must_use]
pub fn database(config: &Config, state: &StateDir) -> String {
    let configured = config.general().database.clone();
    configured.unwrap_or_else(|| state.database())
}

/// Runs a daemon with worker processes, of which each runs `service`.
///
/// `adjust` changes the configuration by the daemon's own arguments.
pub fn main<Run, Running>(
    daemon: &Daemon,
    arguments: &Arguments,
    adjust: impl Fn(&mut Config),
    service: Run,
) -> ExitCode
where
    Run: FnOnce(Foundation) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    raise_descriptor_limit();
    let read = || {
        let mut config = Config::load(arguments.config_file.as_deref())?;
        adjust(&mut config);
        require_bus(daemon.name, &config)?;
        Ok(config)
    };
    let kind = daemon.kind;
    workers::main(daemon, arguments, read, |worker| async move {
        let Worker {
            config,
            state,
            slot,
            socket,
            mut lost,
            shutdown,
        } = worker;
        let Some((store, bus)) = open::patiently(&config, &state, &slot, &shutdown).await? else {
            return Ok(());
        };
        let _telling = feed::tell(&store, bus.clone());
        let (sign_off, hostname) = (store.clone(), slot.hostname.clone());
        tokio::spawn(async move {
            while let Some(instance) = lost.recv().await {
                let signed_off = sign_off.retire_service(&hostname, kind, instance).await;
                if let Err(error) = signed_off {
                    tracing::warn!(%error, "a worker that was lost counts as online for a while");
                }
            }
        });
        let ended = service(Foundation {
            config,
            state,
            store: store.clone(),
            bus: bus.clone(),
            slot,
            socket: socket.map(Arc::new),
            shutdown,
        })
        .await;
        bus.close().await;
        store.close().await;
        ended
    })
}

/// Processes hand one another work by a message broker only.
fn require_bus(name: &str, config: &Config) -> anyhow::Result<()> {
    let bus: BusSettings = config.section("bus")?;
    anyhow::ensure!(
        bus.url.is_some(),
        "{name} and the other daemons hand one another work by a message broker, and none is \
         configured: set url in the section [bus], or run xcat3d, which is all of them in one process"
    );
    Ok(())
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
