//! Lints and tests, each as one command of cargo.

use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, is_root, run, target_dir, workspace};
use crate::{dependencies, lab, packages, python};

/// The Redfish client by which the simulated BMCs are tried.
const SUSHY: &[&str] = &["sushy==5.14.0"];
/// BMCs by others, by which the drivers are tried.
const BMC_PEERS: &[&str] = &["sushy-tools==2.2.0", "virtualbmc==3.3.0"];
/// With it they drive libvirt.
const LIBVIRT: &[&str] = &["python3-libvirt"];

/// Dependencies, formatting and clippy.
pub fn lint() -> Result<()> {
    dependencies::check()?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--quiet",
    ]))
}

/// Everything: packages, lints, all tests, documentation tests and, unless left out, the end-to-end
/// tests that take minutes only.
pub fn test(labs: bool) -> Result<()> {
    packages::install()?;
    lint()?;
    let tests: &[&str] = if nextest_is_installed() {
        &["nextest", "run", "--workspace", "--locked"]
    } else {
        &[
            "test",
            "--workspace",
            "--locked",
            "--all-targets",
            "--no-fail-fast",
        ]
    };
    let mut tests = with_servers(&cargo(tests))?;
    match python::environment("sushy", SUSHY) {
        Ok(environment) => {
            tests.env("XCAT3_SUSHY_PYTHON", environment.join("bin/python"));
        }
        Err(error) => eprintln!("SKIPPED: tests with sushy: {error:#}"),
    }
    match python::environment_over(LIBVIRT, "bmc-peers", BMC_PEERS) {
        Ok(environment) => {
            tests.env("XCAT3_BMC_PEERS", environment.join("bin"));
        }
        Err(error) => eprintln!("SKIPPED: tests with BMCs by others: {error:#}"),
    }
    run(as_root_tests(&mut tests)?)?;
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
        let triple = format!("{}_unknown_linux_gnu", std::env::consts::ARCH).to_uppercase();
        command.env(
            format!("CARGO_TARGET_{triple}_RUNNER"),
            "sudo --preserve-env --",
        );
    }
    Ok(command)
}

fn nextest_is_installed() -> bool {
    cargo(&["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}
