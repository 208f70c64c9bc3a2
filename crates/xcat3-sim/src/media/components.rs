//! The installer's components (udebs): Debian's own where the mirror has them, and stand-ins made
//! from the matching ordinary packages where it does not.
//!
//! All must be of the very kernel that the network installer runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::{ARCH, Apt, Stanza, file_name, files};
use super::initramfs::{module_tree, modules_in_order};
use crate::command::{command, output, run};

/// What a plain install onto one disk never needs, by a part of its name.
const LEFT_OUT: &[&str] = &[
    "gtk",
    "font",
    "espeak",
    "sound",
    "speakup",
    "xserver",
    "x11",
    "libx",
    "cairo",
    "pango",
    "brltty",
    "wireless",
    "pixman",
    "harfbuzz",
    "alsa",
    "wpasupplicant",
    "wayland",
    "mesa",
    "libgl",
    "iw-udeb",
    "rescue-",
    "btrfs",
    "partman-cros",
    "partman-iscsi",
    "partman-jfs",
    "partman-xfs",
    "partman-md",
    "partman-auto-raid",
    "partman-nbd",
    "partman-multipath",
    "partman-lvm",
    "partman-auto-lvm",
    "partman-crypto",
    "partman-auto-crypto",
    "jfsutils",
    "xfsprogs",
    "mdadm",
    "mdcfg",
    "lvm2",
    "cryptsetup",
    "open-iscsi",
    "libisns",
    "multipath",
    "kickseed",
    "nobootloader",
    "rdate",
    "systemd-boot",
    "depthcharge",
    "f2fs",
    "reiser",
    "ntfs",
    "fuse",
    "debian-edu",
    "simple-cdd",
    "live-installer",
    "oldsys",
    "usb-discover",
    "partconf",
    "os-prober",
    "mmc-",
    "save-logs",
    "network-console",
    "ppp",
    "pcmcia",
    "load-",
    "iso-scan",
    "cdrom-",
    "at-spi",
    "libatk",
    "nbd-",
    "qrtr",
    "rmtfs",
    "tqftpserv",
    "protection-domain",
    "console-setup-amiga",
    "console-setup-ataritt",
    "console-setup-sun",
    "console-keymaps-a",
    "console-keymaps-m",
    "console-keymaps-s",
    "matchbox",
    "libvte",
    "libdrm",
    "libinput",
    "rdnssd",
    "wide-dhcpv6",
    "isc-dhcp-client",
    "screen-",
    "strace-",
];

/// What the storage stand-in brings; those that are built in or unknown are passed over.
const MODULES: &[&str] = &[
    "ext4",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_utf8",
    "nls_iso8859-1",
    "isofs",
    "loop",
    "dm-mod",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "sr_mod",
    "ahci",
    "ata_piix",
    "ata_generic",
    "nvme",
    "crc32c_generic",
    "crc32c-intel",
    "efivarfs",
    "squashfs",
    "overlay",
    "usb-storage",
    "uas",
    "megaraid_sas",
    "mpt3sas",
];

/// Programs of e2fsprogs that the installer calls.
const E2FSPROGS: &[&str] = &[
    "mke2fs",
    "mkfs.ext2",
    "mkfs.ext3",
    "mkfs.ext4",
    "e2fsck",
    "fsck.ext2",
    "fsck.ext3",
    "fsck.ext4",
    "tune2fs",
    "badblocks",
    "resize2fs",
];

