//! Where the network installer comes from when the disc has none, and that it must fit.

use std::fs;
use std::path::Path;

use xcat3_core::osimage::BootFile;

use crate::discs::{Disc, RELEASE, initrd, kernel, package};
use crate::program::{Place, text};

fn assert_kept(place: &Place) {
    assert_eq!(
        place.kept(),
        [
            "debian13.0-x86_64.initrd.gz",
            "debian13.0-x86_64.iso",
            "debian13.0-x86_64.linux"
        ]
    );
    let image = place.registered().remove(0);
    let content = image.content.unwrap();
    assert_eq!(
        content.kernel,
        Some(BootFile::Kept("debian13.0-x86_64.linux".into()))
    );
    assert_eq!(
        content.initrd,
        Some(BootFile::Kept("debian13.0-x86_64.initrd.gz".into()))
    );
    let kept = |name: &str| fs::read(place.images().join(name)).unwrap();
    assert_eq!(kept("debian13.0-x86_64.linux"), kernel(RELEASE));
    assert_eq!(kept("debian13.0-x86_64.initrd.gz"), initrd());
}

#[test]
#[ignore = "real: programs"]
fn an_official_debian_disc_is_refused_with_the_way_out() {
    let place = Place::new();
    let iso = Disc::debian(place.path()).iso();
    let said = place.refusal(&[text(&iso)]);
    assert_eq!(
        said,
        format!(
            "{}: it carries only the installer for CD drives (install.amd/initrd.gz), which can't \
             install over the network; give its netboot variant with --netboot FILE.deb (Debian's \
             package debian-installer-13-netboot-amd64) or --netboot DIR (an unpacked netboot.tar.gz \
             of trixie)",
            iso.display()
        )
    );
}

#[test]
#[ignore = "real: programs"]
fn the_installer_is_taken_from_a_directory() {
    for below in [
        "",
        "debian-installer/amd64",
        "images/netboot/debian-installer/amd64",
    ] {
        let place = Place::new();
        let iso = Disc::debian(place.path()).iso();
        let netboot = Disc(place.path().join("netboot"));
        netboot.file(&format!("./{below}/linux"), kernel(RELEASE));
        netboot.file(&format!("./{below}/initrd.gz"), initrd());
        place.import(&["--netboot", text(&netboot.0), text(&iso)]);
        assert_kept(&place);
    }
}

#[test]
#[ignore = "real: programs"]
fn the_installer_is_taken_from_debians_package() {
    for compression in ["-Zxz", "-Znone"] {
        let place = Place::new();
        let iso = Disc::debian(place.path()).iso();
        let package = package(place.path(), RELEASE, compression);
        place.import(&["--netboot", text(&package), text(&iso)]);
        assert_kept(&place);
    }
}

#[test]
#[ignore = "real: programs"]
fn a_package_that_is_none_is_refused() {
    let place = Place::new();
    let iso = Disc::debian(place.path()).iso();
    let said = |package: &Path| place.refusal(&["--netboot", text(package), text(&iso)]);
    assert!(
        said(&iso).ends_with("disc.iso: it is no Debian package"),
        "{}",
        said(&iso)
    );
    let missing = place.path().join("missing.deb");
    assert!(
        said(&missing).contains("missing.deb: No such file"),
        "{}",
        said(&missing)
    );
    let gzip = package(place.path(), RELEASE, "-Zgzip");
    assert!(
        said(&gzip).contains("data.tar.gz is compressed in another way"),
        "{}",
        said(&gzip)
    );
    let cut = package(place.path(), RELEASE, "-Zxz");
    fs::File::options()
        .write(true)
        .open(&cut)
        .unwrap()
        .set_len(400)
        .unwrap();
    assert!(said(&cut).starts_with(text(&cut)), "{}", said(&cut));
    let empty = Disc::new(&place.path().join("none"));
    assert!(said(&empty.0).contains("there is no netboot installer for amd64 in it"));
    // The CD variant has another kernel name: a mounted disc is not taken for the network variant.
    let cdrom = place.path().join("disc/install.amd");
    assert!(said(&cdrom).contains("there is no netboot installer for amd64 in it"));
}

#[test]
#[ignore = "real: programs"]
fn the_installer_must_be_of_the_discs_kernel() {
    let place = Place::new();
    let iso = Disc::debian(place.path()).iso();
    let package = package(place.path(), "6.12.41+deb13-amd64", "-Zxz");
    let said = place.refusal(&["--netboot", text(&package), text(&iso)]);
    assert_eq!(
        said,
        format!(
            "{}: the netboot kernel is 6.12.41+deb13-amd64, but the disc has installer modules for \
             6.12.38+deb13-amd64: take the netboot installer of the same point release as the disc",
            package.display()
        )
    );
}

#[test]
#[ignore = "real: programs"]
fn what_is_no_kernel_or_initrd_is_refused() {
    let place = Place::new();
    let iso = Disc::debian(place.path()).iso();
    let netboot = Disc(place.path().join("netboot"));
    netboot
        .file("linux", "not a kernel")
        .file("initrd.gz", initrd());
    let said = || place.refusal(&["--netboot", text(&netboot.0), text(&iso)]);
    assert!(
        said().ends_with("the netboot kernel is no x86 kernel"),
        "{}",
        said()
    );
    netboot
        .file("linux", kernel(RELEASE))
        .file("initrd.gz", "<html>404</html>");
    assert!(
        said().ends_with("the netboot initrd.gz is no initial RAM disk"),
        "{}",
        said()
    );
}

#[test]
#[ignore = "real: programs"]
fn a_disc_without_modules_is_imported_with_a_note() {
    let place = Place::new();
    let disc = Disc::debian_netboot(place.path());
    fs::remove_dir_all(disc.0.join("pool/main/l")).unwrap();
    let run = place.run(&[text(&disc.iso())]);
    assert_eq!(run.code, Some(0));
    assert!(
        run.complaint
            .contains("no installer modules for kernel 6.12.38"),
        "{run:?}"
    );
}
