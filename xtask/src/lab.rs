//! Builds the product and the lab and starts the lab's program as root.

use std::process::Command;

use anyhow::Result;

use crate::command::{as_root, cargo, run, target_dir};
use crate::packages;

/// The programs that the lab runs.
const PROGRAMS: &[&str] = &["xcat3-sim", "xcat3d", "xcat3", "xcat3-copycds"];

/// From an empty machine to ssh, shown step by step.
pub fn demo(keep: bool, release: bool) -> Result<()> {
    let mut command = prepared(release)?;
    command.arg("demo");
    if keep {
        command.arg("--keep");
    }
    run(&mut command)
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

/// The lab's own commands.
pub fn lab(arguments: &[String]) -> Result<()> {
    run(prepared(false)?.arg("lab").args(arguments))
}

/// Installs the packages, builds the programs and gives the lab's program, to be run as root.
fn prepared(release: bool) -> Result<Command> {
    packages::install()?;
    let mut build = cargo(&["build", "--locked", "--quiet"]);
    for program in PROGRAMS {
        build.args(["--package", program]);
    }
    let profile = if release { "release" } else { "debug" };
    if release {
        build.arg("--release");
    }
    run(&mut build)?;
    as_root(target_dir().join(profile).join("xcat3-sim"))
}
