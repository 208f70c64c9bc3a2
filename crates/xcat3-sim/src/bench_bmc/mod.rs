//! `cargo xtask bench bmc`: one request on thousands of BMCs, beside the tools that operators use for
//! that today, against the same simulated BMCs in the same run.
//!
//! Everything runs in a network namespace of its own: `xcat3-sim bmc` answers on addresses of
//! loopback, and `xcat3d` with what is built in drives it. Simulator and product share the cores, as
//! simulator and peer do.

mod fleet;
mod peers;
mod report;
mod steps;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::bench_bulk::machine;
use crate::report::say;
use fleet::{Fleet, Kind};
use report::Table;

/// What is to be measured.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many IPMI BMCs.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(20..=65_536))]
    pub ipmi: u32,
    /// How many Redfish BMCs.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(20..=65_536))]
    pub redfish: u32,
    /// How often each request is measured; the best and the median are told.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Of how many BMCs ipmitool asks, 32 at a time.
    #[arg(long, default_value_t = 640)]
    pub ipmitool: u32,
    /// Only these parts: `ipmi`, `faults`, `redfish`.
    #[arg(long, value_delimiter = ',', default_value = "ipmi,faults,redfish")]
    pub parts: Vec<String>,
    /// Also write all figures to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Measures, prints tables, and writes the file that was asked for. Must run inside the namespaces.
///
/// # Errors
/// A program does not come up, an answer can't be understood, or BMCs that should have answered did
/// not.
pub fn run(directory: &Path, options: &Options) -> Result<()> {
    crate::command::run(crate::command::command("ip").args(["link", "set", "lo", "up"]))?;
    let mut document = json!({"machine": machine()});
    say(machine());
    for part in &options.parts {
        let measured = match part.as_str() {
            "ipmi" => ipmi(directory, options)?,
            "faults" => faults(directory, options)?,
            "redfish" => redfish(directory, options)?,
            other => anyhow::bail!("there is no part '{other}': use ipmi, faults or redfish"),
        };
        document[part.as_str()] = measured;
        write(options, &document)?;
    }
    Ok(())
}

/// Power status of all, beside ipmipower and ipmitool.
fn ipmi(directory: &Path, options: &Options) -> Result<Value> {
    let mut table = Table::new("power status of IPMI BMCs");
    for suite in [3, 17] {
        let fleet = Fleet::start(directory, Kind::Ipmi { suite }, options.ipmi, &[])?;
        let before = fleet.product_kib()?;
        let cold = fleet.power_status()?.complete()?;
        let sessions = fleet.product_kib()?.saturating_sub(before);
        let label = |what: &str| format!("xcat3, suite {suite}, {what}");
        table.add(&label("sessions opened"), options.ipmi, &[cold.whole]);
        let warm: Vec<_> = (0..options.rounds)
            .map(|_| fleet.power_status()?.complete())
            .collect::<Result<_>>()?;
        let times: Vec<_> = warm.iter().map(|answer| answer.whole).collect();
        table.add(&label("sessions kept"), options.ipmi, &times);
        table.note(format!(
            "suite {suite}: {} KiB more resident with {} open sessions; first outcome after {} ms",
            sessions,
            options.ipmi,
            cold.first.as_millis()
        ));
        let times = peers::ipmipower(&fleet, suite, options.rounds)?;
        table.add(&format!("ipmipower, suite {suite}"), options.ipmi, &times);
        if suite == 17 {
            let count = options.ipmitool.min(options.ipmi);
            let time = peers::ipmitool(&fleet, suite, count)?;
            table.add("ipmitool, suite 17, 32 at a time", count, &[time]);
        }
    }
    say(&table);
    Ok(table.json())
}

/// The same with BMCs that are dead or slow, in turns with as many healthy ones alone.
fn faults(directory: &Path, options: &Options) -> Result<Value> {
    const ILL: [&str; 4] = [
        "--ipmi-port",
        "1623",
        "--faults",
        "black-hole=5%,delay=5%:2s",
    ];
    let mut table = Table::new("power status with dead and slow BMCs, no session open before");
    let kind = Kind::Ipmi { suite: 17 };
    let share = options.ipmi - options.ipmi / 10;
    let well = Fleet::start(&directory.join("well"), kind, share, &[])?;
    well.pause();
    let ill = Fleet::start(&directory.join("ill"), kind, options.ipmi, &ILL)?;
    let (mut alone, mut until, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ill.pause();
        alone.push(well.restarted_status()?.complete()?.whole);
        well.pause();
        let answer = ill.restarted_status()?;
        until.push(answer.nth_healthy(share));
        whole.push(answer.whole);
        table.note(answer.failures());
    }
    table.add("healthy ones alone", share, &alone);
    table.add("beside 5 % dead and 5 % slow: healthy ones", share, &until);
    table.add("all of these", options.ipmi, &whole);
    say(&table);
    Ok(table.json())
}

/// Power status over Redfish with TLS, beside what the handshakes alone take.
fn redfish(directory: &Path, options: &Options) -> Result<Value> {
    let mut table = Table::new("power status of Redfish BMCs over TLS");
    let fleet = Fleet::start(directory, Kind::Redfish, options.redfish, &[])?;
    let floor: Vec<_> = (0..options.rounds)
        .map(|_| peers::handshakes(&fleet))
        .collect::<Result<_>>()?;
    table.add("TLS handshakes alone", options.redfish, &floor);
    let cold: Vec<_> = (0..options.rounds)
        .map(|_| fleet.restarted_status()?.complete())
        .collect::<Result<_>>()?;
    let times: Vec<_> = cold.iter().map(|answer| answer.whole).collect();
    table.add("xcat3, first look", options.redfish, &times);
    let warm: Vec<_> = (0..options.rounds)
        .map(|_| fleet.power_status()?.complete())
        .collect::<Result<_>>()?;
    let times: Vec<_> = warm.iter().map(|answer| answer.whole).collect();
    table.add("xcat3, sessions kept", options.redfish, &times);
    say(&table);
    Ok(table.json())
}

fn write(options: &Options, document: &Value) -> Result<()> {
    if let Some(file) = &options.json {
        fs::write(file, format!("{document:#}\n"))?;
    }
    Ok(())
}
