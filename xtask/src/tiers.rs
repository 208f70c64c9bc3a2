//! The two tiers of tests.
//!
//! Quick tests need Rust and Debian's essential packages only. Real tests carry
//! `#[ignore = "real: NEED, …"]` with needs out of [`NEEDS`], so that neither `cargo test` nor
//! `cargo nextest run` runs them by itself and both say so. [`run`] runs both tiers and compares
//! how many tests ran with how many there are.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{cargo, is_root, target_dir, workspace};

/// What a real test may need beyond what every Debian has.
const NEEDS: [&str; 4] = ["root", "PostgreSQL", "NATS", "programs"];
/// What the reason of an ignored test begins with.
const REAL: &str = "real: ";
/// Keeps test servers from starting in the quick tier, where they are installed by chance.
const TIER_VARIABLE: &str = "XCAT3_TEST_TIER";
/// Runs a quick test as on a machine without root's powers, network and further programs.
const CONFINED: &str = "xtask/src/confined.sh";

/// How many tests there are.
#[derive(Debug, Default, PartialEq)]
struct Tests {
    quick: usize,
    real: usize,
    /// Real tests by what they need; one with two needs counts for both.
    needs: BTreeMap<String, usize>,
}

/// The tests of the workspace, out of the test programs themselves.
fn list() -> Result<Tests> {
    let arguments = "test --workspace --locked --all-targets --no-run --message-format json";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let built = cargo(&arguments).stderr(Stdio::inherit()).output()?;
    ensure!(built.status.success(), "the tests don't build");
    let mut tests = Tests::default();
    for line in built.stdout.lines() {
        let message: Value = serde_json::from_str(&line?)?;
        if let (Some(program), Some(true)) = (
            message["executable"].as_str(),
            message["profile"]["test"].as_bool(),
        ) {
            tests.add(Path::new(program))?;
        }
    }
    Ok(tests)
}

