//! Discs with any metadata: `.disk/info`, `.treeinfo` or `.discinfo`. A disc is recognised with valid
//! names or refused with a sentence.

use std::os::unix::fs::FileExt;

use tempfile::NamedTempFile;
use xcat3_copycds::recognise;
use xcat3_core::OsImage;
use xcat3_core::name::check_object_name;
use xcat3_iso::IsoFile;

const SECTOR: usize = 2048;
/// The sectors of the directories and of the first file.
const ROOT: u32 = 18;
const DISK: u32 = 19;
const DISTS: u32 = 20;
const SUITE: u32 = 21;
const FILE: u32 = 22;
const SECTORS: u32 = 25;
const DIRECTORY: u8 = 2;

thread_local! {
    // In memory: a disk would take most of the time.
    static IMAGE: NamedTempFile = NamedTempFile::new_in("/dev/shm").unwrap();
}

/// The first byte selects the file, the others are its content.
pub fn run(bytes: &[u8]) {
    let Some((&form, content)) = bytes.split_first() else {
        return;
    };
    let content = &content[..content.len().min(3 * SECTOR)];
    IMAGE.with(|image| {
        image
            .as_file()
            .write_all_at(&disc(form, content), 0)
            .unwrap();
        let iso = IsoFile::open(image.path()).unwrap();
        match recognise(&iso) {
            Ok(release) => {
                let name = OsImage::default_name(&release.distro, &release.ver, &release.arch);
                assert_eq!(check_object_name(&name), Ok(()), "{release:?}");
                let codename = release.codename.as_bytes();
                assert!(
                    codename.iter().all(u8::is_ascii_alphanumeric),
                    "{release:?}"
                );
            }
            Err(error) => {
                let sentence = error.to_string();
                assert!(sentence.len() < 3000, "{sentence}");
                assert!(!sentence.contains(char::is_control), "{sentence:?}");
            }
        }
    });
}

/// A disc with one file of metadata, and the suite `trixie`.
fn disc(form: u8, content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let mut root = vec![
        record(".disk", DISK, SECTOR as u32, DIRECTORY),
        record("dists", DISTS, SECTOR as u32, DIRECTORY),
    ];
    let mut disk = Vec::new();
    match form % 3 {
        0 => disk.push(record("info", FILE, size, 0)),
        1 => root.push(record(".treeinfo", FILE, size, 0)),
        _ => root.push(record(".discinfo", FILE, size, 0)),
    }
    let mut image = vec![0; SECTORS as usize * SECTOR];
    let mut put = |sector: u32, offset: usize, bytes: &[u8]| {
        image[sector as usize * SECTOR + offset..][..bytes.len()].copy_from_slice(bytes);
    };
    put(16, 0, b"\x01CD001\x01");
    put(16, 80, &SECTORS.to_le_bytes());
    put(16, 128, &2048u16.to_le_bytes());
    put(16, 156, &own_record(ROOT, b""));
    put(17, 0, b"\xffCD001\x01");
    let rock_ridge = own_record(ROOT, b"SP\x07\x01\xbe\xef\0RR\x05\x01\0");
    put(ROOT, 0, &[rock_ridge, root.concat()].concat());
    put(DISK, 0, &[own_record(DISK, b""), disk.concat()].concat());
    let suite = record("trixie", SUITE, SECTOR as u32, DIRECTORY);
    put(DISTS, 0, &[own_record(DISTS, b""), suite].concat());
    let release = record("Release", ROOT, 1, 0);
    put(SUITE, 0, &[own_record(SUITE, b""), release].concat());
    put(FILE, 0, content);
    image
}

/// The record of a directory itself.
fn own_record(sector: u32, system_use: &[u8]) -> Vec<u8> {
    directory_record(b"\0", sector, SECTOR as u32, DIRECTORY, system_use)
}

/// A directory record with a Rock Ridge name.
fn record(name: &str, sector: u32, size: u32, flags: u8) -> Vec<u8> {
    let length = u8::try_from(name.len() + 5).unwrap();
    let system_use = [b"NM", &[length, 1, 0][..], name.as_bytes()].concat();
    directory_record(b"X", sector, size, flags, &system_use)
}

fn directory_record(
    name: &[u8; 1],
    sector: u32,
    size: u32,
    flags: u8,
    system_use: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0; 33];
    bytes[2..6].copy_from_slice(&sector.to_le_bytes());
    bytes[10..14].copy_from_slice(&size.to_le_bytes());
    bytes[25] = flags;
    bytes[32] = 1;
    bytes.extend(name);
    bytes.extend(system_use);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes[0] = u8::try_from(bytes.len()).unwrap();
    bytes
}
