//! Images as distributions have them.

use xcat3_iso::{IsoFile, Kind, Naming, Unresolved};

use crate::make::{Workshop, mark, usual_tree};

#[test]
#[ignore = "real: programs"]
fn files_and_directories_are_found_through_symlinks() {
    for image in [usual_tree().into_xorriso(), usual_tree().into_genisoimage()] {
        let iso = IsoFile::open(image.1).unwrap();
        assert_eq!(iso.naming(), Naming::RockRidge);
        assert_eq!(iso.label(), "Disc 1");
        for path in [
            "dists/trixie/Release",
            "/dists/stable/Release",
            "debian/debian/dists/stable/./Release",
            "dists//latest-release",
            "pool/../dists/stable/../trixie/Release",
        ] {
            assert_eq!(
                iso.read(path, 100).unwrap(),
                b"Codename: trixie\n",
                "{path}"
            );
        }
        assert_eq!(iso.read("empty", 0).unwrap(), b"");
        assert_eq!(iso.read("semicolon;1", 9).unwrap(), b"kept");
        assert!(iso.lookup("nothing").unwrap().is_dir());
        let names: Vec<_> = iso.list("dists").unwrap().map(|(name, _)| name).collect();
        assert_eq!(names, ["latest-release", "round", "stable", "trixie"]);
        assert!(iso.list("empty").is_none());
        drop(image.0);
    }
}

#[test]
#[ignore = "real: programs"]
fn the_longest_symlinks_are_followed() {
    let workshop = Workshop::new();
    let long = "a-very-long-name-".repeat(14);
    workshop.file(&long, b"long").symlink(
        "link",
        &format!("./{long}/../").repeat(12).replace(&long, "d"),
    );
    workshop.symlink("to-long", &format!("d/../{long}"));
    std::fs::create_dir(workshop.tree().join("d")).unwrap();
    let (workshop, image) = workshop.into_xorriso();
    let iso = IsoFile::open(image).unwrap();
    assert_eq!(iso.read("link/to-long", 9).unwrap(), b"long");
    // genisoimage cuts such a symlink short: it is left out, the rest is read.
    let iso = IsoFile::open(workshop.genisoimage(&["-R"])).unwrap();
    assert_eq!(iso.read(&long, 9).unwrap(), b"long");
}

#[test]
#[ignore = "real: programs"]
fn symlinks_neither_escape_nor_go_round() {
    let (_workshop, image) = usual_tree().into_xorriso();
    let iso = IsoFile::open(image).unwrap();
    let why = |path: &str| iso.tree().resolve(path).unwrap_err();
    assert_eq!(why("out"), Unresolved::Escapes("out".into()));
    assert_eq!(why("absolute"), Unresolved::Escapes("absolute".into()));
    assert_eq!(why("../../etc"), Unresolved::Escapes("../../etc".into()));
    assert_eq!(why("round"), Unresolved::Loop("round".into()));
    assert_eq!(why("nowhere"), Unresolved::NotFound("nowhere".into()));
    assert_eq!(why("empty/x"), Unresolved::NotFound("empty/x".into()));
    let deep = "debian/".repeat(5000);
    assert!(matches!(why(&deep), Unresolved::Loop(_)));
    let error = iso.read("out", 10).unwrap_err().to_string();
    assert!(
        error.ends_with("made.iso: 'out' leads out of the image"),
        "{error}"
    );
}

#[test]
#[ignore = "real: programs"]
fn a_file_that_is_too_large_to_read_is_named() {
    let (_workshop, image) = usual_tree().into_xorriso();
    let error = IsoFile::open(image)
        .unwrap()
        .read("caf\u{e9} und t\u{fc}r.txt", 6);
    let error = error.unwrap_err().to_string();
    assert!(
        error.ends_with("'café und tür.txt' has 7 bytes, at most 6 are expected"),
        "{error}"
    );
}

