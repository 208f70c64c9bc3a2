//! Dependencies that nothing names: each that a manifest lists must occur in the sources it is listed for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::sources::{code, rust_files};

/// Parts of a crate that only its tests and examples are made of.
const DEVELOPMENT: [&str; 3] = ["tests", "examples", "benches"];

/// Checks every member of the workspace; the error lists all that is unused.
pub fn check(metadata: &Value) -> Result<()> {
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata: packages")?;
    let mut unused = Vec::new();
    for package in packages
        .iter()
        .filter(|package| package["source"].is_null())
    {
        unused.extend(of_package(package)?);
    }
    if unused.is_empty() {
        return Ok(());
    }
    bail!("dependencies that nothing uses:\n  {}", unused.join("\n  "))
}

fn of_package(package: &Value) -> Result<Vec<String>> {
    let manifest = package["manifest_path"]
        .as_str()
        .context("cargo metadata: manifest_path")?;
    let directory = Path::new(manifest)
        .parent()
        .context("a manifest without directory")?;
    let is_development = |file: &PathBuf| {
        let part = file
            .strip_prefix(directory)
            .ok()
            .and_then(|rest| rest.iter().next());
        part.is_some_and(|part| DEVELOPMENT.iter().any(|name| part == *name))
    };
    let files = rust_files(directory)?;
    let (development, product): (Vec<_>, Vec<_>) = files.into_iter().partition(is_development);
    let (development, product) = (texts(&development)?, texts(&product)?);
    let dependencies = package["dependencies"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let mut unused = Vec::new();
    for dependency in dependencies {
        let name = dependency["rename"]
            .as_str()
            .or(dependency["name"].as_str());
        let name = name.context("cargo metadata: dependency without name")?;
        let identifier = name.replace('-', "_");
        let is_used = names(&product, &identifier)
            || dependency["kind"] == "dev" && names(&development, &identifier);
        if !is_used {
            unused.push(format!("{manifest}: {name}"));
        }
    }
    Ok(unused)
}

fn texts(files: &[PathBuf]) -> Result<Vec<String>> {
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Ok(code(&text))
    };
    files.iter().map(read).collect()
}

fn names(texts: &[String], identifier: &str) -> bool {
    let of_word = |character: char| !character.is_alphanumeric() && character != '_';
    texts
        .iter()
        .any(|text| text.split(of_word).any(|word| word == identifier))
}
