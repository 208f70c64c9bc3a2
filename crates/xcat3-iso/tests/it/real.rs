//! Images as distributions make them.

use std::os::unix::fs::FileExt;

use xcat3_iso::{EntryKind, File, IsoFile, LookupError};

use crate::make::{Workshop, mark, usual_tree};

#[test]
#[ignore = "real: programs"]
fn path_with_symlinks_is_found() {
    for image in [usual_tree().into_xorriso(), usual_tree().into_genisoimage()] {
        let iso = IsoFile::open(image.1).unwrap();
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
        let tree = iso.tree();
        let children = tree.children(iso.lookup("dists").unwrap()).iter();
        let names: Vec<_> = children.map(|entry| tree.name(entry)).collect();
        assert_eq!(names, ["latest-release", "round", "stable", "trixie"]);
        assert!(tree.children(iso.lookup("empty").unwrap()).is_empty());
        drop(image.0);
    }
}

#[test]
#[ignore = "real: programs"]
fn symlink_longest_is_followed() {
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
fn symlink_out_of_image_or_in_a_loop_is_refused() {
    let (_workshop, image) = usual_tree().into_xorriso();
    let iso = IsoFile::open(image).unwrap();
    let why = |path: &str| iso.tree().resolve(path).unwrap_err();
    assert_eq!(why("out"), LookupError::Escapes("out".into()));
    assert_eq!(why("absolute"), LookupError::Escapes("absolute".into()));
    assert_eq!(why("../../etc"), LookupError::Escapes("../../etc".into()));
    assert_eq!(why("round"), LookupError::TooManySymlinks("round".into()));
    assert_eq!(why("nowhere"), LookupError::NotFound("nowhere".into()));
    assert_eq!(why("empty/x"), LookupError::NotFound("empty/x".into()));
    let deep = "debian/".repeat(5000);
    assert!(matches!(why(&deep), LookupError::TooManySymlinks(_)));
    let error = iso.read("out", 10).unwrap_err().to_string();
    assert!(
        error.ends_with("made.iso: 'out' leads out of the image"),
        "{error}"
    );
}

#[test]
#[ignore = "real: programs"]
fn file_too_large_to_read_is_named() {
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
fn image_without_rock_ridge_is_read_by_joliet() {
    let workshop = Workshop::new();
    workshop.file("Mixed Case and \u{17e} long name.txt", b"joliet");
    let iso = IsoFile::open(workshop.genisoimage(&["-J", "-input-charset", "utf-8"])).unwrap();
    assert_eq!(
        iso.read("Mixed Case and \u{17e} long name.txt", 9).unwrap(),
        b"joliet"
    );
}

#[test]
#[ignore = "real: programs"]
fn image_plain_has_names_as_in_linux() {
    let workshop = Workshop::new();
    workshop
        .file("README.TXT", b"plain")
        .file("BOOT/KERNEL", b"k");
    let iso = IsoFile::open(workshop.genisoimage(&[])).unwrap();
    assert_eq!(iso.read("readme.txt", 9).unwrap(), b"plain");
    assert_eq!(iso.read("boot/kernel", 9).unwrap(), b"k");
}

#[test]
#[ignore = "real: programs"]
fn image_with_udf_is_refused() {
    let workshop = Workshop::new();
    workshop.file("setup.exe", b"x");
    let error = IsoFile::open(workshop.genisoimage(&["-udf", "-J"])).unwrap_err();
    assert!(error.to_string().contains("UDF"), "{error}");
}

#[test]
#[ignore = "real: programs"]
fn directory_relocated_is_at_its_path() {
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
fn file_above_four_gigabytes_is_complete() {
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
    for offset in marks {
        assert_eq!(read_16(&iso, file, offset), mark(offset), "at {offset}");
    }
    assert_eq!(iso.read("small", 9).unwrap(), b"after");
}

/// The 16 bytes of `file` at `offset`, which may lie in two extents.
fn read_16(iso: &IsoFile, file: &File, offset: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (byte, offset) in bytes.iter_mut().zip(offset..) {
        let mut start = 0;
        for extent in file.extents() {
            if (start..start + extent.len).contains(&offset) {
                let position = extent.offset + offset - start;
                let read = iso.file().read_at(std::slice::from_mut(byte), position);
                assert_eq!(read.unwrap(), 1);
            }
            start += extent.len;
        }
    }
    bytes
}

#[test]
#[ignore = "real: programs"]
fn file_has_its_modification_date() {
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
        let EntryKind::File(file) = &iso.lookup("old").unwrap().kind else {
            panic!("a file")
        };
        assert_eq!(file.mtime, 951_825_600);
    }
}
