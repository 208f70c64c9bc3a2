//! Images with any content: opening one ends in a sound tree or an error.
//!
//! The fuzzer's inputs are shorter than any image. An input is the number of sectors, followed by runs of
//! bytes in an image of zeros: sector, offset in the sector (two bytes), length, bytes.

use std::os::unix::fs::FileExt;

use tempfile::NamedTempFile;
use xcat3_iso::{EntryKind, IsoFile, Limits};

const SECTOR: usize = 2048;
/// The sectors of an image without directories, up to the first volume descriptor.
const MIN_SECTORS: usize = 17;
/// Selects [`SMALL`] limits in the first byte.
const SMALL_LIMITS: u8 = 0x80;
/// Limits that small images exceed.
const SMALL: Limits = Limits {
    entries: 8,
    depth: 2,
    name_bytes: 16,
    target_bytes: 16,
    text_bytes: 64,
    metadata_bytes: 8 << 10,
};

thread_local! {
    // In memory: a disk would take most of the time.
    static IMAGE: NamedTempFile = NamedTempFile::new_in("/dev/shm").unwrap();
}

/// Opens the image that `bytes` describe.
pub fn run(bytes: &[u8]) {
    let Some((&first, runs)) = bytes.split_first() else {
        return;
    };
    let limits = match first & SMALL_LIMITS {
        0 => Limits::default(),
        _ => SMALL,
    };
    IMAGE.with(|image| {
        let bytes = decode(MIN_SECTORS + usize::from(first & 0x3f), runs);
        image.as_file().set_len(bytes.len() as u64).unwrap();
        image.as_file().write_all_at(&bytes, 0).unwrap();
        match IsoFile::open_within(image.path(), &limits) {
            Ok(iso) => {
                check_sound(&iso);
                assert!(iso.tree().entries().count() <= limits.entries);
            }
            Err(error) => {
                let sentence = error.problem.to_string();
                assert!(sentence.len() < 4000, "{sentence}");
                assert!(!sentence.contains(char::is_control), "{sentence:?}");
            }
        }
    });
}

/// The image with these runs of bytes.
fn decode(sectors: usize, mut runs: &[u8]) -> Vec<u8> {
    let mut image = vec![0; sectors * SECTOR];
    while let [sector, low, high, length, rest @ ..] = runs {
        let within = usize::from(u16::from_le_bytes([*low, *high])) % SECTOR;
        let offset = usize::from(*sector) % sectors * SECTOR + within;
        let (run, after) = rest.split_at(usize::from(*length).min(rest.len()));
        let fitting = run.len().min(image.len() - offset);
        image[offset..offset + fitting].copy_from_slice(&run[..fitting]);
        runs = after;
    }
    image
}

/// Checks that every name is valid, every path leads to its entry, and every extent is in the image.
pub fn check_sound(iso: &IsoFile) {
    let tree = iso.tree();
    for entry in tree.entries() {
        let name = tree.name(entry);
        assert!(!name.is_empty() && name != "." && name != "..", "{name:?}");
        assert!(!name.contains(['/', '\0']), "{name:?}");
        let path = tree.path(entry);
        let found = tree.resolve(&path);
        match &entry.kind {
            EntryKind::File(file) => {
                assert_eq!(tree.path(found.unwrap()), path);
                let mut sum = 0;
                for extent in file.extents() {
                    assert!(extent.len > 0, "{path}");
                    assert!(extent.offset + extent.len <= iso.size(), "{path}");
                    sum += extent.len;
                }
                assert_eq!(sum, file.size, "{path}");
                if file.size <= 4096 {
                    assert_eq!(iso.read(&path, 4096).unwrap().len() as u64, file.size);
                }
            }
            EntryKind::Dir(_) => assert_eq!(tree.path(found.unwrap()), path),
            EntryKind::Symlink(_) => {}
        }
    }
}