/// Collects the components in `directory` and gives their files. `initrd` is the installer's.
pub fn collect(apt: &Apt, directory: &Path, initrd: &Path) -> Result<Vec<PathBuf>> {
    let list = apt.components()?;
    let listed = newest_kernel(&list)?;
    // That of the list, unless the list is of another day.
    let version = kernel_of(initrd)?;
    let wanted: Vec<String> = Stanza::all(&list)
        .filter_map(|stanza| stanza.field("Package"))
        .filter(|name| !LEFT_OUT.iter().any(|part| name.contains(part)))
        .filter(|name| !name.ends_with("-di") || name.contains(&listed))
        .map(|name| name.replace(&listed, &version))
        .collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let found = directory.join("found");
    apt.fetch_available(&wanted, &found)?;
    let names: Vec<String> = files(&found)?.iter().map(|file| file_name(file)).collect();
    let missing = |name: &str| {
        !names
            .iter()
            .any(|file| file.starts_with(&format!("{name}_")))
    };
    let lacking: Vec<&str> = wanted.into_iter().filter(|name| missing(name)).collect();

    let maker = Maker {
        directory,
        archives: apt.archives(),
        found: &found,
    };
    if lacking.iter().any(|name| name.starts_with("ext4-modules-")) {
        maker.storage_modules(&version, &lacking, initrd)?;
    }
    if lacking.contains(&"e2fsprogs-udeb") {
        maker.e2fsprogs(&list)?;
    }
    files(&found)
}

/// The version of the kernel whose modules are in the installer's initial RAM disk.
fn kernel_of(initrd: &Path) -> Result<String> {
    let script = "zcat \"$1\" | cpio -it --quiet";
    let mut list = command("bash");
    list.args(["-o", "pipefail", "-c", script, "-"]).arg(initrd);
    let files = output(&mut list).context("reading the installer's initial RAM disk")?;
    let version = files.lines().find_map(|file| {
        let (_, after) = file.split_once("lib/modules/")?;
        after
            .split('/')
            .next()
            .filter(|version| !version.is_empty())
    });
    let none = "the installer's initial RAM disk has no kernel modules";
    Ok(version.context(none)?.to_owned())
}

/// The version of the newest kernel among the components.
fn newest_kernel(list: &str) -> Result<String> {
    let mut versions: Vec<&str> = Stanza::all(list)
        .filter_map(|stanza| stanza.field("Package"))
        .filter_map(|name| name.strip_prefix("kernel-image-")?.strip_suffix("-di"))
        .collect();
    versions.sort_by_key(|version| numbers(version));
    Ok((*versions
        .last()
        .context("the installer components name no kernel")?)
    .to_owned())
}

/// The numbers in a version, to compare by.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// Makes stand-ins.
struct Maker<'a> {
    directory: &'a Path,
    archives: PathBuf,
    found: &'a Path,
}

