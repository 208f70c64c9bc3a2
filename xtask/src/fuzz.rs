//! Fuzzing with libFuzzer: builds a target of `fuzz/` with the nightly compiler, runs it, and keeps what
//! reached new code as a minimal corpus, one input a line, which the tests play again on stable.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{run, target_dir, workspace};

/// The flags by which a compiler counts what code is reached, as cargo-fuzz has them. No sanitizer:
/// the workspace forbids `unsafe`.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg=fuzzing -Ccodegen-units=1";
/// The only machines that it was tried on.
const MACHINE: &str = "x86_64-unknown-linux-gnu";
/// A longer input than this says nothing that a shorter one does not.
const LONGEST: usize = 4_096;

/// Fuzzes `target` for so many minutes and keeps the corpus.
pub fn fuzz(target: &str, minutes: u64) -> Result<()> {
    let program = build(target)?;
    let inputs = scratch("corpus", target)?;
    unpack(&kept(target), &inputs)?;
    let found = scratch("found", target)?;
    let outcome = run(libfuzzer(&program)
        .arg(format!("-max_total_time={}", minutes * 60))
        .args(["-timeout=10", "-rss_limit_mb=1024"])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(&inputs));
    if outcome.is_err() {
        // They fail as tests until what they have found is mended, and stay as such afterwards.
        pack(&[&found], &kept(target), true)?;
        bail!(
            "{target} found something: see above; its input is now the last of {}",
            kept(target).display()
        );
    }
    let minimal = scratch("minimal", target)?;
    run(libfuzzer(&program)
        .arg("-merge=1")
        .arg(&minimal)
        .arg(&inputs))?;
    pack(&[&minimal], &kept(target), false)
}

fn build(target: &str) -> Result<PathBuf> {
    let built = target_dir().join("fuzz");
    // Not `cargo +nightly`: a cargo that was started by another hands down its own toolchain.
    // Nor `--locked`: the lock file follows the dependencies of the crates that are fuzzed.
    run(Command::new("rustup")
        .args(["run", "nightly", "cargo", "build", "--release"])
        .args(["--target", MACHINE, "--bin", target])
        .arg("--target-dir")
        .arg(&built)
        .env("RUSTFLAGS", INSTRUMENTED)
        .current_dir(workspace().join("fuzz")))?;
    Ok(built.join(MACHINE).join("release").join(target))
}

fn libfuzzer(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(format!("-max_len={LONGEST}"));
    command
}

/// The corpus that is kept.
fn kept(target: &str) -> PathBuf {
    workspace().join(format!("fuzz/corpus/{target}.hex"))
}

/// An empty directory for one run.
fn scratch(what: &str, target: &str) -> Result<PathBuf> {
    let path = target_dir().join("fuzz").join(what).join(target);
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

fn unpack(corpus: &Path, into: &Path) -> Result<()> {
    let text = std::fs::read_to_string(corpus).unwrap_or_default();
    for (number, line) in text.lines().enumerate() {
        let input =
            bytes(line).with_context(|| format!("{}, line {}", corpus.display(), number + 1))?;
        std::fs::write(into.join(number.to_string()), input)?;
    }
    Ok(())
}

/// Writes the inputs of these directories into a corpus, the short ones first; `after` what it holds.
fn pack(directories: &[&Path], corpus: &Path, after: bool) -> Result<()> {
    let mut inputs = Vec::new();
    for directory in directories {
        for file in std::fs::read_dir(directory)? {
            inputs.push(std::fs::read(file?.path())?);
        }
    }
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut text = match after {
        true => std::fs::read_to_string(corpus).unwrap_or_default(),
        false => String::new(),
    };
    for input in &inputs {
        for byte in input {
            write!(text, "{byte:02x}")?;
        }
        text.push('\n');
    }
    std::fs::write(corpus, text)?;
    eprintln!("{}: {} inputs", corpus.display(), inputs.len());
    Ok(())
}

fn bytes(line: &str) -> Option<Vec<u8>> {
    let digits = line.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bytes() {
        assert_eq!(bytes("00ff7e"), Some(vec![0x00, 0xff, 0x7e]));
        assert_eq!(bytes(""), Some(Vec::new()));
        assert_eq!(bytes("0"), None);
        assert_eq!(bytes("0g"), None);
    }
}
