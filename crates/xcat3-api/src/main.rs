//! `xcat3-api`: the REST API as a daemon of its own, with worker processes that share one address.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use xcat3_api::Settings;
use xcat3_core::ServiceKind;
use xcat3_service::config::ConfigError;
use xcat3_service::daemon::{self, Foundation};
use xcat3_service::workers::{Daemon, Supervision};
use xcat3_service::{Config, Jobs};

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
        ..Daemon::new("xcat3-api", ServiceKind::Api, supervision)
    };
    let adjust = |config: &mut Config| {
        if let Some(listen) = listen {
            config.set("api", "listen", listen);
        }
    };
    daemon::main(&api, &daemon, adjust, serve)
}

fn supervision(config: &Config) -> Result<Supervision, ConfigError> {
    let settings: Settings = config.section("api")?;
    Ok(Supervision {
        workers: settings.workers,
        drain: settings.drain_s,
        listen: Some(settings.listen),
    })
}

async fn serve(on: Foundation) -> anyhow::Result<()> {
    let settings: Settings = on.config.section("api")?;
    let socket = on.socket.context("the parent has no socket to share")?;
    let listener = xcat3_api::listen(&*socket, settings.listen)?;
    let jobs = Jobs::new(on.store.clone(), on.bus);
    Ok(xcat3_api::serve(listener, &settings, &on.slot, on.store, jobs, on.shutdown).await?)
}
