//! `xcat3-conductor`: the conductor as a daemon of its own, with worker processes.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use xcat3_conductor::{Conductor, Settings, control_config};
use xcat3_core::ServiceKind;
use xcat3_drivers::control::Controls;
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::workers::Daemon;

/// Carries out operations on nodes: drives their hardware and changes their provisioning state
#[derive(Parser)]
#[command(name = "xcat3-conductor", version)]
struct Arguments {
    #[command(flatten)]
    daemon: daemon::Arguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse().daemon;
    let conductor = Daemon::new("xcat3-conductor", ServiceKind::Conductor);
    daemon::main(&conductor, &arguments, |_| {}, serve)
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let controls = Controls::new(&control_config(&on.config, &on.state));
    let settings = Settings::of(&on.config, on.slot);
    Conductor::new(settings, on.store, on.bus, Arc::new(controls))
        .run(on.shutdown)
        .await;
    Ok(())
}
