//! `xcat3-network`: the network service as a daemon of its own, with worker processes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use xcat3_core::ServiceKind;
use xcat3_network::Settings;
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::jobs::Jobs;
use xcat3_service::workers::Daemon;

/// Serves DHCP, TFTP and HTTP to the nodes of all defined networks
#[derive(Parser)]
#[command(name = "xcat3-network", version)]
struct Command {
    #[command(flatten)]
    daemon: daemon::Arguments,
}

fn main() -> ExitCode {
    let arguments = Command::parse().daemon;
    let network = Daemon::new("xcat3-network", ServiceKind::Network);
    daemon::main(&network, &arguments, |_| {}, serve)
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let settings = Settings::of(&on.config, &on.state, home.as_deref(), on.slot)?;
    let jobs = Jobs::new(on.store.clone(), on.bus);
    Ok(xcat3_network::run(settings, on.store, jobs, on.shutdown).await?)
}
