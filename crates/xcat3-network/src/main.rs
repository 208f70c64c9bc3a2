//! `xcat3-network`: the network service as a daemon of its own, with worker processes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use xcat3_core::ServiceKind;
use xcat3_network::{Settings, Startup};
use xcat3_service::config::{self, ConfigError};
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::workers::{Daemon, Supervision};
use xcat3_service::{Config, Jobs};

/// Serves DHCP, TFTP and HTTP to the nodes of all defined networks
#[derive(Parser)]
#[command(name = "xcat3-network", version)]
struct Command {
    #[command(flatten)]
    daemon: daemon::Arguments,
}

fn main() -> ExitCode {
    let arguments = Command::parse().daemon;
    let network = Daemon::new("xcat3-network", ServiceKind::Network, supervision);
    daemon::main(&network, &arguments, |_| {}, serve)
}

fn supervision(config: &Config) -> Result<Supervision, ConfigError> {
    let (settings, _) = sections(config)?;
    Ok(Supervision {
        workers: settings.workers,
        drain: settings.drain_s,
        listen: None,
    })
}

fn sections(config: &Config) -> Result<(Settings, config::Install), ConfigError> {
    Ok((config.section("network")?, config.section("install")?))
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let (settings, install) = sections(&on.config)?;
    let startup = Startup::new(settings, &install, &on.state, home.as_deref(), on.slot)?;
    let jobs = Jobs::new(on.store.clone(), on.bus);
    Ok(xcat3_network::run(startup, on.store, jobs, on.shutdown).await?)
}
