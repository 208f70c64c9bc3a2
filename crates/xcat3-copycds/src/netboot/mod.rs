//! Finds kernel and initial RAM disk of debian-installer's network variant: on the disc, in a
//! directory, or in a Debian package; and checks that they fit the disc's kernel modules.
//!
//! Official Debian discs have only the variant that reads its parts from a CD drive; it can't install
//! over the network. Ubuntu's discs with debian-installer have both.

pub(crate) mod deb;
mod kernel;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use xcat3_iso::{IsoFile, Tree};

use crate::distro::Release;
use crate::error::ImportError;

/// More than any kernel or initial RAM disk has.
const LARGEST: u64 = 1 << 30;

/// Where on a disc the network variant may be; `{arch}` is Debian's word for the architecture and
/// `{suite}` the code name. The last two are those of Debian's archive and of an unpacked
/// `netboot.tar.gz`.
const ON_DISC: [&str; 7] = [
    "install/netboot/ubuntu-installer/{arch}",
    "install/netboot/debian-installer/{arch}",
    "install.amd/netboot",
    "install/netboot",
    "netboot",
    "dists/{suite}/main/installer-{arch}/current/images/netboot/debian-installer/{arch}",
    "debian-installer/{arch}",
];

/// Where it may be in the directory that the operator names.
const IN_DIRECTORY: [&str; 6] = [
    "",
    "debian-installer/{arch}",
    "ubuntu-installer/{arch}",
    "netboot/debian-installer/{arch}",
    "images/netboot/debian-installer/{arch}",
    "{arch}/text/debian-installer/{arch}",
];

const KERNELS: [&str; 2] = ["linux", "vmlinux"];
const INITRD: &str = "initrd.gz";

/// A file of the installer.
pub(crate) enum Part {
    /// On the disc, at this path.
    OnDisc(String),
    /// From elsewhere: its bytes.
    Given(Vec<u8>),
}

/// Kernel and initial RAM disk of the network installer.
pub(crate) struct Installer {
    pub(crate) kernel: Part,
    pub(crate) initrd: Part,
    /// What could not be checked.
    pub(crate) notes: Vec<String>,
}

/// Finds the installer: what the operator names, else what is on the disc.
pub(crate) fn find(
    iso: &IsoFile,
    release: &Release,
    given: Option<&Path>,
) -> Result<Installer, ImportError> {
    let (kernel, initrd) = match given {
        Some(path) if path.is_dir() => in_directory(path, release)?,
        Some(path) => in_package(path, release)?,
        None => on_disc(iso, release).ok_or_else(|| lacking(iso, release))?,
    };
    let place = match given {
        Some(path) => path.display().to_string(),
        None => iso.path().display().to_string(),
    };
    let notes = check(
        iso,
        release,
        &place,
        &bytes(iso, &kernel)?,
        &bytes(iso, &initrd)?,
    )?;
    Ok(Installer {
        kernel,
        initrd,
        notes,
    })
}

fn bytes(iso: &IsoFile, part: &Part) -> Result<Vec<u8>, ImportError> {
    Ok(match part {
        Part::OnDisc(path) => iso.read(path, LARGEST)?,
        Part::Given(bytes) => bytes.clone(),
    })
}

fn places<'a>(list: &'a [&str], release: &'a Release) -> impl Iterator<Item = String> + 'a {
    list.iter().map(|place| {
        let place = place.replace("{arch}", release.debian_arch());
        place.replace("{suite}", &release.codename)
    })
}

fn on_disc(iso: &IsoFile, release: &Release) -> Option<(Part, Part)> {
    let is_file = |path: &str| iso.lookup(path).is_some_and(|entry| entry.file().is_some());
    places(&ON_DISC, release).find_map(|place| {
        let initrd = format!("{place}/{INITRD}");
        let names = KERNELS.iter().chain(&["vmlinuz"]);
        let mut kernels = names.map(|name| format!("{place}/{name}"));
        let kernel = kernels.find(|path| is_file(path) && is_file(&initrd))?;
        Some((Part::OnDisc(kernel), Part::OnDisc(initrd)))
    })
}

fn in_directory(directory: &Path, release: &Release) -> Result<(Part, Part), ImportError> {
    for place in places(&IN_DIRECTORY, release) {
        let place = directory.join(place);
        let initrd = place.join(INITRD);
        let kernel = KERNELS
            .iter()
            .map(|name| place.join(name))
            .find(|path| path.is_file());
        if let Some(kernel) = kernel.filter(|_| initrd.is_file()) {
            return Ok((Part::Given(read(&kernel)?), Part::Given(read(&initrd)?)));
        }
    }
    let arch = release.debian_arch();
    Err(ImportError::Netboot(format!(
        "{}: there is no netboot installer for {arch} in it (linux and initrd.gz, directly or in \
         debian-installer/{arch}/)",
        directory.display()
    )))
}

fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    let size = fs::metadata(path)
        .map_err(|reason| ImportError::file(path, reason))?
        .len();
    if size > LARGEST {
        let path = path.display();
        return Err(ImportError::Netboot(format!(
            "{path}: {size} bytes can't be an installer's"
        )));
    }
    fs::read(path).map_err(|reason| ImportError::file(path, reason))
}

fn in_package(path: &Path, release: &Release) -> Result<(Part, Part), ImportError> {
    let file = fs::File::open(path).map_err(|reason| ImportError::file(path, reason))?;
    let place = format!("/text/debian-installer/{}/", release.debian_arch());
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let wanted = |path: &str| {
        let name = name(path);
        path.contains(&place) && (KERNELS.contains(&name.as_str()) || name == INITRD)
    };
    let found = deb::read_files(file, LARGEST, &wanted)
        .map_err(|reason| ImportError::file(path, reason))?;
    let (mut kernel, mut initrd) = (None, None);
    for (path, bytes) in found {
        if name(&path) == INITRD {
            initrd = Some(Part::Given(bytes));
        } else {
            kernel = Some(Part::Given(bytes));
        }
    }
    kernel.zip(initrd).ok_or_else(|| {
        let (path, arch) = (path.display(), release.debian_arch());
        ImportError::Netboot(format!(
            "{path}: it has no netboot installer for {arch} (linux and initrd.gz below \
             usr/lib/debian-installer/images)"
        ))
    })
}

/// Why there is no network installer on the disc, and what to do about it.
fn lacking(iso: &IsoFile, release: &Release) -> ImportError {
    let path = iso.path();
    let cdrom = ["install.amd", "install.a64", "install.arm", "install"];
    let cdrom = cdrom.iter().map(|place| format!("{place}/{INITRD}"));
    if iso.lookup("casper").is_some() {
        let reason = "it is a live disc, whose installer (casper) is not supported yet: take the disc \
                      with debian-installer";
        return ImportError::unsuitable(path, reason);
    }
    let why = match cdrom.into_iter().find(|path| iso.lookup(path).is_some()) {
        Some(found) => format!(
            "it carries only the installer for CD drives ({found}), which can't install over the \
             network"
        ),
        None => "it carries no installer that boots over the network".to_owned(),
    };
    let (arch, major) = (
        release.debian_arch(),
        release.ver.split('.').next().unwrap_or_default(),
    );
    let example = match release.distro.as_str() {
        "debian" => format!(
            "--netboot FILE.deb (Debian's package debian-installer-{major}-netboot-{arch}) or \
             --netboot DIR (an unpacked netboot.tar.gz of {})",
            release.codename
        ),
        _ => format!(
            "--netboot DIR (an unpacked netboot.tar.gz of {})",
            release.codename
        ),
    };
    ImportError::Netboot(format!(
        "{}: {why}; give its netboot variant with {example}",
        path.display()
    ))
}

/// Checks the two files and that the disc has the modules of this very kernel; answers what could not
/// be checked.
fn check(
    iso: &IsoFile,
    release: &Release,
    place: &str,
    kernel: &[u8],
    initrd: &[u8],
) -> Result<Vec<String>, ImportError> {
    let wrong = |what: &str| Err(ImportError::Netboot(format!("{place}: {what}")));
    if release.arch == "x86_64" && !kernel::is_x86_kernel(kernel) {
        return wrong("the netboot kernel is no x86 kernel");
    }
    if !kernel::is_initrd(initrd) {
        return wrong("the netboot initrd.gz is no initial RAM disk");
    }
    let on_disc = module_releases(iso.tree(), release.debian_arch());
    let Some(booted) = kernel::release(kernel) else {
        return Ok(vec![
            "the netboot kernel does not say its release: whether the disc's modules fit \
                        it was not checked"
                .into(),
        ]);
    };
    if on_disc.is_empty() {
        return Ok(vec![format!(
            "the disc has no installer modules for kernel {booted}: only hardware known to the \
             netboot initrd can be installed on"
        )]);
    }
    if on_disc.contains(&booted) {
        return Ok(Vec::new());
    }
    let has = on_disc.into_iter().collect::<Vec<_>>().join(", ");
    wrong(&format!(
        "the netboot kernel is {booted}, but the disc has installer modules for {has}: take the \
         netboot installer of the same point release as the disc"
    ))
}

/// The kernels that the disc has installer modules for, by the names of its udebs:
/// `sata-modules-6.12.38+deb13-amd64-di_6.12.38-1_amd64.udeb`.
fn module_releases(tree: &Tree, arch: &str) -> BTreeSet<String> {
    let ending = format!("_{arch}.udeb");
    let names = tree.entries().map(|entry| tree.name(entry));
    let modules = names.filter_map(|name| {
        let package = name.strip_suffix(&ending)?.split('_').next()?;
        let package = package.strip_suffix("-di")?;
        let kernel = package.strip_prefix("kernel-image-");
        kernel.or_else(|| package.split_once("-modules-").map(|(_, kernel)| kernel))
    });
    modules.map(str::to_owned).collect()
}
