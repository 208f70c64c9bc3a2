//! What a good import keeps and registers.

use std::fs;
use std::os::unix::fs::MetadataExt;

use xcat3_core::osimage::BootFile;

use crate::discs::Disc;
use crate::program::{Place, text};

#[test]
#[ignore = "real: programs"]
fn a_disc_with_its_network_installer_needs_nothing_else() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let run = place.run(&[text(&iso)]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(0), "debian13.0-x86_64\n"),
        "{run:?}"
    );
    assert!(
        run.complaint
            .contains("debian13.0-x86_64: debian 13.0 for x86_64"),
        "{run:?}"
    );
    let [image] = &place.registered()[..] else {
        panic!("one image")
    };
    assert_eq!(
        (
            image.name.as_str(),
            image.distro.as_str(),
            image.ver.as_str(),
            image.arch.as_str()
        ),
        ("debian13.0-x86_64", "debian", "13.0", "x86_64")
    );
    assert_eq!(image.orig_name.as_deref(), Some("disc.iso"));
    let content = image.content.as_ref().unwrap();
    let netboot = "install/netboot/debian-installer/amd64";
    assert_eq!(
        content.kernel,
        Some(BootFile::Iso(format!("{netboot}/linux")))
    );
    assert_eq!(
        content.initrd,
        Some(BootFile::Iso(format!("{netboot}/initrd.gz")))
    );
    assert_eq!(content.codename.as_deref(), Some("trixie"));
    assert_eq!(place.kept(), ["debian13.0-x86_64.iso"]);
    let kept = fs::read(place.images().join(&content.iso)).unwrap();
    assert_eq!(kept, fs::read(&iso).unwrap());
    assert_eq!(content.iso_size, kept.len() as u64);
    let sum = std::process::Command::new("sha256sum")
        .arg(&iso)
        .output()
        .unwrap()
        .stdout;
    assert!(
        String::from_utf8(sum)
            .unwrap()
            .starts_with(&content.iso_sha256)
    );
}

#[test]
#[ignore = "real: programs"]
fn the_kept_iso_is_another_file_than_the_original() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let name = place.import(&[text(&iso)]);
    let kept = place.images().join(format!("{name}.iso"));
    let whole = fs::read(&kept).unwrap();
    assert_ne!(
        fs::metadata(&iso).unwrap().ino(),
        fs::metadata(&kept).unwrap().ino()
    );
    assert_eq!(
        fs::metadata(&kept).unwrap().mode() & 0o222,
        0,
        "nobody writes to it"
    );
    fs::write(&iso, "overwritten").unwrap();
    assert_eq!(fs::read(&kept).unwrap(), whole);
    let linked = place.path().join("linked.iso");
    fs::write(&linked, &whole).unwrap();
    place.import(&["--link", "-n", "linked", text(&linked)]);
    let kept = place.images().join("linked.iso");
    assert_eq!(
        fs::metadata(&linked).unwrap().ino(),
        fs::metadata(&kept).unwrap().ino()
    );
}

#[test]
#[ignore = "real: programs"]
fn an_ubuntu_disc_with_debian_installer_is_imported() {
    let place = Place::new();
    let iso = Disc::ubuntu(place.path()).iso();
    assert_eq!(place.import(&[text(&iso)]), "ubuntu16.04.6-x86_64");
    assert_eq!(
        place.registered()[0]
            .content
            .as_ref()
            .unwrap()
            .codename
            .as_deref(),
        Some("xenial")
    );
}

#[test]
#[ignore = "real: programs"]
fn the_operator_may_name_it_and_import_it_twice() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let printed = place.import(&["-n", "my.debian_13", "--json", text(&iso)]);
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&json["name"], &json["arch"]),
        (&"my.debian_13".into(), &"x86_64".into())
    );
    assert_eq!(place.import(&[text(&iso)]), "debian13.0-x86_64");
    assert_eq!(place.kept(), ["debian13.0-x86_64.iso", "my.debian_13.iso"]);
    assert_eq!(place.registered().len(), 2);
}

#[test]
#[ignore = "real: programs"]
fn of_two_imports_at_once_one_waits_and_finds_the_other_done() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    // The state directory exists before, so that both meet at the images.
    place.import(&["-n", "first", text(&iso)]);
    let mut both: Vec<_> = (0..2)
        .map(|_| place.command(&[text(&iso)]).spawn().unwrap())
        .collect();
    let mut codes: Vec<_> = both
        .iter_mut()
        .map(|child| child.wait().unwrap().code())
        .collect();
    codes.sort();
    assert_eq!(codes, [Some(0), Some(1)]);
    assert_eq!(place.kept(), ["debian13.0-x86_64.iso", "first.iso"]);
    assert_eq!(place.registered().len(), 2);
}

#[test]
#[ignore = "real: programs"]
fn the_configuration_says_where_to_keep_it() {
    let place = Place::new();
    let iso = Disc::debian_netboot(place.path()).iso();
    let config = place.path().join("xcat3.conf");
    fs::write(
        &config,
        format!("state_dir = \"{}\"\n", place.state().display()),
    )
    .unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xcat3-copycds"));
    command
        .arg("--config-file")
        .arg(&config)
        .arg(&iso)
        .env_remove("XCAT3_STATE_DIR");
    assert!(command.output().unwrap().status.success());
    assert_eq!(place.kept(), ["debian13.0-x86_64.iso"]);
}
