//! Hostile images: each ends in a sound tree or an error.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use xcat3_iso::{IsoFile, Limits, Problem};

use crate::craft::{Craft, DIRECTORY, NOT_FINAL, ROOT, ce, cl, named, nm, record};
use crate::fuzzed::iso::check_sound;
use crate::make::usual_tree;

/// The problem of an unreadable image.
fn problem(craft: &Craft) -> String {
    let error = IsoFile::open(craft.write()).expect_err("an unreadable image");
    error.problem.to_string()
}

fn root_with(records: &[Vec<u8>]) -> Craft {
    let mut craft = Craft::new(32);
    craft.directory(ROOT, records);
    craft
}

#[test]
fn image_crafted_is_read() {
    let mut craft = root_with(&[named(b"file", 20, 5, 0), named(b"dir", 19, 2048, DIRECTORY)]);
    craft.directory(19, &[named(b"inner", 21, 3, 0)]);
    craft.put(20, b"hello").put(21, b"abc");
    let iso = IsoFile::open(craft.write()).unwrap();
    assert_eq!(iso.read("file", 9).unwrap(), b"hello");
    assert_eq!(iso.read("dir/inner", 9).unwrap(), b"abc");
}

#[test]
fn directory_loop_is_refused() {
    let to_root = root_with(&[named(b"loop", ROOT, 2048, DIRECTORY)]);
    assert!(problem(&to_root).contains("twice, or inside itself"));
    let mut between = root_with(&[named(b"a", 19, 2048, DIRECTORY)]);
    between.directory(19, &[named(b"b", 20, 2048, DIRECTORY)]);
    between.directory(20, &[named(b"a", 19, 2048, DIRECTORY)]);
    assert_eq!(
        problem(&between),
        "damaged: in '/a/b': a directory appears twice, or inside itself"
    );
    let moved = root_with(&[record(b"X", 0, 0, 0, &[nm(b"m"), cl(ROOT)].concat())]);
    assert!(problem(&moved).contains("twice, or inside itself"));
}

#[test]
fn name_that_is_a_path_is_refused() {
    for name in [
        &b".."[..],
        b".",
        b"a/b",
        b"/etc/passwd",
        b"a\0b",
        b"../../x",
    ] {
        let problem_text = problem(&root_with(&[named(name, 20, 5, 0)]));
        assert!(
            problem_text.contains("is not a valid file name"),
            "{name:?}: {problem_text}"
        );
        assert!(!problem_text.contains('\0'));
    }
}

#[test]
fn extent_beyond_the_end_is_refused() {
    let file = root_with(&[named(b"kernel", 31, 2049, 0)]);
    assert_eq!(
        problem(&file),
        "damaged: in '/': 'kernel' ends at byte 65537, but the image has only 65536 bytes"
    );
    let far = root_with(&[named(b"kernel", u32::MAX, u32::MAX, 0)]);
    assert!(problem(&far).contains("'kernel' ends at byte"));
    let directory = root_with(&[named(b"dir", 20, u32::MAX, DIRECTORY)]);
    assert!(problem(&directory).starts_with("damaged: in '/dir': the directory ends at byte"));
    let mut root = Craft::new(32);
    root.root_size(u32::MAX);
    assert!(problem(&root).starts_with("damaged: in '/': the directory ends at byte"));
}

#[test]
fn directories_overlapping_are_refused() {
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
    assert!(problem(&craft).contains("the directories overlap"));
}

#[test]
fn continuation_area_loop_or_size_is_refused() {
    let mut circle = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, 28))]);
    circle.put(25, &ce(25, 0, 28));
    assert!(problem(&circle).contains("too many continuation areas"));
    let huge = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, u32::MAX))]);
    assert!(problem(&huge).contains("a continuation area of 4294967295 bytes"));
    let beyond = root_with(&[record(b"X", 20, 5, 0, &ce(u32::MAX, u32::MAX, 2048))]);
    assert!(problem(&beyond).contains("a continuation area of 2048 bytes"));
}