#[test]
#[ignore = "real: programs"]
fn without_rock_ridge_joliet_is_read() {
    let workshop = Workshop::new();
    workshop.file("Mixed Case and \u{17e} long name.txt", b"joliet");
    let iso = IsoFile::open(workshop.genisoimage(&["-J", "-input-charset", "utf-8"])).unwrap();
    assert_eq!(iso.naming(), Naming::Joliet);
    assert_eq!(
        iso.read("Mixed Case and \u{17e} long name.txt", 9).unwrap(),
        b"joliet"
    );
}

#[test]
#[ignore = "real: programs"]
fn without_either_names_are_those_that_linux_shows() {
    let workshop = Workshop::new();
    workshop
        .file("README.TXT", b"plain")
        .file("BOOT/KERNEL", b"k");
    let iso = IsoFile::open(workshop.genisoimage(&[])).unwrap();
    assert_eq!(iso.naming(), Naming::Plain);
    assert_eq!(iso.read("readme.txt", 9).unwrap(), b"plain");
    assert_eq!(iso.read("boot/kernel", 9).unwrap(), b"k");
}

#[test]
#[ignore = "real: programs"]
fn windows_style_udf_is_refused_by_name() {
    let workshop = Workshop::new();
    workshop.file("setup.exe", b"x");
    let error = IsoFile::open(workshop.genisoimage(&["-udf", "-J"])).unwrap_err();
    assert!(error.to_string().contains("UDF"), "{error}");
}

#[test]
#[ignore = "real: programs"]
fn relocated_deep_directories_are_where_they_belong() {
    let deep = (0..14)
        .map(|level| format!("level{level}"))
        .collect::<Vec<_>>()
        .join("/");
    let workshop = Workshop::new();
    workshop.file(&format!("{deep}/file"), b"deep");
    workshop.file("level0/level1/other", b"x");
    for image in [
        workshop.genisoimage(&["-R"]),
        workshop.xorriso(&["-R", "-D"]),
        workshop.xorriso(&["-R", "-disallow_dir_id_ext"]),
    ] {
        let iso = IsoFile::open(image).unwrap();
        assert_eq!(iso.read(&format!("{deep}/file"), 9).unwrap(), b"deep");
        let entry = iso.lookup(&format!("{deep}/file")).unwrap();
        assert_eq!(iso.tree().path(entry), format!("{deep}/file"));
    }
}

#[test]
#[ignore = "real: programs"]
fn a_file_above_four_gigabytes_has_all_its_bytes() {
    const SIZE: u64 = (4 << 30) + (512 << 20) + 77;
    let marks = [0, (4 << 30) - 2048 - 20, (4 << 30) - 24, 4 << 30, SIZE - 16];
    let workshop = Workshop::new();
    workshop.sparse("big", SIZE, &marks).file("small", b"after");
    let iso = IsoFile::open(workshop.sparse_xorriso()).unwrap();
    let entry = iso.lookup("big").unwrap();
    let file = entry.file().unwrap();
    assert_eq!(file.size, SIZE);
    assert_eq!(
        file.extents().iter().map(|extent| extent.len).sum::<u64>(),
        SIZE
    );
    for at in marks {
        let mut found = [0; 16];
        assert_eq!(iso.read_at(file, at, &mut found).unwrap(), 16);
        assert_eq!(found, mark(at), "at {at}");
    }
    assert_eq!(iso.read_at(file, SIZE, &mut [0; 4]).unwrap(), 0);
    assert_eq!(iso.read("small", 9).unwrap(), b"after");
}

#[test]
#[ignore = "real: programs"]
fn dates_are_those_of_the_files() {
    let workshop = Workshop::new();
    workshop.file("old", b"x");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(951_825_600);
    let file = std::fs::File::options()
        .write(true)
        .open(workshop.tree().join("old"))
        .unwrap();
    file.set_modified(time).unwrap();
    for image in [
        workshop.xorriso(&["-R"]),
        workshop.genisoimage(&["-R"]),
        workshop.genisoimage(&["-J"]),
    ] {
        let iso = IsoFile::open(image).unwrap();
        let Kind::File(file) = &iso.lookup("old").unwrap().kind else {
            panic!("a file")
        };
        assert_eq!(file.mtime, 951_825_600);
    }
}
