//! Python environments with packages out of PyPI: peers that are measured and clients that are tested
//! with. One environment a purpose, kept in the target directory.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{run, target_dir};
use crate::packages;

/// What an environment is made with.
const VENV: &str = "python3-venv";
/// Debian's Python, which knows what Debian's packages bring.
const PYTHON: &str = "/usr/bin/python3";

/// An environment with these packages, each with its version, made where it is not there yet.
///
/// # Errors
/// Python can't be installed, or a package can't be had.
pub fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    environment_over(&[], name, packages)
}

/// The same with Debian packages seen in it: what PyPI has as sources only that need much to build.
///
/// # Errors
/// Python or one of those can't be installed, or a package can't be had.
pub fn environment_over(debian: &[&str], name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = target_dir().join(name);
    let complete = environment.join("complete");
    let wanted = [debian, packages].concat().join(" ");
    if std::fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
        return Ok(environment);
    }
    packages::install_these(&[&[VENV], debian].concat())?;
    let mut make = Command::new(PYTHON);
    make.args(["-m", "venv", "--clear"]);
    if !debian.is_empty() {
        make.arg("--system-site-packages");
    }
    run(make.arg(&environment))?;
    run(Command::new(environment.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages))?;
    std::fs::write(&complete, wanted).with_context(|| complete.display().to_string())?;
    Ok(environment)
}
