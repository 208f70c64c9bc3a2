//! The Debian packages that tests and lab need, in one list, and their installation with apt.
//!
//! `qemu-utils` must never be named here: where it comes from backports it excludes Debian 12's
//! `qemu-system-x86`, and nothing here needs it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{as_root, run, workspace};

/// Everything that the tests, the lab and the benchmarks call on a Debian 12 machine.
const PACKAGES: &[&str] = &[
    // To build: SQLite and ring are C.
    "gcc",
    "libc6-dev",
    // Machines: QEMU, their firmware, libvirt as on a hypervisor.
    "qemu-system-x86",
    "ipxe-qemu",
    "seabios",
    "ovmf",
    "libvirt-daemon-system",
    "libvirt-daemon-driver-qemu",
    "libvirt-clients",
    "openssh-server",
    "openssh-client",
    // Boot loaders that are served.
    "ipxe",
    "pxelinux",
    "syslinux-common",
    // ISOs: made, and read by others to compare.
    "xorriso",
    "genisoimage",
    "libarchive-tools",
    "apt-utils",
    "dpkg-dev",
    "xz-utils",
    "cpio",
    "kmod",
    "e2fsprogs",
    // The small guest.
    "busybox-static",
    "dropbear-bin",
    // Clients to test the network service with.
    "curl",
    "wget",
    "tftp-hpa",
    "atftp",
    "isc-dhcp-client",
    "udhcpc",
    "iproute2",
    "iputils-ping",
    // BMCs: other people's clients, and a simulator.
    "ipmitool",
    "freeipmi-tools",
    "openipmi",
    "python3-pyghmi",
    // Units of the daemons.
    "systemd",
    // Checks of password hashes.
    "whois",
    "python3",
];

/// Servers that the tests start themselves; installing these packages must not start Debian's.
const SERVERS: &[&str] = &["postgresql", "nats-server"];

/// Installs what is missing of [`PACKAGES`] and [`SERVERS`].
pub fn install() -> Result<()> {
    install_these(PACKAGES)?;
    install_by(apt_without_starting, SERVERS)
}

/// Installs what is missing of these packages; nothing is asked of apt where all are there.
pub fn install_these(packages: &[&str]) -> Result<()> {
    install_by(apt, packages)
}

fn install_by(apt: fn() -> Result<Command>, packages: &[&str]) -> Result<()> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    let mut lists_are_fresh = false;
    if !candidates_known(&missing) {
        update()?;
        lists_are_fresh = true;
    }
    if apt_install(apt()?, &missing).is_ok() {
        return Ok(());
    }
    // An old list names versions that are gone, and a second apt may have deleted our downloads.
    if !lists_are_fresh {
        update()?;
    }
    apt_install(apt()?, &missing)
}

/// Those that are not installed.
fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${db:Status-Status} ${Package}\n"])
        .args(packages)
        .output()
        .context("can't start dpkg-query: the tests and the lab need Debian 12")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let installed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .collect();
    Ok(packages
        .iter()
        .copied()
        .filter(|package| !installed.contains(package))
        .collect())
}

/// Whether apt's lists know a version of each.
fn candidates_known(packages: &[&str]) -> bool {
    let Ok(output) = Command::new("apt-cache")
        .arg("show")
        .args(packages)
        .output()
    else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    packages.iter().all(|package| {
        text.lines()
            .any(|line| line == format!("Package: {package}"))
    })
}

fn update() -> Result<()> {
    run(apt()?.arg("update"))
}

fn apt_install(mut apt: Command, packages: &[&str]) -> Result<()> {
    run(apt
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages))?;
    match missing(packages)? {
        still if still.is_empty() => Ok(()),
        still => bail!("apt-get said it was done, but these are not installed: {still:?}"),
    }
}

fn apt() -> Result<Command> {
    with_apt(as_root("env")?)
}

/// The same, by which no server is started.
fn apt_without_starting() -> Result<Command> {
    let mut command = as_root("sh")?;
    command.arg(workspace().join("xtask/src/without_starting.sh"));
    command.arg("env");
    with_apt(command)
}

fn with_apt(mut command: Command) -> Result<Command> {
    // Who became root without a login may lack the directories that dpkg insists on.
    let path = std::env::var("PATH").unwrap_or_default();
    command.arg(format!("PATH={path}:/usr/sbin:/sbin"));
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet=2"]);
    command.args([
        "--option",
        "DPkg::Lock::Timeout=600",
        "--option",
        "Dpkg::Use-Pty=0",
    ]);
    Ok(command)
}
