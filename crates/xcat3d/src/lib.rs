//! All services in one process on embedded parts: SQLite in a state directory, a bus in memory. This
//! is the default way to run xcat3, and what tests and the demo run.
//!
//! Here is the one function that composes the services, [`compose`].

mod compose;
mod services;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use xcat3_service::daemon;

pub use compose::compose;

/// All services of xcat3 in one process: REST API, conductor and network service
///
/// Works without any configuration. With no network defined it needs no root.
#[derive(Clone, Debug, Parser)]
#[command(name = "xcat3d", version)]
pub struct Arguments {
    /// What every daemon takes.
    #[command(flatten)]
    pub daemon: daemon::Arguments,
    /// Address and port of the REST API [default: 127.0.0.1:3010]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Runs until a signal ends it or a service fails.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    let listen = arguments.listen;
    daemon::main(
        "xcat3d",
        &arguments.daemon,
        |config, state| {
            if let Some(address) = listen {
                config.api.listen = address;
            }
            Ok(state.lock()?)
        },
        compose,
    )
}
