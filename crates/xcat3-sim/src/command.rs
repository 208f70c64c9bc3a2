//! Running other programs quietly: what they print is kept, and shown where they fail.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// A command without input. It finds the programs of administrators, whoever called us how.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

/// Runs the command and gives what it printed to standard output.
///
/// # Errors
/// It can't be started, or it failed: the error ends with the last lines that it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let output = finished(command)?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}): {}",
            words(command),
            output.status,
            last_lines(&output, 12)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the command for its effect.
///
/// # Errors
/// As for [`output`].
pub fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Runs the command to its end, whether it does well or not.
///
/// # Errors
/// It can't be started.
pub fn finished(command: &mut Command) -> Result<Output> {
    command
        .output()
        .with_context(|| format!("can't start `{}`", words(command)))
}

/// The command line as a person would type it.
#[must_use]
pub fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+[]".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The last lines of both streams.
fn last_lines(output: &Output, count: usize) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    tail(&String::from_utf8_lossy(&text), count)
}

/// The last lines of a text.
#[must_use]
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = run(command("sh").args(["-c", "echo one; echo two >&2; exit 3"]));
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("`sh -c 'echo one; echo two >&2; exit 3'` failed"),
            "{text}"
        );
        assert!(text.contains("one") && text.contains("two"), "{text}");
    }

    #[test]
    fn the_tail_leaves_out_empty_lines() {
        assert_eq!(tail("a\n\nb\n \nc\n", 2), "b\nc");
    }
}
