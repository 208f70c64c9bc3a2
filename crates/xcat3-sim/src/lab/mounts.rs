//! What the lab sees of the machine's files: its own network in /sys, its own /run, its own libvirt.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::command::{command, run};

/// Directories of libvirt that the machine's own libvirt may use.
const LIBVIRT: [&str; 4] = [
    "/etc/libvirt",
    "/var/lib/libvirt",
    "/var/log/libvirt",
    "/var/cache/libvirt",
];

/// Mounts over what must not be shared. We are in a mount namespace of our own.
pub fn hide_the_machine(directory: &Path) -> Result<()> {
    run(command("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
    // The interfaces that programs look for in /sys are those of the network namespace it was
    // mounted in.
    run(command("mount").args(["-t", "sysfs", "sysfs", "/sys"]))?;
    for part in ["/run/sshd", "/run/lock", "/run/libvirt"] {
        fs::create_dir_all(part)?;
    }
    for place in LIBVIRT {
        let ours = directory.join(place.trim_start_matches('/').replace('/', "-"));
        fs::create_dir_all(&ours)?;
        run(command("mount").arg("--bind").arg(&ours).arg(place))?;
    }
    Ok(())
}
