//! The lab's installable Debian: the network installer, a pool that holds all that an unattended
//! install of a small server asks for, and its lists. Not signed and not complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};

use super::apt::{ARCH, Apt, SUITE, Stanza, file_name, files};
use super::{NETBOOT, components, disc, iso};
use crate::command::{command, finished, output, run};

/// The package with kernel and initial RAM disk of the network installer.
const INSTALLER: &str = "debian-installer-13-netboot-amd64";

/// What is installed beside the packages of priority required and important.
const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "busybox",
    "initramfs-tools",
    "zstd",
    "openssh-server",
    "sudo",
    "console-setup",
    "keyboard-configuration",
    "kbd",
    "discover",
    "eject",
    "ifupdown",
    "isc-dhcp-client",
    "dhcpcd-base",
    "ca-certificates",
    "pciutils",
    "usbutils",
    "wget",
    "python3-minimal",
    "locales",
    "tasksel",
    "installation-report",
    "laptop-detect",
    "os-prober",
];

/// Boot loaders exclude one another, so each set is fetched on its own.
const BOOT_LOADERS: [&[&str]; 2] = [
    &["grub-pc"],
    &[
        "grub-efi-amd64",
        "grub-efi-amd64-signed",
        "shim-signed",
        "efibootmgr",
    ],
];

/// What the ISO is made from, to tell an old one from a current one.
#[must_use]
pub fn recipe() -> Vec<&'static str> {
    vec![
        include_str!("debian.rs"),
        include_str!("components.rs"),
        include_str!("disc.rs"),
        SUITE,
    ]
}

/// Makes the ISO.
pub fn build(work: &Path, file: &Path) -> Result<()> {
    let apt = Apt::open(&work.join("apt"))?;
    let disc = work.join("disc");
    netboot(&apt, work, &disc)?;
    packages(&apt)?;
    let initrd = disc.join(NETBOOT).join("initrd.gz");
    let udebs = components::collect(&apt, &work.join("components"), &initrd)?;
    place_all(&files(&apt.archives())?, &disc, Form::Unpacked)?;
    place_all(&udebs, &disc, Form::AsItIs)?;
    disc::describe(&disc, &apt.suite_version()?)?;
    disc::index(&disc, &apt.suite_version()?, &apt.components()?)?;
    iso::write(&disc, file)
}

/// Puts the network installer's kernel and initial RAM disk on the disc.
fn netboot(apt: &Apt, work: &Path, disc: &Path) -> Result<()> {
    let deb = apt.fetch(INSTALLER, &work.join("installer"))?;
    let text = format!("usr/lib/debian-installer/images/13/{ARCH}/text/debian-installer/{ARCH}");
    let script =
        "dpkg-deb --fsys-tarfile \"$1\" | tar -x -C \"$2\" \"./$3/linux\" \"./$3/initrd.gz\"";
    let unpacked = work.join("installer");
    run(command("bash")
        .args(["-o", "pipefail", "-c", script, "-"])
        .arg(&deb)
        .arg(&unpacked)
        .arg(&text))?;
    fs::create_dir_all(disc.join(NETBOOT))?;
    for name in ["linux", "initrd.gz"] {
        fs::rename(
            unpacked.join(&text).join(name),
            disc.join(NETBOOT).join(name),
        )?;
    }
    Ok(())
}

fn packages(apt: &Apt) -> Result<()> {
    let list = apt.packages()?;
    let base: Vec<&str> = Stanza::all(&list)
        .filter(|stanza| matches!(stanza.field("Priority"), Some("required" | "important")))
        .filter_map(|stanza| stanza.field("Package"))
        .collect();
    // The installer's kernel too: its modules go into stand-ins for missing components.
    let installer_kernel = apt.first_dependency("linux-image-amd64")?;
    for loaders in BOOT_LOADERS {
        let wanted = [&base[..], PACKAGES, &[installer_kernel.as_str()], loaders].concat();
        apt.fetch_with_dependencies(&wanted)?;
    }
    Ok(())
}

/// In which form a package goes to the disc.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As Debian made it.
    AsItIs,
    /// Without compression: several times cheaper for an emulated processor to unpack.
    Unpacked,
}

/// Puts the packages into the pool, on all cores.
fn place_all(packages: &[PathBuf], disc: &Path, form: Form) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|own| {
                let mine = packages.iter().skip(own).step_by(threads);
                scope.spawn(move || mine.into_iter().try_for_each(|deb| place(deb, disc, form)))
            })
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a thread that packs panicked"))?
        })
    })
}

fn place(package: &Path, disc: &Path, form: Form) -> Result<()> {
    let fields = output(
        command("dpkg-deb")
            .arg("-f")
            .arg(package)
            .args(["Package", "Source"]),
    )?;
    let stanza = Stanza(&fields);
    let name = stanza
        .field("Package")
        .with_context(|| package.display().to_string())?;
    if name.starts_with("linux-image-") && !name.contains("cloud") {
        return Ok(()); // was only needed for its modules
    }
    let source = stanza
        .field("Source")
        .and_then(|text| text.split(' ').next())
        .unwrap_or(name);
    let prefix = if source.starts_with("lib") { 4 } else { 1 };
    let pool = disc
        .join("pool/main")
        .join(&source[..prefix.min(source.len())])
        .join(source);
    fs::create_dir_all(&pool)?;
    let to = pool.join(without_epoch(&file_name(package)));
    if form == Form::AsItIs {
        fs::copy(package, to)?;
        return Ok(());
    }
    let part = |option| -> Result<Vec<u8>> {
        let output = finished(command("dpkg-deb").arg(option).arg(package))?;
        anyhow::ensure!(
            output.status.success(),
            "dpkg-deb {option} {}",
            package.display()
        );
        Ok(output.stdout)
    };
    fs::write(
        to,
        archive(&part("--ctrl-tarfile")?, &part("--fsys-tarfile")?),
    )?;
    Ok(())
}

/// A package (deb(5), an ar archive) around these two tar archives.
fn archive(control: &[u8], data: &[u8]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in [
        ("debian-binary", &b"2.0\n"[..]),
        ("control.tar", control),
        ("data.tar", data),
    ] {
        let size = content.len();
        let head = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n",
            0, 0, 0, 100_644
        );
        archive.extend_from_slice(head.as_bytes());
        archive.extend_from_slice(content);
        if size % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}

/// `kmod_1%3a34-1_amd64.deb` as the pool names it: `kmod_34-1_amd64.deb`.
fn without_epoch(name: &str) -> String {
    let Some((package, rest)) = name.split_once('_') else {
        return name.to_owned();
    };
    match rest.split_once("%3a") {
        Some((epoch, version)) if epoch.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{package}_{version}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_does_not_go_into_the_pool() {
        assert_eq!(
            without_epoch("kmod_1%3a34-1_amd64.deb"),
            "kmod_34-1_amd64.deb"
        );
        assert_eq!(
            without_epoch("bash_5.2-1_amd64.deb"),
            "bash_5.2-1_amd64.deb"
        );
    }
}
