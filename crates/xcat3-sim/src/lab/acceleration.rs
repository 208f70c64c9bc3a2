//! Whether guests can run on this machine's processor (KVM) or must be emulated (TCG).
//!
//! A `/dev/kvm` that opens says little: inside another virtual machine a guest may hang on it. So a
//! probe guest has to say something in time.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::process::Process;
use crate::command::{command, run};
use crate::media::NETBOOT;

/// How guests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceleration {
    /// On the machine's processor.
    Kvm,
    /// Emulated.
    Tcg,
}

impl Acceleration {
    /// libvirt's type of domain.
    #[must_use]
    pub fn domain_type(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "qemu",
        }
    }

    /// libvirt's description of the processor. QEMU 7.2's emulation of cmpxchg16b, which newer
    /// kernels use in their allocator, now and then corrupts the flags: guests die at random.
    #[must_use]
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "<cpu mode='host-passthrough'/>",
            Self::Tcg => {
                "<cpu mode='custom' match='exact'><model>qemu64</model>\
                 <feature policy='disable' name='cx16'/></cpu>"
            }
        }
    }
}

/// Runs the small guest on KVM: what does not speak within two seconds can't be used.
pub fn probe(directory: &Path, small_iso: &Path) -> Result<Acceleration> {
    if !Path::new("/dev/kvm").exists() {
        return Ok(Acceleration::Tcg);
    }
    fs::create_dir_all(directory)?;
    let kernel = directory.join("netboot");
    let mut extract = command("xorriso");
    extract.args(["-osirrox", "on", "-indev"]).arg(small_iso);
    run(extract.args(["-extract", NETBOOT]).arg(&kernel)).context("taking the probe guest")?;
    let log = directory.join("probe.log");
    let mut qemu = command("qemu-system-x86_64");
    qemu.args([
        "-accel",
        "kvm",
        "-cpu",
        "host",
        "-machine",
        "q35",
        "-m",
        "512",
        "-no-reboot",
    ]);
    qemu.args(["-nodefaults", "-display", "none", "-serial", "stdio"]);
    qemu.args(["-append", "console=ttyS0 small-guest-probe"]);
    qemu.arg("-kernel")
        .arg(kernel.join("linux"))
        .arg("-initrd")
        .arg(kernel.join("initrd.gz"));
    let mut guest = Process::start(&mut qemu, &log)?;
    let spoke = || fs::read_to_string(&log).is_ok_and(|text| text.contains("small-guest: init"));
    match guest.wait_until(Duration::from_secs(2), spoke) {
        Ok(()) => Ok(Acceleration::Kvm),
        Err(_) => Ok(Acceleration::Tcg),
    }
}
