//! Builds the product and the lab and starts the lab's program as root.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::command::{as_root, cargo, run, target_dir};
use crate::packages;

/// The programs that the lab runs.
const PROGRAMS: &[&str] = &[
    "xcat3-sim",
    "xcat3d",
    "xcat3",
    "xcat3-copycds",
    "xcat3-api",
    "xcat3-conductor",
    "xcat3-network",
];

/// From an empty machine to ssh, shown step by step.
pub fn demo(keep: bool, release: bool) -> Result<()> {
    let started = Instant::now();
    let seconds = || started.elapsed().as_secs();
    packages::install()?;
    let packages = seconds();
    build(release)?;
    let built = seconds();
    let mut command = program(release)?;
    command.arg("demo");
    if keep {
        command.arg("--keep");
    }
    run(&mut command)?;
    eprintln!(
        "packages {packages} s, build {} s, ISO and lab {} s, in all {} s",
        built - packages,
        seconds() - built,
        seconds()
    );
    Ok(())
}

/// The whole install as a test.
pub fn install(kill_server: bool) -> Result<()> {
    let mut command = prepared(false)?;
    command.args(["e2e", "install"]);
    if kill_server {
        command.arg("--kill-server");
    }
    run(&mut command)
}

/// The small guest as a test.
pub fn boot(firmware: Option<&str>) -> Result<()> {
    let mut command = prepared(false)?;
    command.args(["e2e", "boot"]);
    if let Some(names) = firmware {
        command.args(["--firmware", names]);
    }
    run(&mut command)
}

/// Faults of a cluster as a test.
pub fn faults(only: Option<&str>) -> Result<()> {
    let mut command = prepared(false)?;
    command.args(["e2e", "faults"]);
    if let Some(names) = only {
        command.args(["--only", names]);
    }
    run(&mut command)
}

/// The lab's own commands.
pub fn lab(arguments: &[String]) -> Result<()> {
    run(prepared(false)?.arg("lab").args(arguments))
}

/// Installs the packages, builds the programs and gives the lab's program, to be run as root.
fn prepared(release: bool) -> Result<Command> {
    packages::install()?;
    build(release)?;
    program(release)
}

fn build(release: bool) -> Result<()> {
    let mut build = cargo(&["build", "--locked", "--quiet"]);
    for program in PROGRAMS {
        build.args(["--package", program]);
    }
    if release {
        build.arg("--release");
    }
    run(&mut build)
}

/// The lab's program.
fn program(release: bool) -> Result<Command> {
    let profile = if release { "release" } else { "debug" };
    as_root(target_dir().join(profile).join("xcat3-sim"))
}