impl Maker<'_> {
    /// One component with all storage modules, that provides the missing ones.
    fn storage_modules(&self, version: &str, lacking: &[&str], initrd: &Path) -> Result<()> {
        let unpacked = self.unpack(&[&format!("linux-image-{version}")], "kernel")?;
        let tree = module_tree(&unpacked)?;
        let root = self.directory.join("storage");
        let to = root.join("usr/lib/modules").join(version);
        for module in modules_in_order(&tree, MODULES)? {
            let copy = to.join(&module);
            fs::create_dir_all(copy.parent().unwrap_or(&to))?;
            fs::copy(tree.join(&module), copy)?;
        }
        self.dependency_tables(version, &tree, &to, initrd)?;
        let suffix = format!("-modules-{version}-di");
        let mut provided: Vec<String> = lacking
            .iter()
            .filter_map(|name| Some(format!("{}-modules", name.strip_suffix(&suffix)?)))
            .collect();
        provided.extend(
            [
                "ext3-modules",
                "ext2-modules",
                "virtio-modules",
                "efi-modules",
            ]
            .map(String::from),
        );
        let control = format!(
            "Package: lab-storage-modules-{version}-di\nVersion: 1\nProvides: {}\n\
             Kernel-Version: {version}\nPriority: standard\n",
            provided.join(", ")
        );
        self.pack(
            &root,
            &format!("lab-storage-modules-{version}-di_1_{ARCH}.udeb"),
            &control,
        )
    }

    /// Makes `modules.dep` and its like here for the initial RAM disk's modules and ours together:
    /// the guest needs 45 seconds for it.
    fn dependency_tables(
        &self,
        version: &str,
        tree: &Path,
        ours: &Path,
        initrd: &Path,
    ) -> Result<()> {
        let base = self.directory.join("all-modules");
        let all = base.join("usr/lib/modules").join(version);
        fs::create_dir_all(&all)?;
        let script = "zcat \"$1\" | cpio -idm --quiet '*lib/modules/*'";
        let mut unpack = command("bash");
        unpack
            .args(["-o", "pipefail", "-c", script, "-"])
            .arg(initrd)
            .current_dir(&base);
        run(&mut unpack).context("unpacking the installer's modules")?;
        if !all.join("kernel").is_dir() {
            bail!(
                "the network installer does not run kernel {version}, which its components are for"
            );
        }
        run(command("cp").arg("-a").arg(ours.join("kernel")).arg(&all))?;
        for name in [
            "modules.builtin",
            "modules.builtin.modinfo",
            "modules.order",
        ] {
            fs::copy(tree.join(name), all.join(name)).with_context(|| name.to_owned())?;
        }
        run(command("depmod")
            .arg("-b")
            .arg(base.join("usr"))
            .arg(version))?;
        for file in files(&all)? {
            let name = file_name(&file);
            let table = ["dep", "alias", "symbols", "softdep", "devname"]
                .iter()
                .any(|kind| name.starts_with(&format!("modules.{kind}")));
            if table {
                fs::copy(&file, ours.join(&name))?;
            }
        }
        Ok(())
    }

    /// e2fsprogs with the libraries that it loads.
    fn e2fsprogs(&self, list: &str) -> Result<()> {
        let packages = ["e2fsprogs", "libext2fs2t64", "libcom-err2", "libss2"];
        let unpacked = self.unpack(&packages, "e2fsprogs-debs")?;
        let root = self.directory.join("e2fsprogs");
        fs::create_dir_all(root.join("usr/sbin"))?;
        fs::create_dir_all(root.join("usr/lib"))?;
        fs::create_dir_all(root.join("etc"))?;
        // Keeps the links that several names of one program are.
        let script = "cd \"$1\"; for name in $3; do for at in sbin usr/sbin; do \
            [ ! -e $at/$name ] || cp -a $at/$name \"$2/usr/sbin/\"; done; done; \
            for at in lib usr/lib; do for name in ext2fs e2p com_err ss; do \
            cp -a $at/x86_64-linux-gnu/lib$name.so.* \"$2/usr/lib/\" 2>/dev/null || true; done; done; \
            cp etc/mke2fs.conf \"$2/etc/\"";
        run(command("bash")
            .args(["-ec", script, "-"])
            .arg(&unpacked)
            .arg(&root)
            .arg(E2FSPROGS.join(" ")))?;
        let stanza =
            Stanza::all(list).find(|stanza| stanza.field("Package") == Some("e2fsprogs-udeb"));
        let version = stanza
            .and_then(|stanza| stanza.field("Version"))
            .unwrap_or("1");
        let version = version
            .split_once(':')
            .map_or(version, |(_, version)| version);
        let control = format!("Package: e2fsprogs-udeb\nVersion: {version}\nPriority: optional\n");
        self.pack(
            &root,
            &format!("e2fsprogs-udeb_{version}_{ARCH}.udeb"),
            &control,
        )
    }

    /// Unpacks fetched packages into one directory.
    fn unpack(&self, packages: &[&str], into: &str) -> Result<PathBuf> {
        let into = self.directory.join(into);
        fs::create_dir_all(&into)?;
        let archives = files(&self.archives)?;
        for package in packages {
            let prefix = format!("{package}_");
            let deb = archives
                .iter()
                .find(|deb| file_name(deb).starts_with(&prefix));
            let deb =
                deb.with_context(|| format!("{package} is not among the fetched packages"))?;
            run(command("dpkg-deb").arg("-x").arg(deb).arg(&into))?;
        }
        Ok(into)
    }

    fn pack(&self, root: &Path, file: &str, control: &str) -> Result<()> {
        fs::create_dir_all(root.join("DEBIAN"))?;
        let control = format!(
            "{control}Architecture: {ARCH}\nMaintainer: lab <lab@lab.test>\n\
             Section: debian-installer\nDescription: stand-in of the lab\n"
        );
        fs::write(root.join("DEBIAN/control"), control)?;
        let mut pack = command("dpkg-deb");
        pack.args(["--root-owner-group", "-Zgzip", "-b"])
            .arg(root)
            .arg(self.found.join(file));
        run(&mut pack)
    }
}
