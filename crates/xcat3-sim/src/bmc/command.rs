//! `xcat3-sim bmc`: the simulated BMCs as a program, until it is told to end.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use super::account::Account;
use super::ipmi::{self, Ipmi, serve_ipmi};
use super::machine::Machines;
use super::nodes::{Driven, nodes};
use super::redfish::{self, Interfaces, Redfish, serve_redfish};
use crate::report::say;

const IPMI_PORT: u16 = 623;
const HTTPS_PORT: u16 = 443;

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
    /// Further accounts: NAME:PASSWORD:LEVEL,…; LEVEL is user (may read), operator or administrator. The
    /// first account is an administrator's.
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    users: Vec<Account>,
    /// Write the body of a POST /v1/nodes that enrols the machines to this file.
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    /// Readings and the states of parts go with the time: a few machines get too hot, lose a power supply or
    /// a drive, or are opened.
    #[arg(long)]
    varying: bool,
    /// Operating systems that are asked to shut down take so many milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    soft_time: u64,
    /// How the nodes of that file are driven; its protocol is spoken at its usual port (623, 443) where no
    /// other is given. Redfish where that has a port, else IPMI.
    #[arg(long, value_enum)]
    mgt: Option<Mgt>,
    #[command(flatten)]
    ipmi: ipmi::Arguments,
    #[command(flatten)]
    redfish: redfish::Arguments,
}

/// A control driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mgt {
    Ipmi,
    Redfish,
    Openbmc,
}

impl Mgt {
    const fn name(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
            Self::Openbmc => "openbmc",
        }
    }
}

impl Arguments {
    /// The driver of the nodes; its protocol is given a port.
    fn choose(&mut self) -> Result<Mgt> {
        let (ipmi, redfish) = (&mut self.ipmi.ipmi_port, &mut self.redfish.redfish_port);
        let mgt = match (self.mgt, &ipmi, &redfish) {
            (Some(mgt), ..) => mgt,
            (None, _, Some(_)) => Mgt::Redfish,
            (None, Some(_), None) => Mgt::Ipmi,
            (None, None, None) => {
                bail!("nothing to serve: give --ipmi-port, --redfish-port or --mgt")
            }
        };
        match mgt {
            Mgt::Ipmi => *ipmi = ipmi.or(Some(IPMI_PORT)),
            Mgt::Redfish | Mgt::Openbmc => *redfish = redfish.or(Some(HTTPS_PORT)),
        }
        if mgt == Mgt::Openbmc && self.redfish.redfish_interfaces == Interfaces::Redfish {
            self.redfish.redfish_interfaces = Interfaces::Both;
        }
        Ok(mgt)
    }
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

async fn serve(mut arguments: Arguments) -> Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    let mgt = arguments.choose()?;
    let (user, password) = (&arguments.user, &arguments.password);
    let machines = Machines::new(arguments.base, arguments.count);
    let machines = machines.with_soft_time(Duration::from_millis(arguments.soft_time));
    let machines = Arc::new(match arguments.varying {
        true => machines.varying(),
        false => machines,
    });
    let ipmi = arguments.ipmi.options(user, password, &arguments.users);
    let ipmi = ipmi.map(|options| serve_ipmi(Arc::clone(&machines), options));
    let ipmi = ipmi.transpose()?;
    let authority = arguments.redfish.redfish_ca.clone();
    let trust = arguments.redfish.trust();
    let redfish = match arguments.redfish.options(user, password, &arguments.users) {
        Some(options) => {
            redfish::allow_many_connections();
            Some(serve_redfish(Arc::clone(&machines), options)?)
        }
        None => None,
    };
    if let (Some(file), Some(redfish)) = (authority, &redfish) {
        write(&file, &redfish.authority_pem())?;
    }
    let ports = (
        ipmi.as_ref().map(Ipmi::port),
        redfish.as_ref().map(Redfish::port),
    );
    if let Some(file) = &arguments.nodes {
        let port = if mgt == Mgt::Ipmi { ports.0 } else { ports.1 };
        let driven = Driven {
            mgt: mgt.name(),
            port: port.context("the driver's protocol has no port")?,
            user,
            password,
            tls: trust.filter(|_| mgt != Mgt::Ipmi),
        };
        write(file, &nodes(&machines, &driven).to_string())?;
    }
    let spoken = [("IPMI", ports.0), ("Redfish", ports.1)].into_iter();
    let spoken = spoken.filter_map(|(name, port)| Some(format!("{name} on port {}", port?)));
    say(format_args!(
        "ready: {} machines from {} on, {}",
        arguments.count,
        arguments.base,
        spoken.collect::<Vec<_>>().join(", ")
    ));
    tokio::select! {
        _ = end.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    if let Some(ipmi) = ipmi {
        ipmi.stop()?;
    }
    match redfish {
        Some(redfish) => redfish.stop().await,
        None => Ok(()),
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
}
