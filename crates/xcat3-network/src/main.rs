//! `xcat3-network`: the network service as a daemon of its own.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use xcat3_network::Settings;
use xcat3_service::bus::InProcess;
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::jobs::Jobs;

/// Serves DHCP, TFTP and HTTP to the nodes of all defined networks
#[derive(Parser)]
#[command(name = "xcat3-network", version)]
struct Command {
    #[command(flatten)]
    daemon: daemon::Arguments,
}

fn main() -> ExitCode {
    let arguments = Command::parse().daemon;
    daemon::main("xcat3-network", &arguments, |_, _| Ok(()), serve)
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let settings = Settings::of(&on.config, &on.state, home.as_deref())?;
    let jobs = Jobs::new(on.store.clone(), Arc::new(InProcess::default()));
    Ok(xcat3_network::run(settings, on.store, jobs, on.shutdown).await?)
}
