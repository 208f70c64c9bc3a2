//! `xcat3-conductor`: the conductor as a daemon of its own.
//!
//! Its bus is in memory, so it learns of work from the store, at its start and every half minute; one
//! conductor at a time works from a state directory. Several hosts need a bus between them.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use xcat3_conductor::{Conductor, Settings, control_config};
use xcat3_drivers::control::Controls;
use xcat3_service::bus::InProcess;
use xcat3_service::daemon::{self, Foundation};

/// Carries out operations on nodes: drives their hardware and changes their provisioning state
#[derive(Parser)]
#[command(name = "xcat3-conductor", version)]
struct Arguments {
    #[command(flatten)]
    daemon: daemon::Arguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse().daemon;
    daemon::main(
        "xcat3-conductor",
        &arguments,
        |_, state| Ok(state.lock()?),
        serve,
    )
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let controls = Controls::new(&control_config(&on.config, &on.state));
    let bus = Arc::new(InProcess::default());
    let settings = Settings::of(&on.config);
    Conductor::new(settings, on.store, bus, Arc::new(controls))
        .run(on.shutdown)
        .await;
    Ok(())
}
