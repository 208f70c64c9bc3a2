//! Lints and tests, each as one command of cargo.

use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, is_root, run};
use crate::{dependencies, lab, packages};

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

/// Everything: packages, lints, all tests, documentation tests and, unless left out, a boot.
pub fn test(boot: bool) -> Result<()> {
    packages::install()?;
    lint()?;
    if nextest_is_installed() {
        run(as_root_tests(&mut cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--locked",
        ]))?)?;
    } else {
        let all_but_doc = [
            "test",
            "--workspace",
            "--locked",
            "--all-targets",
            "--no-fail-fast",
        ];
        run(as_root_tests(&mut cargo(&all_but_doc))?)?;
    }
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--locked",
        "--doc",
        "--quiet",
    ]))?;
    if boot {
        lab::boot(None)?;
    }
    Ok(())
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
