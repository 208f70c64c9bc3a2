//! System use areas (SUSP, IEEE P1281) and the entries of Rock Ridge (RRIP, IEEE P1282) in them: POSIX
//! names, symlinks, dates, relocated directories.

use crate::date;
use crate::error::Problem;
use crate::record::Record;
use crate::source::{Source, u32_at};
use crate::volume::{SECTOR, Volume};

/// The most continuation areas of one record. Linux follows 31.
const MAX_AREAS: usize = 32;
/// The longest continuation area, in bytes. Linux reads one block.
const MAX_AREA_BYTES: u32 = 32 << 10;
const RRIP: [&[u8]; 3] = [b"RRIP_1991A", b"IEEE_P1282", b"IEEE_1282"];

const CONTINUES: u8 = 0x01;
const CURRENT: u8 = 0x02;
const PARENT: u8 = 0x04;
const ROOT: u8 = 0x08;

const MODE_TYPE: u32 = 0o170_000;
const MODE_REGULAR: u32 = 0o100_000;
const MODE_DIRECTORY: u32 = 0o040_000;
const MODE_SYMLINK: u32 = 0o120_000;

/// The attributes in the system use entries of one record.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// The POSIX name (NM).
    pub(crate) name: Vec<u8>,
    /// The target of a symlink (SL).
    pub(crate) target: Option<Vec<u8>>,
    /// The modification date (TF).
    pub(crate) modified: Option<i64>,
    /// The block of a directory that is stored elsewhere and belongs here (CL).
    pub(crate) child: Option<u32>,
    /// Whether this directory is stored here and belongs elsewhere (RE).
    pub(crate) relocated: bool,
    /// Whether the entry cannot be served: a device, socket or pipe (PX), or a malformed symlink, which
    /// genisoimage writes for long components.
    pub(crate) special: bool,
    /// Whether the data is compressed (ZF of zisofs).
    pub(crate) compressed: bool,
    skip: Option<usize>,
    rock_ridge: bool,
    name_done: bool,
    link: Link,
}

#[derive(Debug, Default)]
struct Link {
    done: bool,
    /// The last component continues in the next one.
    open: bool,
}

/// A continuation area (CE).
struct Area {
    offset: u64,
    len: u32,
}

/// Detects Rock Ridge in the primary tree. Returns the bytes to skip in each system use area.
pub(crate) fn detect(source: &Source, volume: &Volume) -> Result<Option<usize>, Problem> {
    let offset = volume.root.0 * volume.block;
    let mut sector = [0u8; SECTOR];
    if !source.contains(offset, SECTOR as u64) {
        return Err(Problem::damaged("the root directory is beyond the end"));
    }
    source.read(offset, &mut sector)?;
    let Some(record) = Record::parse(&sector).filter(Record::is_self) else {
        return Ok(None);
    };
    // The skip is unknown before SP is found: 0, or 15 on CD-ROM XA discs.
    for start in [0, 15] {
        let area = record.system_use.get(start..).unwrap_or(&[]);
        if area.starts_with(b"SP\x07\x01\xbe\xef") {
            let reader = Reader { source, volume };
            let attributes = reader.read(area, &mut |_| Ok(()))?;
            return Ok(attributes.skip.filter(|_| attributes.rock_ridge));
        }
    }
    Ok(None)
}

/// Reads system use areas with their continuations.
pub(crate) struct Reader<'a> {
    pub(crate) source: &'a Source,
    pub(crate) volume: &'a Volume,
}

impl Reader<'_> {
    /// Reads `area` and its continuations. Calls `charge` with the size of each continuation before
    /// reading it; `charge` may refuse.
    pub(crate) fn read(
        &self,
        area: &[u8],
        charge: &mut dyn FnMut(u64) -> Result<(), Problem>,
    ) -> Result<Attributes, Problem> {
        let mut attributes = Attributes::default();
        let mut next = attributes.parse_area(area, self.volume.block)?;
        for _ in 0..MAX_AREAS {
            let Some(Area { offset, len }) = next else {
                return Ok(attributes);
            };
            if len > MAX_AREA_BYTES || !self.source.contains(offset, u64::from(len)) {
                let reason = format!("a continuation area of {len} bytes at byte {offset}");
                return Err(Problem::Damaged(reason));
            }
            charge(u64::from(len).max(SECTOR as u64))?;
            let mut bytes = vec![0; len as usize];
            self.source.read(offset, &mut bytes)?;
            next = attributes.parse_area(&bytes, self.volume.block)?;
        }
        match next {
            None => Ok(attributes),
            Some(_) => Err(Problem::damaged("too many continuation areas")),
        }
    }
}

