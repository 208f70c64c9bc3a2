//! Makes discs as distributions lay them out, only with nothing in the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const TRIXIE: &str =
    "Debian GNU/Linux 13.0.0 \"Trixie\" - Official amd64 NETINST with firmware 20250809-11:14";
pub const XENIAL: &str = "Ubuntu-Server 16.04.6 LTS \"Xenial Xerus\" - Release amd64 (20190226)";
pub const RELEASE: &str = "6.12.38+deb13-amd64";

/// The files of a disc.
pub struct Disc(pub PathBuf);

impl Disc {
    pub fn new(below: &Path) -> Self {
        let tree = below.join("disc");
        fs::create_dir_all(&tree).unwrap();
        Self(tree)
    }

    /// Debian's as it is published: only the installer for CD drives.
    pub fn debian(below: &Path) -> Self {
        let disc = Self::new(below);
        disc.file(".disk/info", TRIXIE)
            .file("dists/trixie/Release", "Codename: trixie\n")
            .file("install.amd/vmlinuz", kernel(RELEASE))
            .file("install.amd/initrd.gz", initrd())
            .modules(RELEASE);
        disc
    }

    /// Debian's with the network installer.
    pub fn debian_netboot(below: &Path) -> Self {
        let disc = Self::debian(below);
        disc.file(
            "install/netboot/debian-installer/amd64/linux",
            kernel(RELEASE),
        )
        .file("install/netboot/debian-installer/amd64/initrd.gz", initrd());
        disc
    }

    /// Ubuntu's with debian-installer.
    pub fn ubuntu(below: &Path) -> Self {
        let disc = Self::new(below);
        let netboot = "install/netboot/ubuntu-installer/amd64";
        disc.file(".disk/info", XENIAL)
            .file("dists/xenial/Release", "Codename: xenial\n")
            .file("install/vmlinuz", kernel("4.4.0-142-generic"))
            .file("install/initrd.gz", initrd())
            .file(&format!("{netboot}/linux"), kernel("4.4.0-142-generic"))
            .file(&format!("{netboot}/initrd.gz"), initrd())
            .modules("4.15.0-45-generic")
            .modules("4.4.0-142-generic");
        disc
    }

    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub fn without(&self, path: &str) -> &Self {
        fs::remove_file(self.0.join(path)).unwrap();
        self
    }

    /// The installer's kernel modules.
    pub fn modules(&self, release: &str) -> &Self {
        let pool = "pool/main/l/linux-signed-amd64";
        self.file(
            &format!("{pool}/kernel-image-{release}-di_1_amd64.udeb"),
            "",
        )
        .file(
            &format!("{pool}/sata-modules-{release}-di_1_amd64.udeb"),
            "",
        )
        .file("pool/main/e/e2fsprogs/e2fsprogs-udeb_1_amd64.udeb", "")
    }

    pub fn iso(&self) -> PathBuf {
        let iso = self.0.with_extension("iso");
        run(
            "xorriso",
            "xorriso",
            &["-as", "mkisofs", "-quiet", "-R", "-J", "-joliet-long"],
            |command| command.arg("-o").arg(&iso).arg(&self.0),
        );
        iso
    }
}

/// Debian's package of the network installer.
pub fn package(below: &Path, release: &str, compression: &str) -> PathBuf {
    let tree = Disc(below.join("package"));
    let images = "usr/lib/debian-installer/images/13/amd64";
    tree.file(
        "DEBIAN/control",
        "Package: di\nVersion: 1\nArchitecture: all\nMaintainer: m <m@m>\nDescription: d\n",
    );
    for variant in ["gtk", "text"] {
        let release = if variant == "text" {
            release
        } else {
            "0.0.0-wrong"
        };
        let place = format!("{images}/{variant}/debian-installer/amd64");
        tree.file(&format!("{place}/linux"), kernel(release))
            .file(&format!("{place}/initrd.gz"), initrd())
            .file(&format!("{place}/bootnetx64.efi"), [0; 100]);
    }
    let package = below.join("netboot.deb");
    run(
        "dpkg-deb",
        "dpkg",
        &[compression, "--root-owner-group", "-b"],
        |command| command.arg(&tree.0).arg(&package),
    );
    package
}

/// What an x86 kernel begins with.
pub fn kernel(release: &str) -> Vec<u8> {
    let mut image = vec![0; 0x3000];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x400u16.to_le_bytes());
    let text = format!("{release} (debian-kernel@lists.debian.org) #1 SMP");
    image[0x600..0x600 + text.len()].copy_from_slice(text.as_bytes());
    image
}

pub fn initrd() -> Vec<u8> {
    let mut bytes = b"\x1f\x8b\x08\0".to_vec();
    bytes.resize(3000, 7);
    bytes
}

/// Runs a program that the tests can't do without.
fn run(
    program: &str,
    package: &str,
    first: &[&str],
    more: impl FnOnce(&mut Command) -> &mut Command,
) {
    let mut command = Command::new(program);
    let output = more(command.args(first)).output().unwrap_or_else(|error| {
        panic!("can't run {program} ({error}): install it with `apt-get install {package}`")
    });
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {complaint}");
}
