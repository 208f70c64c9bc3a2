//! A daemon that does nothing but what a test tells it, for tests of worker processes.
//!
//! What it is to do stands in the state directory, by files named after what and worker: `refuse-0`
//! (the worker can't start), `wait-0` (it waits while the file is there), `hang-0` (nothing gets its
//! turn any more), `deaf-0` (it does not end when told to). It appends to `journal` what it does.

use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use xcat3_core::ServiceKind;
use xcat3_core::setting::Seconds;
use xcat3_service::config::{ConfigError, Workers};
use xcat3_service::daemon::Arguments;
use xcat3_service::workers::{self, Daemon, Pace, Supervision, Worker};
use xcat3_service::{Config, StateDir};

/// Does what a test tells it
#[derive(Parser)]
struct Trial {
    #[command(flatten)]
    daemon: Arguments,
    /// What kind of daemon to be
    #[arg(long, default_value = "conductor")]
    kind: ServiceKind,
}

const PACE: Pace = Pace {
    first_wait: Duration::from_millis(100),
    longest_wait: Duration::from_secs(2),
    well_after: Duration::from_secs(60),
    silence: Duration::from_secs(4),
    margin: Duration::from_secs(1),
};

fn main() -> ExitCode {
    let Trial { daemon, kind } = Trial::parse();
    let trial = Daemon {
        bind: (kind == ServiceKind::Api).then_some(bind),
        pace: PACE,
        ..Daemon::new("xcat3-trial", kind, supervision(kind))
    };
    let read = || Ok(Config::load(daemon.config_file.as_deref())?);
    workers::main(&trial, &daemon, read, serve)
}

/// The settings of the kind of daemon that it is to be, as far as its parent needs them.
#[derive(Deserialize)]
struct Section {
    #[serde(default = "one")]
    workers: Workers,
    drain_s: Seconds,
    listen: Option<SocketAddr>,
}

/// The section `[install]`, which workers are told by.
#[derive(Deserialize)]
struct Install {
    timezone: String,
}

fn one() -> Workers {
    Workers::ONE
}

fn supervision(kind: ServiceKind) -> fn(&Config) -> Result<Supervision, ConfigError> {
    match kind {
        ServiceKind::Api => |config| section(config, "api"),
        ServiceKind::Conductor => |config| section(config, "conductor"),
        ServiceKind::Network => |config| section(config, "network"),
    }
}

fn section(config: &Config, name: &str) -> Result<Supervision, ConfigError> {
    let section: Section = config.section(name)?;
    config.section::<Install>("install")?;
    Ok(Supervision {
        workers: section.workers,
        drain: section.drain_s,
        listen: section.listen,
    })
}

fn bind(address: SocketAddr, _patience: Duration) -> anyhow::Result<OwnedFd> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

async fn serve(mut worker: Worker) -> anyhow::Result<()> {
    let number = worker.slot.worker;
    let zone = worker.config.section::<Install>("install")?.timezone;
    let state = worker.state.clone();
    let told = move |what: &str| state.path().join(format!("{what}-{number}")).exists();
    note(&worker.state, &format!("start {number} {zone}"))?;
    if told("refuse") {
        bail!("it refuses to start, as the test wants");
    }
    while told("wait") {
        worker.slot.waiting("waiting for the test");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    if let Some(socket) = worker.socket.take() {
        let listener = std::net::TcpListener::from(socket);
        tokio::spawn(answer(TcpListener::from_std(listener)?, zone.clone()));
    }
    worker.slot.serving();
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => break,
            Some(instance) = worker.lost.recv() => note(&worker.state, &format!("lost {instance}"))?,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        if told("hang") {
            for _ in 0..1_000 {
                tokio::spawn(async { std::thread::park() });
            }
        }
    }
    while told("deaf") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    note(&worker.state, &format!("end {number} {zone}"))
}

/// Answers each connection with the number of this process.
async fn answer(listener: TcpListener, zone: String) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let text = format!("{} {zone}\n", std::process::id());
        // The client may be gone already.
        let _ = stream.write_all(text.as_bytes()).await;
    }
}

fn note(state: &StateDir, line: &str) -> anyhow::Result<()> {
    let path = state.path().join("journal");
    let mut journal = std::fs::File::options()
        .append(true)
        .create(true)
        .open(path)
        .context("cannot keep a journal")?;
    Ok(journal.write_all(format!("{line}\n").as_bytes())?)
}
