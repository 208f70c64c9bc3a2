//! `bench bulk`: builds what is measured and starts the benchmark, which is in `xcat3-sim`.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{as_root, cargo, run, target_dir};
use crate::packages;
use crate::python::environment;

/// Ironic and what loads it, as they are measured.
const IRONIC: &[&str] = &["ironic==39.0.0", "aiohttp==3.14.5", "uvloop==0.23.0"];

/// What is measured.
#[derive(clap::Args)]
pub struct Bulk {
    /// Numbers of nodes, separated by commas; at most 1048576 at once.
    #[arg(long, default_value = "100,1000,10000,65536")]
    nodes: String,
    /// `embedded` for xcat3d on SQLite, `many:N` for separate daemons on NATS and PostgreSQL with N
    /// conductor processes, separated by commas.
    #[arg(long, default_value = "embedded,many:1,many:2,many:4")]
    parts: String,
    /// How often each is measured.
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Also write all figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure beside this peer.
    #[arg(long, value_name = "PEER")]
    vs: Option<Peer>,
}

/// What it is measured beside.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Peer {
    /// OpenStack Ironic out of PyPI.
    Ironic,
}

/// Builds and measures.
pub fn bulk(bulk: &Bulk) -> Result<()> {
    packages::install()?;
    let mut build = cargo(&["build", "--release", "--locked", "--quiet", "--bins"]);
    for package in [
        "xcat3d",
        "xcat3-api",
        "xcat3-conductor",
        "xcat3-network",
        "xcat3-copycds",
        "xcat3-sim",
        "xcat3-store",
    ] {
        build.args(["-p", package]);
    }
    run(build.args(["--example", "floor"]))?;
    let mut measure = as_root(target_dir().join("release/xcat3-sim"))?;
    measure.args(["bench", "bulk", "--nodes", &bulk.nodes]);
    measure.args(["--parts", &bulk.parts, "--rounds", &bulk.rounds.to_string()]);
    if let Some(file) = &bulk.json {
        measure.arg("--json").arg(std::path::absolute(file)?);
    }
    if let Some(Peer::Ironic) = bulk.vs {
        measure.arg("--ironic").arg(environment("ironic", IRONIC)?);
    }
    run(&mut measure)
}
