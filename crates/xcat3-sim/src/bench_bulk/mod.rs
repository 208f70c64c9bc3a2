//! `cargo xtask bench bulk`: how long one request on many nodes takes, and what it costs in memory.
//!
//! Everything runs in a network namespace of its own, on the machine's real disk. For each way of
//! running the product and each number of nodes it starts with an empty database. The control driver
//! is `fake`, so what is measured is xcat3 and its database, not hardware.

mod floor;
pub(crate) mod http;
mod ironic;
pub(crate) mod memory;
mod plant;
mod report;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

pub use plant::Part;
pub(crate) use report::machine;

use crate::report::say;
use plant::Plant;
use report::Run;

/// What is to be measured.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Numbers of nodes; the API takes at most 1,048,576 in one request.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000,65536")]
    pub nodes: Vec<u32>,
    /// How the product runs: `embedded`, or `many:N` for separate daemons with N conductor processes.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "embedded,many:1,many:2,many:4"
    )]
    pub parts: Vec<Part>,
    /// How often each is measured, every time with an empty database.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Also write all figures to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The directory of a Python environment with OpenStack Ironic, to measure beside.
    #[arg(long, value_name = "DIRECTORY")]
    pub ironic: Option<PathBuf>,
    /// Leave out what the databases alone take.
    #[arg(long)]
    pub no_floor: bool,
}

/// Measures, prints tables, and writes the file that was asked for. Must run inside the namespaces.
///
/// # Errors
/// A part does not come up, an answer can't be understood, or a request left nodes undone. What was
/// measured is printed and written all the same.
pub fn run(directory: &Path, options: &Options) -> Result<()> {
    plant::network()?;
    let mut document = json!({"machine": report::machine()});
    say(report::machine());
    if !options.no_floor {
        let floor = floor::measure(directory)?;
        say(floor::table(&floor));
        document["floor"] = floor;
    }
    let mut runs = Vec::new();
    for &part in &options.parts {
        for &nodes in &options.nodes {
            let run = measure(directory, part, nodes, options.rounds)?;
            say(run.table());
            runs.push(run);
            document["runs"] = runs.iter().map(Run::json).collect();
            write(options, &document)?;
        }
    }
    say(report::growth(&runs));
    if let Some(environment) = &options.ironic {
        let measured = ironic::measure(environment, &directory.join("ironic"))?;
        say(ironic::table(&measured, &runs));
        document["ironic"] = measured;
    }
    write(options, &document)?;
    let undone: Vec<String> = runs.iter().flat_map(Run::undone).collect();
    ensure!(undone.is_empty(), "not done:\n{}", undone.join("\n"));
    Ok(())
}

fn measure(directory: &Path, part: Part, nodes: u32, rounds: u32) -> Result<Run> {
    let mut run = Run::new(part, nodes);
    for _ in 0..rounds {
        let plant = Plant::start(part, &directory.join("plant"))?;
        run.add(steps::run(&plant, nodes)?);
    }
    Ok(run)
}

fn write(options: &Options, document: &Value) -> Result<()> {
    if let Some(file) = &options.json {
        fs::write(file, format!("{document:#}\n"))?;
    }
    Ok(())
}
