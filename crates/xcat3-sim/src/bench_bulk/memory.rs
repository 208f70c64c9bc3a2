//! Memory of the processes under measure, from `/proc`: what they hold now, and the most that they
//! held since the last reset.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The memory of one process, in KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The program, and a number where it runs more than once.
    pub process: String,
    /// The most that was resident since the last reset (`VmHWM`).
    pub peak_kib: u64,
    /// What is resident now (`VmRSS`).
    pub resident_kib: u64,
}

impl Memory {
    /// Whether it is of one of our own programs.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.process.starts_with("xcat3")
    }

    /// The same for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "process": self.process,
            "peak_kib": self.peak_kib,
            "resident_kib": self.resident_kib,
        })
    }
}

/// The processes that run a program whose name `wanted` accepts, by id.
fn processes(wanted: impl Fn(&Path) -> bool) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let id = entry.file_name().to_str().and_then(|id| id.parse().ok());
        let program = fs::read_link(entry.path().join("exe"));
        if let (Some(id), Ok(program)) = (id, program)
            && id != std::process::id()
            && wanted(&program)
        {
            let name = program.file_name().unwrap_or_default();
            found.push((id, name.to_string_lossy().into_owned()));
        }
    }
    found.sort_unstable();
    found
}

/// Whether a program is one of ours that is measured, or the message broker.
fn is_measured(program: &Path, ours: &Path) -> bool {
    let name = program.file_name().unwrap_or_default();
    let is_ours = program.parent() == Some(ours) && name != "xcat3-sim" && name != "xcat3-backing";
    is_ours || name == "nats-server"
}

/// Lets the count of the most that was resident begin anew.
///
/// # Errors
/// A process can't be written to.
pub fn reset(ours: &Path) -> Result<()> {
    for (id, name) in processes(|program| is_measured(program, ours)) {
        fs::write(format!("/proc/{id}/clear_refs"), "5")
            .with_context(|| format!("resetting the peak of {name}"))?;
    }
    Ok(())
}

/// The memory of each process under measure; those of PostgreSQL are one, each shared page counted
/// once.
#[must_use]
pub fn measure(ours: &Path) -> Vec<Memory> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut memory = Vec::new();
    for (id, name) in processes(|program| is_measured(program, ours)) {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let (Some(peak_kib), Some(resident_kib)) =
            (field(&status, "VmHWM:"), field(&status, "VmRSS:"))
        else {
            // It ended meanwhile.
            continue;
        };
        let count = counts.entry(name.clone()).or_default();
        *count += 1;
        let process = match *count {
            1 => name,
            count => format!("{name} {count}"),
        };
        memory.push(Memory {
            process,
            peak_kib,
            resident_kib,
        });
    }
    memory.extend(postgres());
    memory
}

fn postgres() -> Option<Memory> {
    let is_postgres = |program: &Path| program.file_name().is_some_and(|name| name == "postgres");
    let shares = processes(is_postgres).into_iter().filter_map(|(id, _)| {
        let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
        field(&rollup, "Pss:")
    });
    let sum: u64 = shares.sum();
    (sum > 0).then(|| Memory {
        process: "postgres (all)".to_owned(),
        peak_kib: sum,
        resident_kib: sum,
    })
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found() {
        let status = "Name:\tx\nVmHWM:\t  123 kB\nVmRSS:\t    99 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(123));
        assert_eq!(field(status, "VmRSS:"), Some(99));
        assert_eq!(field(status, "Pss:"), None);
    }

    #[test]
    fn only_our_daemons_and_the_broker_are_measured() {
        let ours = Path::new("/target/release");
        for (program, measured) in [
            ("/target/release/xcat3d", true),
            ("/target/release/xcat3-sim", false),
            ("/usr/sbin/nats-server", true),
            ("/usr/bin/xcat3d", false),
        ] {
            assert_eq!(is_measured(Path::new(program), ours), measured, "{program}");
        }
    }
}
