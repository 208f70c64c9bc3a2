//! `xcat3-sim bmc`: the simulated BMCs as a program, until it is told to end.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::machine::Machines;
use super::nodes::{Driven, nodes};
use super::redfish::{self, serve_redfish};
use crate::report::say;

/// What `xcat3-sim bmc` is told.
#[derive(Args, Debug)]
pub struct Arguments {
    /// How many machines.
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// The address of the first; the others follow.
    #[arg(long, value_name = "ADDRESS", default_value = "127.2.0.0")]
    base: Ipv4Addr,
    /// The user of every BMC.
    #[arg(long, default_value = "admin")]
    user: String,
    /// The user's password.
    #[arg(long, default_value = "password")]
    password: String,
    /// Write the body of a POST /v1/nodes that enrols the machines to this file.
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    #[command(flatten)]
    redfish: redfish::Arguments,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// A port is taken, a file can't be written.
pub fn run(arguments: Arguments) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(arguments))
}

async fn serve(arguments: Arguments) -> Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    redfish::allow_many_connections();
    let machines = Arc::new(Machines::new(arguments.base, arguments.count));
    let authority = arguments.redfish.redfish_ca.clone();
    let options = arguments
        .redfish
        .options(&arguments.user, &arguments.password)
        .context("nothing to serve: give --redfish-port")?;
    let redfish = serve_redfish(Arc::clone(&machines), options)?;
    if let Some(file) = authority {
        write(&file, &redfish.authority_pem())?;
    }
    if let Some(file) = &arguments.nodes {
        let driven = Driven {
            mgt: "redfish",
            port: redfish.port(),
            user: &arguments.user,
            password: &arguments.password,
        };
        write(file, &nodes(&machines, &driven).to_string())?;
    }
    say(format_args!(
        "ready: {} machines from {} on, Redfish on port {}",
        arguments.count,
        arguments.base,
        redfish.port()
    ));
    tokio::select! {
        _ = end.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    redfish.stop().await
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
