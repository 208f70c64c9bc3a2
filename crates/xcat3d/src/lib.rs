//! All services in one process on embedded parts: SQLite in a state directory, a bus in memory. This
//! is the default way to run xcat3, and what tests and the demo run.
//!
//! Here is the one function that composes the services, [`compose`].

mod compose;
mod services;
mod settings;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use xcat3_core::ServiceKind;
use xcat3_service::state_dir::{Lock, StateDirError};
use xcat3_service::{Config, StateDir, daemon};

pub use compose::compose;
pub use settings::Settings;

/// All services of xcat3 in one process: REST API, conductor and network service
///
/// Works without any configuration. With no network defined it needs no root.
#[derive(Clone, Debug, Parser)]
#[command(name = "xcat3d", version)]
pub struct Arguments {
    /// What every daemon takes.
    #[command(flatten)]
    pub daemon: daemon::Arguments,
    /// Address and port of the REST API [default: 127.0.0.1:3010]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Runs until a signal ends it or a service fails.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let listen = arguments.listen;
    let adjust = |config: &mut Config| {
        if let Some(listen) = listen {
            config.set("api", "listen", listen);
        }
    };
    let check = |config: &Config| Ok(Settings::read(config)?.conductor.drain_s.duration());
    daemon::alone("xcat3d", &arguments.daemon, adjust, check, claim, compose)
}

/// Keeps out another xcat3d and each daemon of a service that is in this one.
fn claim(state: &StateDir) -> anyhow::Result<Vec<Lock>> {
    let kinds = [
        ServiceKind::Api,
        ServiceKind::Conductor,
        ServiceKind::Network,
    ];
    let locks: Result<_, StateDirError> =
        kinds.iter().map(|kind| state.lock(kind.as_str())).collect();
    Ok(locks?)
}
