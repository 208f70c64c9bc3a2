//! Writes images byte by byte, also such as no program makes.

use std::path::PathBuf;

use tempfile::TempDir;

pub const SECTOR: usize = 2048;
/// The sector of the root directory. Tests use the sectors after it.
pub const ROOT: u32 = 18;
pub const DIRECTORY: u8 = 2;
pub const NOT_FINAL: u8 = 0x80;

/// An image with volume descriptors and a root directory with Rock Ridge.
pub struct Craft {
    pub bytes: Vec<u8>,
    dir: TempDir,
}

impl Craft {
    pub fn new(sectors: usize) -> Self {
        let mut craft = Self {
            bytes: vec![0; sectors * SECTOR],
            dir: tempfile::tempdir().unwrap(),
        };
        let primary = &mut craft.bytes[16 * SECTOR..17 * SECTOR];
        primary[..7].copy_from_slice(b"\x01CD001\x01");
        primary[80..84].copy_from_slice(&(sectors as u32).to_le_bytes());
        primary[128..130].copy_from_slice(&2048u16.to_le_bytes());
        primary[156..190].copy_from_slice(&record(b"\0", ROOT, 2048, DIRECTORY, b""));
        craft.bytes[17 * SECTOR..][..7].copy_from_slice(b"\xffCD001\x01");
        craft.directory(ROOT, &[]);
        craft
    }

    /// Writes a directory of one sector: its own record, its parent's, and `records`.
    pub fn directory(&mut self, sector: u32, records: &[Vec<u8>]) -> &mut Self {
        let mut content = record(
            b"\0",
            sector,
            2048,
            DIRECTORY,
            b"SP\x07\x01\xbe\xef\0RR\x05\x01\0",
        );
        content.extend(record(b"\x01", ROOT, 2048, DIRECTORY, b""));
        content.extend(records.concat());
        self.put(sector, &content)
    }

    /// Writes `content` at the beginning of a sector.
    pub fn put(&mut self, sector: u32, content: &[u8]) -> &mut Self {
        self.bytes[sector as usize * SECTOR..][..content.len()].copy_from_slice(content);
        self
    }

    /// Changes the root's size in the descriptor.
    pub fn root_size(&mut self, size: u32) -> &mut Self {
        self.bytes[16 * SECTOR + 166..][..4].copy_from_slice(&size.to_le_bytes());
        self
    }

    pub fn write(&self) -> PathBuf {
        let path = self.dir.path().join("crafted.iso");
        std::fs::write(&path, &self.bytes).unwrap();
        path
    }
}

/// A directory record.
pub fn record(name: &[u8], sector: u32, size: u32, flags: u8, system_use: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 33];
    bytes[2..6].copy_from_slice(&sector.to_le_bytes());
    bytes[10..14].copy_from_slice(&size.to_le_bytes());
    bytes[25] = flags;
    bytes[32] = name.len() as u8;
    bytes.extend(name);
    bytes.resize(bytes.len() + (1 - name.len() % 2), 0);
    bytes.extend(system_use);
    bytes.resize(bytes.len() + bytes.len() % 2, 0);
    bytes[0] = u8::try_from(bytes.len()).unwrap();
    bytes
}

/// A record with a Rock Ridge name.
pub fn named(name: &[u8], sector: u32, size: u32, flags: u8) -> Vec<u8> {
    record(b"X", sector, size, flags, &nm(name))
}

/// The entry of a Rock Ridge name.
pub fn nm(name: &[u8]) -> Vec<u8> {
    [b"NM", &[5 + name.len() as u8, 1, 0][..], name].concat()
}

/// The entry of a continuation area.
pub fn ce(sector: u32, offset: u32, len: u32) -> Vec<u8> {
    let mut entry = b"CE\x1c\x01".to_vec();
    for number in [sector, offset, len] {
        entry.extend(number.to_le_bytes());
        entry.extend(number.to_be_bytes());
    }
    entry
}

/// The entry of a relocated child.
pub fn cl(sector: u32) -> Vec<u8> {
    [
        b"CL\x0c\x01",
        &sector.to_le_bytes()[..],
        &sector.to_be_bytes()[..],
    ]
    .concat()
}