impl Tests {
    /// Counts the tests of one test program.
    fn add(&mut self, program: &Path) -> Result<()> {
        let names = |more: &[&str]| -> Result<Vec<String>> {
            let text = output(
                Command::new(program)
                    .args(["--list", "--format=terse"])
                    .args(more),
            )?;
            let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
            Ok(names.map(str::to_owned).collect())
        };
        let (all, ignored) = (names(&[])?, names(&["--ignored"])?);
        self.quick += all.len() - ignored.len();
        if ignored.is_empty() {
            return Ok(());
        }
        // Of ignored tests nothing runs; their reasons are printed.
        let reasons = output(
            Command::new(program)
                .args(["--format=pretty", "--exact"])
                .args(&ignored),
        )?;
        let reasons: Vec<_> = reasons.lines().filter_map(ignored_test).collect();
        ensure!(
            reasons.len() == ignored.len(),
            "{}: {} of {} ignored tests have a reason",
            program.display(),
            reasons.len(),
            ignored.len()
        );
        for (name, reason) in reasons {
            let needs = needs(reason).with_context(|| format!("{}: {name}", program.display()))?;
            self.real += 1;
            for need in needs {
                *self.needs.entry(need.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// Name and reason in a line `test NAME ... ignored, REASON`.
fn ignored_test(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.split_once(" ... ignored, ")
}

/// What a real test needs, by its reason.
fn needs(reason: &str) -> Result<Vec<&str>> {
    let list = reason.strip_prefix(REAL).with_context(|| {
        format!("ignored with '{reason}'; a reason is '{REAL}' and some of {NEEDS:?}")
    })?;
    let needs: Vec<&str> = list.split(", ").collect();
    match needs.iter().find(|need| !NEEDS.contains(need)) {
        Some(unknown) => bail!("need '{unknown}' is none of {NEEDS:?}"),
        None => Ok(needs),
    }
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed ({})",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A command of cargo that runs the tests of one tier.
pub fn command(real: bool) -> Command {
    let mut arguments = if nextest_is_installed() {
        vec!["nextest", "run", "--workspace", "--locked"]
    } else {
        "test --workspace --locked --all-targets --no-fail-fast"
            .split(' ')
            .collect()
    };
    match (real, arguments[0]) {
        (false, _) => {}
        (true, "nextest") => arguments.extend(["--run-ignored", "only"]),
        (true, _) => arguments.extend(["--", "--ignored"]),
    }
    cargo(&arguments)
}

/// Runs both tiers, `real` by the given command, and prints how many tests of each ran. Fails
/// when a test failed, when a tier is empty and when fewer ran than there are.
pub fn run(real: &mut Command) -> Result<()> {
    let tests = list()?;
    ensure!(
        tests.quick > 0 && tests.real > 0,
        "a tier has no test: {tests:?}"
    );
    for need in NEEDS {
        ensure!(
            tests.needs.contains_key(need),
            "no test needs {need}: {tests:?}"
        );
    }
    let mut quick = command(false);
    quick.env(TIER_VARIABLE, "quick");
    if is_root()? {
        let (script, programs) = (workspace().join(CONFINED), essential_programs()?);
        let runner = format!("sh {} {}", script.display(), programs.display());
        quick.env(runner_variable(), runner);
    }
    let quick = passed(&mut quick);
    let real = passed(real);
    let mut needs = tests
        .needs
        .iter()
        .map(|(need, count)| format!("{need} {count}"));
    let needs = needs.by_ref().collect::<Vec<_>>().join(", ");
    let (of_quick, of_real) = (tests.quick, tests.real);
    eprintln!("quick tests: {} of {of_quick} passed", count(&quick));
    eprintln!("real tests: {} of {of_real} passed ({needs})", count(&real));
    let (quick, real) = (quick?, real?);
    ensure!(
        (quick, real) == (of_quick, of_real),
        "tests did not run: {} quick, {} real",
        of_quick.abs_diff(quick),
        of_real.abs_diff(real)
    );
    Ok(())
}

fn count(passed: &Result<usize>) -> String {
    passed
        .as_ref()
        .map_or_else(|error| error.to_string(), usize::to_string)
}

/// Runs the tests of a tier with their output shown; how many passed.
fn passed(command: &mut Command) -> Result<usize> {
    eprintln!("==> {command:?}");
    command
        .env("CARGO_TERM_COLOR", "never")
        .env("NEXTEST_NO_INPUT_HANDLER", "1");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let passed = std::thread::scope(|scope| {
        let err = scope.spawn(|| err.map_or(0, shown));
        out.map_or(0, shown) + err.join().unwrap_or(0)
    });
    let status = child.wait()?;
    ensure!(
        status.success(),
        "some of a tier failed ({status}, {passed} passed)"
    );
    Ok(passed)
}

/// Shows each line; how many tests passed by the summaries among them.
fn shown(output: impl Read) -> usize {
    let mut passed = 0;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        passed += summary(&line).unwrap_or(0);
        eprintln!("{line}");
    }
    passed
}

/// How many tests passed by the line that ends a test program of libtest (`test result: ok. 3
/// passed; …`) or a run of nextest (`Summary [ 1.2s] 3 tests run: 3 passed, …`).
fn summary(line: &str) -> Option<usize> {
    let line = line.trim_start();
    let is_summary = line.starts_with("test result: ") || line.starts_with("Summary [");
    let before = line.split_once(" passed").filter(|_| is_summary)?.0;
    before.rsplit_once(' ')?.1.parse().ok()
}

/// A directory with links to cargo and the programs of Debian's essential packages.
fn essential_programs() -> Result<PathBuf> {
    let shown = output(Command::new("dpkg-query").args([
        "--show",
        "--showformat",
        "${Essential} ${Package}\n",
    ]))?;
    let packages = shown.lines().filter_map(|line| line.strip_prefix("yes "));
    let files = output(Command::new("dpkg-query").arg("--listfiles").args(packages))?;
    let directory = target_dir().join("essential-programs");
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    let programs = files.lines().map(Path::new).filter(|path| {
        let within = path.parent().and_then(Path::to_str).unwrap_or_default();
        ["/bin", "/usr/bin", "/sbin", "/usr/sbin"].contains(&within)
    });
    for program in programs.chain([Path::new("/bin/sh"), Path::new("/usr/bin/awk")]) {
        let link = directory.join(program.file_name().unwrap_or_default());
        if program.exists() && !link.exists() {
            std::os::unix::fs::symlink(program, &link)?;
        }
    }
    std::os::unix::fs::symlink(cargo(&[]).get_program(), directory.join("cargo"))?;
    Ok(directory)
}

/// The environment variable that names the program which cargo and nextest start tests by.
pub fn runner_variable() -> String {
    let triple = format!("{}_unknown_linux_gnu", std::env::consts::ARCH).to_uppercase();
    format!("CARGO_TARGET_{triple}_RUNNER")
}

fn nextest_is_installed() -> bool {
    cargo(&["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::{ignored_test, needs, summary};

    #[test]
    fn summary_of_libtest_and_nextest_is_counted() {
        let libtest = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out";
        assert_eq!(summary(libtest), Some(12));
        let nextest =
            "     Summary [   1.203s] 14 tests run: 13 passed (1 slow), 1 failed, 2 skipped";
        assert_eq!(summary(nextest), Some(13));
        assert_eq!(summary("test parses_3 passed words ... ok"), None);
    }

    #[test]
    fn reason_outside_of_vocabulary_is_refused() {
        let line = "test store::over_postgres::nodes ... ignored, real: root, NATS";
        let (name, reason) = ignored_test(line).unwrap();
        assert_eq!(name, "store::over_postgres::nodes");
        assert_eq!(needs(reason).unwrap(), ["root", "NATS"]);
        assert!(needs("real: patience").is_err());
        assert!(needs("flaky").is_err());
    }
}
