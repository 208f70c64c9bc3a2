//! What can't be imported: one sentence, exit code 1, nothing registered, nothing left.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::discs::{Disc, TRIXIE, initrd, kernel};
use crate::program::{Place, text};

#[test]
fn files_that_are_no_iso() {
    let place = Place::new();
    let file = place.path().join("x.iso");
    let said = || place.refusal(&[text(&file)]);
    assert!(said().ends_with("x.iso: can't be read: No such file or directory (os error 2)"));
    fs::write(&file, b"").unwrap();
    assert!(
        said().ends_with("x.iso: not an ISO 9660 image: it has only 0 bytes"),
        "{}",
        said()
    );
    fs::write(&file, vec![1; 1 << 20]).unwrap();
    assert!(
        said().contains("there is no volume descriptor"),
        "{}",
        said()
    );
    let said = place.refusal(&[text(place.path())]);
    assert!(said.ends_with("it is not a regular file"), "{said}");
}

#[test]
#[ignore = "real: programs"]
fn an_iso_that_is_cut_short() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let size = fs::metadata(&iso).unwrap().len();
    fs::File::options()
        .write(true)
        .open(&iso)
        .unwrap()
        .set_len(size - 2048)
        .unwrap();
    let said = place.refusal(&[text(&iso)]);
    assert!(
        said.ends_with(&format!(
            "cut short: the volume has {size} bytes, but the file only {}",
            size - 2048
        )),
        "{said}"
    );
}

#[test]
#[ignore = "real: programs"]
fn an_iso_whose_directories_lie() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let mut bytes = fs::read(&iso).unwrap();
    bytes[16 * 2048 + 166..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&iso, bytes).unwrap();
    let said = place.refusal(&[text(&iso)]);
    assert!(
        said.contains("damaged: in '/': the directory ends at byte"),
        "{said}"
    );
}

#[test]
#[ignore = "real: programs"]
fn discs_of_no_known_system() {
    let place = Place::new();
    let disc = Disc::new(place.path());
    disc.file("README", "photos");
    let said = place.refusal(&[text(&disc.iso())]);
    assert!(
        said.contains("no operating system is recognised on it"),
        "{said}"
    );
    disc.file(".treeinfo", "[general]\nfamily = CentOS\n");
    let said = place.refusal(&[text(&disc.iso())]);
    assert!(
        said.contains("recognised as a disc of the Red Hat family (it has .treeinfo)"),
        "{said}"
    );
    disc.file(".disk/info", "Mystery OS 1.0 \u{1b}[31m\"X\" - amd64");
    let said = place.refusal(&[text(&disc.iso())]);
    assert!(said.contains("a distribution that is not known"), "{said}");
    assert!(
        !said.contains('\u{1b}'),
        "nothing from the disc controls the terminal"
    );
}

#[test]
#[ignore = "real: programs"]
fn discs_without_what_an_install_needs() {
    let place = Place::new();
    let disc = Disc::debian_netboot(place.path());
    disc.without("dists/trixie/Release");
    let said = place.refusal(&[text(&disc.iso())]);
    assert!(
        said.contains("debian 13.0, but has no packages to install from"),
        "{said}"
    );
    disc.file("dists/trixie/Release", "x")
        .file(".disk/info", TRIXIE.replace("amd64", "i386"));
    let said = place.refusal(&[text(&disc.iso())]);
    assert!(
        said.contains("it is for i386, which is not supported"),
        "{said}"
    );
    let live = Disc::new(&place.path().join("live"));
    live.file(
        ".disk/info",
        "Ubuntu-Server 22.04.3 LTS \"Jammy Jellyfish\" - Release amd64 (20230810)",
    )
    .file("dists/jammy/Release", "")
    .file("casper/vmlinuz", kernel("5.15.0-78-generic"))
    .file("casper/initrd", initrd());
    let said = place.refusal(&[text(&live.iso())]);
    assert!(
        said.contains("it is a live disc, whose installer (casper) is not supported"),
        "{said}"
    );
}

#[test]
#[ignore = "real: programs"]
fn what_is_imported_already() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let name = place.import(&[text(&iso)]);
    let said = place.refusal(&[text(&iso)]);
    assert!(
        said.starts_with(&format!("OS image '{name}' exists already")),
        "{said}"
    );
    assert!(said.contains("-n") && said.contains(&format!("xcat3 osimage-delete {name}")));
}

#[test]
#[ignore = "real: programs"]
fn names_that_are_none() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    for name in ["../../etc/cron.d/x", "a/b", "", ".hidden", "a b"] {
        let said = place.refusal(&["-n", name, text(&iso)]);
        assert!(said.contains("name"), "{name}: {said}");
    }
}

#[test]
#[ignore = "real: programs"]
fn a_download_that_does_not_match_its_checksum() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let zeros = "0".repeat(64);
    fs::write(
        place.path().join("SHA256SUMS"),
        format!("{zeros}  disc.iso\n"),
    )
    .unwrap();
    let said = place.refusal(&[text(&iso)]);
    assert!(
        said.contains("is damaged: ") && said.contains("another SHA-256"),
        "{said}"
    );
}

#[test]
#[ignore = "real: programs"]
fn a_state_directory_that_cannot_be_one() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    fs::write(place.state(), "a file").unwrap();
    let said = place.refusal(&[text(&iso)]);
    assert!(said.contains("cannot create the state directory"), "{said}");
}

#[test]
#[ignore = "real: root, programs"]
fn a_full_disk() {
    let place = Place::new();
    let disc = Disc::debian_netboot(place.path());
    disc.file("pool/large", vec![1; 6 << 20]);
    let iso = disc.iso();
    fs::create_dir_all(place.images()).unwrap();
    let images = place.images();
    let _mounted = Mounted::new(&images, "size=4m");
    let said = place.refusal(&[text(&iso)]);
    assert!(
        said.contains("images/.import: the disk is full; "),
        "{said}"
    );
    assert!(
        said.contains("more bytes are needed than there are"),
        "{said}"
    );
}

/// A small file system in memory.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(at: &'a Path, options: &str) -> Self {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(at);
        let output = mount.output().expect("mount starts");
        assert!(output.status.success(), "{output:?}");
        Self(at)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
