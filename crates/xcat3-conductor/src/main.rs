//! `xcat3-conductor`: the conductor as a daemon of its own, with worker processes.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use xcat3_conductor::{Conductor, Settings, control_config};
use xcat3_core::ServiceKind;
use xcat3_drivers::control::Controls;
use xcat3_service::Config;
use xcat3_service::config::{self, ConfigError};
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::workers::{Daemon, Supervision};

/// Carries out operations on nodes: drives their hardware and changes their provisioning state
#[derive(Parser)]
#[command(name = "xcat3-conductor", version)]
struct Arguments {
    #[command(flatten)]
    daemon: daemon::Arguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse().daemon;
    let conductor = Daemon::new("xcat3-conductor", ServiceKind::Conductor, supervision);
    daemon::main(&conductor, &arguments, |_| {}, serve)
}

fn supervision(config: &Config) -> Result<Supervision, ConfigError> {
    let (settings, _) = sections(config)?;
    Ok(Supervision {
        workers: settings.workers,
        drain: settings.drain_s,
        listen: None,
    })
}

fn sections(config: &Config) -> Result<(Settings, config::Control), ConfigError> {
    Ok((config.section("conductor")?, config.section("control")?))
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let (settings, control) = sections(&on.config)?;
    let controls = Controls::new(&control_config(&control, &on.state));
    let conductor = Conductor::new(settings, on.slot, on.store, on.bus, Arc::new(controls));
    conductor.run(on.shutdown).await;
    Ok(())
}
