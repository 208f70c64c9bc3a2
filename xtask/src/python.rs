//! Python environments with packages out of PyPI: peers that are measured and clients that are tested
//! with. One environment a purpose, kept in the target directory.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{run, target_dir};
use crate::packages;

/// What an environment is made with.
const PYTHON: &[&str] = &["python3-venv"];

/// An environment with these packages, each with its version, made where it is not there yet.
///
/// # Errors
/// Python can't be installed, or a package can't be had.
pub fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = target_dir().join(name);
    let complete = environment.join("complete");
    let wanted = packages.join(" ");
    if std::fs::read_to_string(&complete).is_ok_and(|made| made == wanted) {
        return Ok(environment);
    }
    packages::install_these(PYTHON)?;
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&environment))?;
    run(Command::new(environment.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages))?;
    std::fs::write(&complete, wanted).with_context(|| complete.display().to_string())?;
    Ok(environment)
}
