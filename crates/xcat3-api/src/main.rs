//! `xcat3-api`: the REST API as a daemon of its own.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use xcat3_service::Jobs;
use xcat3_service::bus::InProcess;
use xcat3_service::daemon::{self, Foundation};

/// Answers the REST API: takes requests, has them carried out, answers per node
#[derive(Parser)]
#[command(name = "xcat3-api", version)]
struct Api {
    #[command(flatten)]
    daemon: daemon::Arguments,
    /// Address and port to listen on [default: 127.0.0.1:3010]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

fn main() -> ExitCode {
    let Api { daemon, listen } = Api::parse();
    let before = |config: &mut xcat3_service::Config, _: &_| {
        config.api.listen = listen.unwrap_or(config.api.listen);
        Ok(())
    };
    daemon::main("xcat3-api", &daemon, before, serve)
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let jobs = Jobs::new(on.store.clone(), Arc::new(InProcess::default()));
    Ok(xcat3_api::run(on.config.api, on.store, jobs, on.shutdown).await?)
}
