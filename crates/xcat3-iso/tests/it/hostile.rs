//! Images made to do harm: every one must give a tree inside of its bounds or an error, soon.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use xcat3_iso::{IsoFile, Kind, Limits, Naming, Problem};

use crate::craft::{Craft, DIRECTORY, NOT_FINAL, ROOT, ce, cl, named, nm, record};
use crate::make::usual_tree;

/// What is wrong with the image, after the path.
fn complaint(craft: &Craft) -> String {
    let error = IsoFile::open(craft.write()).expect_err("this image can't be read");
    error.problem.to_string()
}

fn root_with(records: &[Vec<u8>]) -> Craft {
    let mut craft = Craft::new(32);
    craft.directory(ROOT, records);
    craft
}

#[test]
fn a_harmless_one_is_read() {
    let mut craft = root_with(&[named(b"file", 20, 5, 0), named(b"dir", 19, 2048, DIRECTORY)]);
    craft.directory(19, &[named(b"inner", 21, 3, 0)]);
    craft.put(20, b"hello").put(21, b"abc");
    let iso = IsoFile::open(craft.write()).unwrap();
    assert_eq!(iso.naming(), Naming::RockRidge);
    assert_eq!(iso.read("file", 9).unwrap(), b"hello");
    assert_eq!(iso.read("dir/inner", 9).unwrap(), b"abc");
}

#[test]
fn directories_that_lead_back_are_refused() {
    let to_root = root_with(&[named(b"loop", ROOT, 2048, DIRECTORY)]);
    assert!(complaint(&to_root).contains("twice, or inside of itself"));
    let mut between = root_with(&[named(b"a", 19, 2048, DIRECTORY)]);
    between.directory(19, &[named(b"b", 20, 2048, DIRECTORY)]);
    between.directory(20, &[named(b"a", 19, 2048, DIRECTORY)]);
    assert_eq!(
        complaint(&between),
        "damaged: in '/a/b': a directory is in it twice, or inside of itself"
    );
    let moved = root_with(&[record(b"X", 0, 0, 0, &[nm(b"m"), cl(ROOT)].concat())]);
    assert!(complaint(&moved).contains("twice, or inside of itself"));
}

#[test]
fn names_that_would_be_paths_are_refused() {
    for name in [
        &b".."[..],
        b".",
        b"a/b",
        b"/etc/passwd",
        b"a\0b",
        b"../../x",
    ] {
        let said = complaint(&root_with(&[named(name, 20, 5, 0)]));
        assert!(said.contains("can't be a file's"), "{name:?}: {said}");
        assert!(!said.contains('\0'));
    }
}

#[test]
fn data_beyond_the_end_is_refused() {
    let file = root_with(&[named(b"kernel", 31, 2049, 0)]);
    assert_eq!(
        complaint(&file),
        "damaged: in '/': 'kernel' ends at byte 65537, but the image has only 65536 bytes"
    );
    let far = root_with(&[named(b"kernel", u32::MAX, u32::MAX, 0)]);
    assert!(complaint(&far).contains("'kernel' ends at byte"));
    let directory = root_with(&[named(b"dir", 20, u32::MAX, DIRECTORY)]);
    assert!(complaint(&directory).starts_with("damaged: in '/dir': it ends at byte"));
    let mut root = Craft::new(32);
    root.root_size(u32::MAX);
    assert!(complaint(&root).starts_with("damaged: in '/': it ends at byte"));
}

#[test]
fn directories_that_share_their_bytes_are_refused() {
    // Each is inside of the file, all together are larger than it.
    let mut craft = Craft::new(32);
    let records: Vec<_> = (19..32)
        .map(|sector| {
            named(
                &[b'a' + sector as u8],
                sector,
                (32 - sector) * 2048,
                DIRECTORY,
            )
        })
        .collect();
    craft.directory(ROOT, &records);
    assert!(complaint(&craft).contains("the directories overlap"));
}

#[test]
fn continuation_areas_neither_loop_nor_grow() {
    let mut circle = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, 28))]);
    circle.put(25, &ce(25, 0, 28));
    assert!(complaint(&circle).contains("continuation areas without end"));
    let huge = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, u32::MAX))]);
    assert!(complaint(&huge).contains("a continuation area of 4294967295 bytes"));
    let beyond = root_with(&[record(b"X", 20, 5, 0, &ce(u32::MAX, u32::MAX, 2048))]);
    assert!(complaint(&beyond).contains("a continuation area of 2048 bytes"));
}

#[test]
fn many_continuation_areas_end_at_the_limit() {
    let mut craft = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, 28))]);
    for sector in 25..30 {
        craft.put(sector, &ce(sector + 1, 0, 28));
    }
    let limits = Limits {
        metadata_bytes: 3 * 2048,
        ..Limits::default()
    };
    let error = IsoFile::open_within(craft.write(), &limits).unwrap_err();
    assert!(matches!(error.problem, Problem::OverLimit(_)), "{error}");
}

#[test]
fn relocated_directories_must_be_directories() {
    let craft = root_with(&[record(b"X", 0, 0, 0, &[nm(b"m"), cl(25)].concat())]);
    assert!(complaint(&craft).contains("a relocated directory is not there"));
    let craft = root_with(&[record(b"X", 0, 0, 0, &[nm(b"m"), cl(u32::MAX)].concat())]);
    assert!(complaint(&craft).contains("a relocated directory is not there"));
}

#[test]
fn files_of_several_records_must_end() {
    let last_missing = root_with(&[named(b"big", 20, 2048, NOT_FINAL)]);
    assert!(complaint(&last_missing).contains("its last file does not end"));
    let other_follows = root_with(&[
        named(b"big", 20, 2048, NOT_FINAL),
        record(b"OTHER", 21, 2048, 0, &nm(b"other")),
    ]);
    assert!(complaint(&other_follows).contains("lacks its last"));
}

