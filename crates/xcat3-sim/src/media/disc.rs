//! The parts of a Debian disc that describe it: `.disk/info`, lists of packages, Release.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use super::apt::{ARCH, SUITE, Stanza};
use crate::command::{command, output, run};

/// Packages that debootstrap would take by their priority and that a guest can do without.
const OPTIONAL: &[&str] = &[
    "apt-utils",
    "cron",
    "cron-daemon-common",
    "dmidecode",
    "isc-dhcp-client",
    "less",
    "logrotate",
    "nano",
    "nftables",
    "vim-common",
    "vim-tiny",
];

/// Packages that only cost time where the installer finds them.
const ABSENT: &[&str] = &[
    "installation-report",
    "laptop-detect",
    "locales",
    "os-prober",
    "tasksel",
    "tasksel-data",
];

/// Writes what says which disc this is.
pub fn describe(disc: &Path, version: &str) -> Result<()> {
    fs::create_dir_all(disc.join(".disk"))?;
    let codename = SUITE[..1].to_uppercase() + &SUITE[1..];
    let text = format!(
        "Debian GNU/Linux {version}.0 \"{codename}\" - xcat3 lab {ARCH} NETINST 20260101-00:00\n"
    );
    fs::write(disc.join(".disk/info"), text)?;
    fs::write(disc.join(".disk/base_components"), "main\n")?;
    Ok(())
}

/// Writes the lists over the pool. `upstream_components` is Debian's own list of installer
/// components: its stanzas have fields that apt-ftparchive drops.
pub fn index(disc: &Path, version: &str, upstream_components: &str) -> Result<()> {
    let made = output(
        command("apt-ftparchive")
            .args(["--arch", ARCH, "packages", "pool"])
            .current_dir(disc),
    )?;
    let (mut packages, mut components) = (Vec::new(), Vec::new());
    let upstream: BTreeMap<(&str, &str), Stanza> = Stanza::all(upstream_components)
        .filter_map(|stanza| Some(((stanza.field("Package")?, stanza.field("SHA256")?), stanza)))
        .collect();
    for stanza in Stanza::all(&made) {
        let field = |name| {
            stanza
                .field(name)
                .with_context(|| format!("{name} in {}", stanza.0))
        };
        let (name, file) = (field("Package")?, field("Filename")?);
        if file.ends_with(".udeb") {
            // A stand-in of ours has no upstream stanza: its own control file says all.
            let text = match upstream.get(&(name, field("SHA256")?)) {
                Some(upstream) => replaced(*upstream, "Filename", file),
                None => stand_in(&stanza, &disc.join(file))?,
            };
            components.push(text);
        } else if OPTIONAL.contains(&name) {
            packages.push(replaced(stanza, "Priority", "optional"));
        } else if !ABSENT.contains(&name) {
            packages.push(stanza.0.to_owned());
        }
    }
    let main = disc.join("dists").join(SUITE).join("main");
    write_list(&main.join(format!("binary-{ARCH}")), &packages)?;
    write_list(
        &main.join(format!("debian-installer/binary-{ARCH}")),
        &components,
    )?;
    release(disc, version)
}

/// The stanza with another value of one field.
fn replaced(stanza: Stanza, field: &str, value: &str) -> String {
    let lines = stanza.0.lines().map(|line| match line.strip_prefix(field) {
        Some(rest) if rest.starts_with(": ") => format!("{field}: {value}"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The stanza of an installer component with every field of its control file.
fn stand_in(made: &Stanza, file: &Path) -> Result<String> {
    let control = output(command("dpkg-deb").arg("-f").arg(file))?;
    let more = ["Filename", "Size", "MD5sum", "SHA256"]
        .map(|name| format!("{name}: {}", made.field(name).unwrap_or_default()));
    Ok(format!("{}\n{}", control.trim(), more.join("\n")))
}

fn write_list(directory: &Path, stanzas: &[String]) -> Result<()> {
    fs::create_dir_all(directory)?;
    let list = directory.join("Packages");
    // debootstrap skips a last stanza that no empty line follows.
    let text: String = stanzas
        .iter()
        .map(|stanza| format!("{stanza}\n\n"))
        .collect();
    fs::write(&list, text)?;
    run(command("gzip")
        .args(["-9", "--keep", "--no-name"])
        .arg(&list))?;
    run(command("xz").arg("--keep").arg(&list))?;
    let about = format!(
        "Archive: stable\nComponent: main\nOrigin: Debian\nLabel: Debian\nArchitecture: {ARCH}\n"
    );
    fs::write(directory.join("Release"), about)?;
    Ok(())
}

fn release(disc: &Path, version: &str) -> Result<()> {
    let mut command = command("apt-ftparchive");
    for (field, value) in [
        ("Origin", "Debian"),
        ("Label", "Debian"),
        ("Suite", "stable"),
        ("Version", version),
        ("Codename", SUITE),
        ("Architectures", ARCH),
        ("Components", "main"),
    ] {
        command.args([
            "--option",
            &format!("APT::FTPArchive::Release::{field}={value}"),
        ]);
    }
    let suite = Path::new("dists").join(SUITE);
    let text = output(command.arg("release").arg(&suite).current_dir(disc))?;
    fs::write(disc.join(suite).join("Release"), text)?;
    symlink(SUITE, disc.join("dists/stable"))?;
    Ok(())
}
