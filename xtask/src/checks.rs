//! Lints and tests, each as one command of cargo.

use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, is_root, run, target_dir, workspace};
use crate::{dependencies, lab, packages, python, tiers, words};

/// The Redfish client by which the simulated BMCs are tried.
const SUSHY: &[&str] = &["sushy==5.14.0"];
/// BMCs by others, by which the drivers are tried.
const BMC_PEERS: &[&str] = &["sushy-tools==2.2.0", "virtualbmc==3.3.0"];
/// With it they drive libvirt.
const LIBVIRT: &[&str] = &["python3-libvirt"];

/// Dependencies, words, formatting and clippy.
pub fn lint() -> Result<()> {
    dependencies::check()?;
    words::check()?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
    ]))
}

/// Everything: packages, lints, the quick and the real tests, documentation tests and, unless left out,
/// the end-to-end tests that take minutes only.
pub fn test(labs: bool) -> Result<()> {
    packages::install()?;
    lint()?;
    let mut real = with_servers(&tiers::command(true))?;
    let sushy = python::environment("sushy", SUSHY).context("sushy, a Redfish client")?;
    let peers = python::environment_over(LIBVIRT, "bmc-peers", BMC_PEERS)
        .context("sushy-tools and VirtualBMC, BMCs by others")?;
    real.env("XCAT3_SUSHY_PYTHON", sushy.join("bin/python"));
    real.env("XCAT3_BMC_PEERS", peers.join("bin"));
    tiers::run(as_root_tests(&mut real)?)?;
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--locked",
        "--doc",
        "--quiet",
    ]))?;
    if labs {
        lab::boot(None)?;
        lab::faults(None)?;
    }
    Ok(())
}

/// The command with servers of its own to test against, which are started once for all tests.
fn with_servers(command: &Command) -> Result<Command> {
    run(&mut cargo(&[
        "build",
        "--package",
        "xcat3-backing",
        "--locked",
        "--quiet",
    ]))?;
    let mut around = Command::new(target_dir().join("debug/xcat3-backing"));
    around.args(["run", "--"]).arg(command.get_program());
    around.args(command.get_args()).current_dir(workspace());
    Ok(around)
}

/// Tests make network namespaces, so their programs run as root.
fn as_root_tests(command: &mut Command) -> Result<&mut Command> {
    if !is_root()? {
        run(Command::new("sudo").arg("--validate"))?;
        command.env(tiers::runner_variable(), "sudo --preserve-env --");
    }
    Ok(command)
}
