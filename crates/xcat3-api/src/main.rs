//! `xcat3-api`: the REST API as a daemon of its own, with worker processes that share one address.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use xcat3_core::ServiceKind;
use xcat3_service::Jobs;
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::workers::Daemon;

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
    let api = Daemon {
        bind: Some(|address, patience| Ok(xcat3_api::claim(address, patience)?)),
        ..Daemon::new("xcat3-api", ServiceKind::Api)
    };
    let adjust = |config: &mut xcat3_service::Config| {
        config.api.listen = listen.unwrap_or(config.api.listen);
    };
    daemon::main(&api, &daemon, adjust, serve)
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let api = on.config.api;
    let socket = on.socket.context("the parent has no socket to share")?;
    let listener = xcat3_api::listen(&*socket, api.listen)?;
    let jobs = Jobs::new(on.store.clone(), on.bus);
    Ok(xcat3_api::serve(listener, &api, &on.slot, on.store, jobs, on.shutdown).await?)
}
