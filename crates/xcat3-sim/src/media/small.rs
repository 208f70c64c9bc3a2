//! The ISO of the small guest: laid out as an installer's disc with a network installer on it, but
//! kernel and initial RAM disk run for seconds instead of minutes. See `lab/small-guest-init.sh`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::apt::{ARCH, Apt, SUITE};
use super::initramfs::{Initramfs, module_tree};
use super::{NETBOOT, disc, iso};
use crate::command::{command, output, run};

const INIT: &str = include_str!("../../lab/small-guest-init.sh");
const UDHCPC: &str = include_str!("../../lab/udhcpc.sh");
const MODULES: &[&str] = &["virtio_net", "virtio_blk", "virtio_rng"];

/// What the ISO is made from, to tell an old one from a current one.
#[must_use]
pub fn recipe() -> Vec<&'static str> {
    vec![
        INIT,
        UDHCPC,
        include_str!("small.rs"),
        include_str!("initramfs.rs"),
        SUITE,
    ]
}

/// What the boot sector that the guest writes to its disk says on the serial console.
pub const DISK_SAYS: &str = "small-guest: booted from disk";

/// Makes the ISO.
pub fn build(work: &Path, file: &Path) -> Result<()> {
    let apt = Apt::open(&work.join("apt"))?;
    let kernel_package = apt.first_dependency("linux-image-cloud-amd64")?;
    let kernel_deb = apt.fetch(&kernel_package, &work.join("kernel"))?;
    let unpacked = work.join("kernel/unpacked");
    run(command("dpkg-deb")
        .arg("-x")
        .arg(&kernel_deb)
        .arg(&unpacked))?;

    let disc = work.join("disc");
    let netboot = disc.join(NETBOOT);
    fs::create_dir_all(&netboot)?;
    let version = kernel_package.trim_start_matches("linux-image-");
    fs::copy(
        unpacked.join("boot").join(format!("vmlinuz-{version}")),
        netboot.join("linux"),
    )
    .context("the kernel of linux-image-cloud-amd64")?;
    let package = package(work, &disc)?;
    initramfs(work, &unpacked, &package)?.pack(&netboot.join("initrd.gz"))?;
    disc::describe(&disc, &apt.suite_version()?)?;
    disc::index(&disc, &apt.suite_version()?, "")?;
    iso::write(&disc, file)
}

/// A package on the disc, for the guest to fetch and compare.
fn package(work: &Path, disc: &Path) -> Result<Vec<u8>> {
    let root = work.join("package");
    fs::create_dir_all(root.join("DEBIAN"))?;
    let control = format!(
        "Package: lab-small\nVersion: 1\nArchitecture: {ARCH}\nMaintainer: lab <lab@lab.test>\n\
         Description: a file to fetch\n"
    );
    fs::write(root.join("DEBIAN/control"), control)?;
    let pool = disc.join("pool/main/l/lab-small");
    fs::create_dir_all(&pool)?;
    let deb = pool.join(format!("lab-small_1_{ARCH}.deb"));
    run(command("dpkg-deb")
        .args(["--root-owner-group", "-b"])
        .arg(&root)
        .arg(&deb))?;
    Ok(fs::read(deb)?)
}

fn initramfs(work: &Path, kernel: &Path, package: &[u8]) -> Result<Initramfs> {
    let initramfs = Initramfs::new(&work.join("initramfs"))?;
    initramfs.modules(&module_tree(kernel)?, MODULES)?;
    initramfs.program(Path::new("/usr/sbin/dropbear"))?;
    initramfs.write("init", INIT, 0o755)?;
    initramfs.write("etc/udhcpc.sh", UDHCPC, 0o755)?;
    initramfs.write("etc/passwd", "root:*:0:0:root:/root:/bin/sh\n", 0o644)?;
    initramfs.write("etc/shells", "/bin/sh\n", 0o644)?;
    let name = format!("PRETTY_NAME=\"xcat3 lab, small guest ({SUITE} kernel)\"\nID=debian\n");
    initramfs.write("etc/os-release", name, 0o644)?;
    // The installer's way to run something in the new system, and its log.
    initramfs.write("bin/in-target", "#!/bin/sh\nexec \"$@\"\n", 0o755)?;
    let index = format!("Filename: pool/main/l/lab-small/lab-small_1_{ARCH}.deb\n");
    initramfs.write("media/Packages", index, 0o644)?;
    initramfs.write("media/package", package, 0o644)?;
    initramfs.write("media/boot-sector", boot_sector(), 0o644)?;
    let key = work.join("initramfs/etc/dropbear-key");
    output(
        command("dropbearkey")
            .args(["-t", "ed25519", "-f"])
            .arg(&key),
    )?;
    Ok(initramfs)
}

/// A boot sector that prints [`DISK_SAYS`] to the first serial port and halts.
fn boot_sector() -> Vec<u8> {
    const ORIGIN: u16 = 0x7c00;
    let code: [u8; 32] = [
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xd8, // mov ds, ax
        0xbe, 0, 0,    // mov si, message
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x11, // jz done
        0x88, 0xc4, // mov ah, al
        0xba, 0xfd, 0x03, // mov dx, line status of COM1
        0xec, // wait: in al, dx
        0xa8, 0x20, // test al, transmitter empty
        0x74, 0xfb, // jz wait
        0x88, 0xe0, // mov al, ah
        0xb2, 0xf8, // mov dl, low byte of COM1
        0xee, // out dx, al
        0xeb, 0xea, // jmp next
        0xf4, // done: hlt
        0xeb, 0xfd, // jmp done
    ];
    let mut sector = code.to_vec();
    let message = ORIGIN + u16::try_from(sector.len()).unwrap_or_default();
    sector[5..7].copy_from_slice(&message.to_le_bytes());
    sector.extend_from_slice(format!("\r\n{DISK_SAYS}\r\n\0").as_bytes());
    sector.resize(510, 0);
    sector.extend_from_slice(&[0x55, 0xaa]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_sector_jumps_where_it_should() {
        let sector = boot_sector();
        assert_eq!(sector.len(), 512);
        let target = |at: usize| (at as i64 + 1) + i64::from(sector[at].cast_signed());
        assert_eq!(
            sector[usize::try_from(target(11)).unwrap()],
            0xf4,
            "jz done"
        );
        assert_eq!(
            sector[usize::try_from(target(21)).unwrap()],
            0xec,
            "jz wait"
        );
        assert_eq!(
            sector[usize::try_from(target(28)).unwrap()],
            0xac,
            "jmp next"
        );
        assert_eq!(
            sector[usize::try_from(target(31)).unwrap()],
            0xf4,
            "jmp done"
        );
    }
}
