//! Benchmarks: each prints a table of what was measured, beside a peer where there is one.

#![allow(clippy::print_stdout, reason = "figures are printed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::command::{as_root, cargo, run, target_dir};
use crate::packages;

/// What `bench import` repeats, to show how much the figures scatter.
const ROUNDS: usize = 3;

/// Time of a release build from nothing, and the size of each program.
pub fn build() -> Result<()> {
    let scratch = target_dir().join("bench-build");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    let mut build = cargo(&["build", "--release", "--locked", "--quiet", "--workspace"]);
    build
        .args(["--exclude", "xtask", "--bins"])
        .env("CARGO_TARGET_DIR", &scratch);
    let started = Instant::now();
    run(&mut build)?;
    println!(
        "cargo build --release (dependencies fetched): {:.0} s",
        started.elapsed().as_secs_f64()
    );
    let mut programs: Vec<(String, u64)> = fs::read_dir(scratch.join("release"))?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let size = entry.metadata().ok().filter(fs::Metadata::is_file)?.len();
            (!name.contains('.') && name.starts_with("xcat3")).then_some((name, size))
        })
        .collect();
    programs.sort();
    for (name, size) in programs {
        let file = scratch.join("release").join(&name);
        let stripped = stripped_size(&file)?;
        println!(
            "{name:<18} {:>7.1} MB, {:>6.1} MB stripped",
            megabytes(size),
            megabytes(stripped)
        );
    }
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn stripped_size(file: &Path) -> Result<u64> {
    let copy = file.with_extension("stripped");
    run_quietly(Command::new("strip").arg("-o").arg(&copy).arg(file))?;
    let size = fs::metadata(&copy)?.len();
    fs::remove_file(copy)?;
    Ok(size)
}

/// Import of the lab's ISO by `xcat3-copycds` beside `xorriso` unpacking it, in turns.
pub fn import() -> Result<()> {
    packages::install()?;
    run(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        "xcat3-copycds",
        "-p",
        "xcat3-sim",
    ]))?;
    let release = target_dir().join("release");
    let paths = as_root(release.join("xcat3-sim"))?
        .args(["lab", "iso"])
        .output()?;
    ensure!(
        paths.status.success(),
        "xcat3-sim lab iso: {}",
        String::from_utf8_lossy(&paths.stderr)
    );
    let paths = String::from_utf8(paths.stdout)?;
    let iso = PathBuf::from(
        paths
            .lines()
            .last()
            .context("xcat3-sim lab iso printed no path")?,
    );
    println!(
        "{} ({:.0} MB)",
        iso.display(),
        megabytes(fs::metadata(&iso)?.len())
    );
    fs::read(&iso)?;
    let scratch = target_dir().join("bench-import");
    println!(
        "{:>5}  {:>16}  {:>16}  {:>6}",
        "round", "xcat3-copycds", "xorriso unpack", "ratio"
    );
    for round in 1..=ROUNDS {
        let ours = timed(&scratch, |directory| {
            let mut import = Command::new(release.join("xcat3-copycds"));
            import
                .arg("--state-dir")
                .arg(directory.join("state"))
                .arg(&iso);
            import
        })?;
        let theirs = timed(&scratch, |directory| {
            let mut unpack = Command::new("xorriso");
            unpack.args(["-osirrox", "on", "-indev"]).arg(&iso);
            unpack.args(["-extract", "/"]).arg(directory.join("tree"));
            unpack
        })?;
        println!(
            "{round:>5}  {ours:>14.2} s  {theirs:>14.2} s  {:>6.1}",
            theirs / ours
        );
    }
    Ok(())
}

/// Seconds that a command takes with an empty directory for its output, synced to disk at the end.
fn timed(scratch: &Path, command: impl Fn(&Path) -> Command) -> Result<f64> {
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    fs::create_dir_all(scratch)?;
    run_quietly(&mut Command::new("sync"))?;
    let started = Instant::now();
    run_quietly(&mut command(scratch))?;
    run_quietly(&mut Command::new("sync"))?;
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_dir_all(scratch)?;
    Ok(seconds)
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
