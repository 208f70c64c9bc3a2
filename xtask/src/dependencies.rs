//! What the workspace depends on: licences that Apache-2.0 can live with, released versions only, one
//! cryptography provider, and a line in docs/dependencies.md for whatever the root manifest names.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cargo, workspace};
use crate::unused;

/// Licences that may be in what we ship. A dependency must offer at least one of them.
const LICENCES: [&str; 12] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "0BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "BSL-1.0",
];
/// Never in the tree: a second cryptography provider makes rustls panic, OpenSSL needs a system library.
const BANNED: [&str; 3] = ["aws-lc-rs", "aws-lc-sys", "openssl-sys"];

/// Checks all of it; the error lists everything that is wrong.
pub fn check() -> Result<()> {
    let output = cargo(&["metadata", "--format-version", "1", "--locked"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata: packages")?;
    let mut wrong: Vec<String> = packages.iter().filter_map(fault).collect();
    wrong.extend(undocumented()?);
    unused::check(&metadata)?;
    if wrong.is_empty() {
        Ok(())
    } else {
        bail!("dependencies:\n  {}", wrong.join("\n  "))
    }
}

/// What is wrong with a package of the tree, if anything.
fn fault(package: &Value) -> Option<String> {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    let (name, source, licence) = (text("name"), text("source"), text("license"));
    if source.is_empty() {
        return None;
    }
    if BANNED.contains(&name) {
        Some(format!("{name} must not be in the tree"))
    } else if !source.starts_with("registry+") {
        Some(format!("{name} does not come from a registry"))
    } else if !acceptable(licence) {
        Some(format!("{name} has licence '{licence}'"))
    } else {
        None
    }
}

/// Whether an SPDX expression can be met with [`LICENCES`]: each part joined by AND needs one of its
/// choices among them.
fn acceptable(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain
        .split(" AND ")
        .all(|part| part.split(" OR ").any(|one| LICENCES.contains(&one.trim())))
}

/// Libraries of the root manifest without a line in docs/dependencies.md.
fn undocumented() -> Result<Vec<String>> {
    let read = |path: &str| {
        std::fs::read_to_string(workspace().join(path)).with_context(|| format!("reading {path}"))
    };
    let (manifest, page) = (read("Cargo.toml")?, read("docs/dependencies.md")?);
    let section = manifest
        .split("[workspace.dependencies]")
        .nth(1)
        .unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim());
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .collect();
    let named = |name: &str| {
        rows.iter().any(|row| {
            row.split('|')
                .next()
                .unwrap_or_default()
                .split(',')
                .any(|n| n.trim() == name)
        })
    };
    let missing =
        names.filter(|name| !name.starts_with("xcat3") && !name.starts_with('#') && !named(name));
    Ok(missing
        .map(|name| format!("{name} has no line in docs/dependencies.md"))
        .collect())
}