impl Attributes {
    /// Parses the entries of one area. Returns the area that continues it.
    fn parse_area(&mut self, mut area: &[u8], block: u64) -> Result<Option<Area>, Problem> {
        let mut next = None;
        while let [a, b, len, _version, ..] = *area {
            if a == 0 || [a, b] == *b"ST" {
                break;
            }
            let entry = area.get(4..usize::from(len));
            let entry = entry.ok_or_else(|| Problem::damaged("a malformed system use entry"))?;
            area = &area[usize::from(len)..];
            match &[a, b] {
                b"CE" => {
                    let start = u64::from(u32_at(entry, 0)) * block;
                    next = Some(Area {
                        offset: start + u64::from(u32_at(entry, 8)),
                        len: u32_at(entry, 16),
                    });
                }
                b"SP" => self.skip = entry.get(2).map(|&skip| usize::from(skip)),
                b"ER" => self.extension(entry),
                b"RR" => self.rock_ridge = true,
                b"NM" => self.name(entry),
                b"SL" => self.special |= self.symlink(entry).is_none(),
                b"TF" => self.times(entry),
                b"PX" => self.mode(u32_at(entry, 0)),
                b"CL" => self.child = Some(u32_at(entry, 0)),
                b"RE" => self.relocated = true,
                b"ZF" => self.compressed = true,
                _ => {}
            }
        }
        Ok(next)
    }

    fn extension(&mut self, entry: &[u8]) {
        let len = entry.first().map_or(0, |&len| usize::from(len));
        let identifier = entry.get(4..4 + len).unwrap_or(&[]);
        self.rock_ridge |= RRIP.contains(&identifier);
    }

    fn name(&mut self, entry: &[u8]) {
        let Some((&flags, part)) = entry.split_first() else {
            return;
        };
        if self.name_done || flags & (CURRENT | PARENT) != 0 {
            return;
        }
        self.name.extend_from_slice(part);
        self.name_done = flags & CONTINUES == 0;
    }

    fn mode(&mut self, mode: u32) {
        let kind = mode & MODE_TYPE;
        self.special |= ![MODE_REGULAR, MODE_DIRECTORY, MODE_SYMLINK, 0].contains(&kind);
    }

    /// Parses components of a symlink; none if they are malformed.
    fn symlink(&mut self, entry: &[u8]) -> Option<()> {
        let target = self.target.get_or_insert_default();
        let (&flags, mut rest) = entry.split_first()?;
        if self.link.done {
            return Some(());
        }
        while let [flags, len, content @ ..] = rest {
            let text = content.get(..usize::from(*len))?;
            rest = &content[usize::from(*len)..];
            let goes_on = std::mem::replace(&mut self.link.open, flags & CONTINUES != 0);
            if flags & ROOT != 0 {
                target.push(b'/');
                continue;
            }
            if !goes_on && target.last().is_some_and(|&last| last != b'/') {
                target.push(b'/');
            }
            match flags & (CURRENT | PARENT) {
                0 => target.extend_from_slice(text),
                CURRENT => target.push(b'.'),
                _ => target.extend_from_slice(b".."),
            }
        }
        self.link.done = flags & CONTINUES == 0;
        Some(())
    }

    /// Parses the dates, which are in the order of their flags: creation, modification, ….
    fn times(&mut self, entry: &[u8]) {
        let Some((&flags, dates)) = entry.split_first() else {
            return;
        };
        if flags & 0x02 == 0 {
            return;
        }
        let position = usize::from(flags & 0x01);
        self.modified = if flags & 0x80 != 0 {
            dates.get(position * 17..).map(date::long)
        } else {
            dates.get(position * 7..).map(date::short)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(area: &[u8]) -> Attributes {
        let mut attributes = Attributes::default();
        assert!(attributes.parse_area(area, 2048).unwrap().is_none());
        attributes
    }

    #[test]
    fn name_in_parts_is_joined() {
        let attributes = taken(b"NM\x08\x01\x01abcNM\x07\x01\x00deNM\x06\x01\x00x\0");
        assert_eq!(attributes.name, b"abcde");
    }

    #[test]
    fn symlink_in_components_is_joined() {
        let mut area = b"SL\x0f\x01\x01\x04\x00\x00\x03usr\x01\x01l".to_vec();
        area.extend(b"SL\x0c\x01\x00\x00\x02ib\x00\x01x");
        assert_eq!(taken(&area).target.unwrap(), b"../usr/lib/x");
        assert_eq!(
            taken(b"SL\x0b\x01\x00\x08\x00\x00\x02ab").target.unwrap(),
            b"/ab"
        );
    }

    #[test]
    fn area_malformed_is_an_error() {
        for area in [&b"NM\x03\x01\x00"[..], b"NM\x20\x01\x00"] {
            assert!(
                Attributes::default().parse_area(area, 2048).is_err(),
                "{area:?}"
            );
        }
        assert!(taken(b"SL\x08\x01\x00\x00\x09x").special);
    }
}