#[test]
fn continuation_areas_many_end_at_the_limit() {
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
fn relocated_directory_missing_is_refused() {
    let craft = root_with(&[record(b"X", 0, 0, 0, &[nm(b"m"), cl(25)].concat())]);
    assert!(problem(&craft).contains("a relocated directory is missing"));
    let craft = root_with(&[record(b"X", 0, 0, 0, &[nm(b"m"), cl(u32::MAX)].concat())]);
    assert!(problem(&craft).contains("a relocated directory is missing"));
}

#[test]
fn file_without_final_record_is_refused() {
    let last_missing = root_with(&[named(b"big", 20, 2048, NOT_FINAL)]);
    assert!(problem(&last_missing).contains("the last file has no final record"));
    let other_follows = root_with(&[
        named(b"big", 20, 2048, NOT_FINAL),
        record(b"OTHER", 21, 2048, 0, &nm(b"other")),
    ]);
    assert!(problem(&other_follows).contains("has no final record"));
}

#[test]
fn record_malformed_is_refused() {
    let mut short = record(b"X", 20, 5, 0, b"");
    short[0] = 20;
    assert!(problem(&root_with(&[short])).contains("a malformed record"));
    let mut long_name = record(b"X", 20, 5, 0, b"");
    long_name[32] = 200;
    assert!(problem(&root_with(&[long_name])).contains("a malformed record"));
    let entry = record(b"X", 20, 5, 0, b"NM\x02\x01");
    assert!(problem(&root_with(&[entry])).contains("a malformed system use entry"));
}

#[test]
fn directories_nested_deeply_end_at_the_limit() {
    let mut craft = Craft::new(400);
    for sector in ROOT..ROOT + 300 {
        craft.directory(sector, &[named(b"d", sector + 1, 2048, DIRECTORY)]);
    }
    let problem_text = problem(&craft);
    assert!(
        problem_text.contains("more than 128 nested directories"),
        "{problem_text}"
    );
    assert!(problem_text.len() < 400, "{problem_text}");
}

#[test]
fn name_too_long_is_refused() {
    let part = |more: u8| [b"NM", &[255, 1, more][..], &[b'n'; 250]].concat();
    let mut craft = root_with(&[record(b"X", 20, 5, 0, &ce(25, 0, 765))]);
    craft.put(25, &[part(1), part(1), part(0)].concat());
    let problem_text = problem(&craft);
    assert!(
        problem_text.contains("has more than 512 bytes"),
        "{problem_text}"
    );
    assert!(problem_text.len() < 300, "{problem_text}");
}

#[test]
fn entries_millions_end_at_the_limit() {
    const SECTORS: u32 = 36_000;
    let one = record(b"F", 20, 5, 0, b"");
    let sector = one.repeat(2048 / one.len());
    let mut craft = Craft::new(20 + SECTORS as usize);
    craft.bytes[16 * 2048 + 158..][..4].copy_from_slice(&20u32.to_le_bytes());
    for number in 20..20 + SECTORS {
        craft.put(number, &sector);
    }
    craft.root_size(SECTORS * 2048);
    let expected = "too large: in '/': there are more than 2000000 entries";
    assert_eq!(problem(&craft), expected);
}

#[test]
fn image_cut_short_is_refused() {
    let mut craft = Craft::new(32);
    craft.bytes.truncate(32 * 2048 - 1);
    let problem_text = problem(&craft);
    assert_eq!(
        problem_text,
        "cut short: the volume has 65536 bytes, but the file only 65535"
    );
}

#[test]
fn file_not_an_image_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.iso");
    let problem_text = || IsoFile::open(&path).unwrap_err().to_string();
    assert!(
        problem_text().contains("x.iso: can't be read: No such file"),
        "{}",
        problem_text()
    );
    std::fs::write(&path, b"hello").unwrap();
    assert!(
        problem_text().ends_with("not an ISO 9660 image: it has only 5 bytes"),
        "{}",
        problem_text()
    );
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    assert!(
        problem_text().ends_with("there is no volume descriptor at byte 32768"),
        "{}",
        problem_text()
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
fn image_of_programs_corrupted_ends_in_sound_tree_or_error() {
    let workshops = [usual_tree().into_xorriso(), usual_tree().into_genisoimage()];
    for (round_of_image, (_workshop, image)) in workshops.iter().enumerate() {
        let good = std::fs::read(image).unwrap();
        let file = OpenOptions::new().write(true).open(image).unwrap();
        let mut numbers = Numbers(0x5eed + round_of_image as u64);
        let mut refused = 0;
        for round in 0..1500 {
            let changed = corrupt(&file, &good, &mut numbers);
            match IsoFile::open(image) {
                Ok(iso) => check_sound(&iso),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().len() < 600, "round {round}: {error}");
                }
            }
            for offset in changed {
                file.write_all_at(&good[offset..=offset], offset as u64)
                    .unwrap();
            }
        }
        assert!(refused > 100, "only {refused} were damaged enough to tell");
    }
}

/// Changes 1 to 20 bytes of descriptors and directories. Returns their offsets.
fn corrupt(file: &File, good: &[u8], numbers: &mut Numbers) -> Vec<usize> {
    let metadata = 32_768..100 * 2048;
    let used: Vec<usize> = metadata.filter(|&offset| good[offset] > 8).collect();
    let changed: Vec<usize> = (0..=numbers.below(20))
        .map(|_| used[numbers.below(used.len() as u64) as usize])
        .collect();
    for &offset in &changed {
        let byte = numbers.below(256) as u8;
        file.write_all_at(&[byte], offset as u64).unwrap();
    }
    changed
}