#[test]
fn malformed_records_are_refused() {
    let mut short = record(b"X", 20, 5, 0, b"");
    short[0] = 20;
    assert!(complaint(&root_with(&[short])).contains("a malformed record"));
    let mut long_name = record(b"X", 20, 5, 0, b"");
    long_name[32] = 200;
    assert!(complaint(&root_with(&[long_name])).contains("a malformed record"));
    let entry = record(b"X", 20, 5, 0, b"NM\x02\x01");
    assert!(complaint(&root_with(&[entry])).contains("a malformed system use entry"));
}

#[test]
fn deep_nesting_ends_at_the_limit() {
    let mut craft = Craft::new(400);
    for sector in ROOT..ROOT + 300 {
        craft.directory(sector, &[named(b"d", sector + 1, 2048, DIRECTORY)]);
    }
    let said = complaint(&craft);
    assert!(
        said.contains("more than 128 directories inside one another"),
        "{said}"
    );
    assert!(said.len() < 400, "{said}");
}

#[test]
fn names_have_a_limit() {
    let part = |more: u8| [b"NM", &[255, 1, more][..], &[b'n'; 250]].concat();
    let mut craft = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, 765))]);
    craft.put(25, &[part(1), part(1), part(0)].concat());
    let said = complaint(&craft);
    assert!(said.contains("has more than 512 bytes"), "{said}");
    assert!(said.len() < 300, "{said}");
}

#[test]
fn millions_of_entries_end_at_the_limit_soon() {
    const SECTORS: u32 = 36_000;
    let one = record(b"F", 20, 5, 0, b"");
    let sector = one.repeat(2048 / one.len());
    let mut craft = Craft::new(20 + SECTORS as usize);
    craft.bytes[16 * 2048 + 158..][..4].copy_from_slice(&20u32.to_le_bytes());
    for number in 20..20 + SECTORS {
        craft.put(number, &sector);
    }
    craft.root_size(SECTORS * 2048);
    let said = complaint(&craft);
    assert_eq!(said, "too large: in '/': it has more than 2000000 entries");
}

#[test]
fn what_is_cut_short_says_how_much_is_missing() {
    let mut craft = Craft::new(32);
    craft.bytes.truncate(32 * 2048 - 1);
    let said = complaint(&craft);
    assert_eq!(
        said,
        "cut short: the volume has 65536 bytes, but the file only 65535"
    );
}

#[test]
fn what_is_no_image_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.iso");
    let said = || IsoFile::open(&path).unwrap_err().to_string();
    assert!(
        said().contains("x.iso: can't be read: No such file"),
        "{}",
        said()
    );
    std::fs::write(&path, b"hello").unwrap();
    assert!(
        said().ends_with("not an ISO 9660 image: it has only 5 bytes"),
        "{}",
        said()
    );
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    assert!(
        said().ends_with("there is no volume descriptor at byte 32768"),
        "{}",
        said()
    );
    let error = IsoFile::open(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("it is not a regular file"), "{error}");
}

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
#[ignore = "real: programs"]
fn corrupted_images_give_a_sound_tree_or_an_error() {
    let workshops = [usual_tree().into_xorriso(), usual_tree().into_genisoimage()];
    for (round_of_image, (_workshop, image)) in workshops.iter().enumerate() {
        let good = std::fs::read(image).unwrap();
        let file = OpenOptions::new().write(true).open(image).unwrap();
        let mut numbers = Numbers(0x5eed + round_of_image as u64);
        let mut refused = 0;
        for round in 0..1500 {
            let places = corrupt(&file, &good, &mut numbers);
            let begun = Instant::now();
            match IsoFile::open(image) {
                Ok(iso) => check_sound(&iso, round),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 600, "round {round}: {error}");
                }
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "round {round}");
            for at in places {
                file.write_all_at(&good[at..=at], at as u64).unwrap();
            }
        }
        assert!(refused > 100, "only {refused} were damaged enough to tell");
    }
}

/// Changes 1 to 20 bytes of descriptors and directories; answers where.
fn corrupt(file: &File, good: &[u8], numbers: &mut Numbers) -> Vec<usize> {
    let metadata = 32_768..100 * 2048;
    let used: Vec<usize> = metadata.filter(|&at| good[at] > 8).collect();
    let places: Vec<usize> = (0..=numbers.below(20))
        .map(|_| used[numbers.below(used.len() as u64) as usize])
        .collect();
    for &at in &places {
        let byte = numbers.below(256) as u8;
        file.write_all_at(&[byte], at as u64).unwrap();
    }
    places
}

/// Whatever came out of it: nothing is outside of the file, every name is one.
fn check_sound(iso: &IsoFile, round: usize) {
    let tree = iso.tree();
    for entry in tree.entries() {
        let name = tree.name(entry);
        assert!(
            !name.is_empty() && name != ".." && !name.contains(['/', '\0']),
            "round {round}"
        );
        let path = tree.path(entry);
        let found = tree.resolve(&path);
        match &entry.kind {
            Kind::File(file) => {
                assert_eq!(tree.path(found.unwrap()), path, "round {round}");
                let mut sum = 0;
                for extent in file.extents() {
                    assert!(extent.len > 0, "round {round}");
                    assert!(extent.offset + extent.len <= iso.size(), "round {round}");
                    sum += extent.len;
                }
                assert_eq!(sum, file.size, "round {round}");
            }
            Kind::Dir(_) => assert_eq!(tree.path(found.unwrap()), path, "round {round}"),
            Kind::Symlink(_) => {}
        }
    }
}
