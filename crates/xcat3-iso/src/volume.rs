//! Volume descriptors (ECMA-119 8): the trees of an image and their roots.

use crate::error::Problem;
use crate::record::Record;
use crate::source::{Source, u32_at};
use crate::susp;

pub(crate) const SECTOR: usize = 2048;
const FIRST_SECTOR: u64 = 16;
/// The most descriptors that are read. Real images have three or four.
const MAX_DESCRIPTORS: u64 = 64;

/// The names in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Rock Ridge: POSIX names and symlinks.
    RockRidge,
    /// Joliet: UCS-2 names, no symlinks.
    Joliet,
    /// ISO 9660's own upper-case names, shown in lower case and without version, as Linux does.
    Plain,
}

/// The tree to read.
#[derive(Debug)]
pub(crate) struct Volume {
    /// The size of a logical block, in bytes.
    pub(crate) block: u64,
    pub(crate) naming: Naming,
    /// The logical block and the size in bytes of the root directory.
    pub(crate) root: (u64, u32),
    /// The bytes to skip at the beginning of each system use area (SUSP 5.3).
    pub(crate) skip: usize,
}

impl Volume {
    /// Reads the descriptors and chooses the tree: Rock Ridge, otherwise Joliet, otherwise plain.
    pub(crate) fn read(source: &Source) -> Result<Self, Problem> {
        let found = Descriptors::read(source)?;
        let primary = found
            .primary
            .ok_or_else(|| Problem::damaged("there is no primary volume descriptor"))?;
        let block = u64::from(u16::from_le_bytes([primary[128], primary[129]]));
        if ![512, 1024, 2048].contains(&block) {
            let reason = format!("the logical blocks have {block} bytes instead of 2048");
            return Err(Problem::Damaged(reason));
        }
        let volume = u64::from(u32_at(&primary[..], 80)) * block;
        if volume > source.len {
            let file = source.len;
            return Err(Problem::CutShort { volume, file });
        }
        let mut tree = Self {
            block,
            naming: Naming::Plain,
            root: root(&primary)?,
            skip: 0,
        };
        if let Some(skip) = susp::detect(source, &tree)? {
            (tree.naming, tree.skip) = (Naming::RockRidge, skip);
        } else if found.udf {
            let reason = "the files are on a UDF volume, as on Windows media";
            return Err(Problem::Unsupported(reason.into()));
        } else if let Some(joliet) = found.joliet {
            (tree.naming, tree.root) = (Naming::Joliet, root(&joliet)?);
        }
        Ok(tree)
    }
}

type Descriptor = [u8; SECTOR];

struct Descriptors {
    primary: Option<Box<Descriptor>>,
    joliet: Option<Box<Descriptor>>,
    udf: bool,
}

impl Descriptors {
    /// Reads the descriptors up to their terminator, and the UDF recognition sequence behind it.
    fn read(source: &Source) -> Result<Self, Problem> {
        let mut found = Self {
            primary: None,
            joliet: None,
            udf: false,
        };
        let mut sector: Box<Descriptor> = Box::new([0; SECTOR]);
        let mut terminated = false;
        for number in FIRST_SECTOR..FIRST_SECTOR + MAX_DESCRIPTORS {
            let offset = number * SECTOR as u64;
            if !source.contains(offset, SECTOR as u64) {
                break;
            }
            source.read(offset, &mut sector[..])?;
            match (&sector[1..6], sector[0]) {
                (b"CD001", 255) => terminated = true,
                (b"CD001", 1) if !terminated => {
                    found.primary = found.primary.or(Some(sector.clone()));
                }
                (b"CD001", 2) if !terminated && is_joliet(&sector) => {
                    found.joliet = Some(sector.clone());
                }
                (b"CD001", _) => {}
                (b"NSR02" | b"NSR03", _) => found.udf = true,
                (b"BEA01" | b"BOOT2" | b"TEA01", _) => {}
                _ if number == FIRST_SECTOR => return Err(not_iso(source.len)),
                _ if terminated => break,
                _ => {
                    return Err(Problem::damaged(
                        "the volume descriptors have no terminator",
                    ));
                }
            }
        }
        if found.primary.is_none() && !found.udf && !terminated {
            return Err(not_iso(source.len));
        }
        Ok(found)
    }
}

fn not_iso(len: u64) -> Problem {
    Problem::NotIso(if len < (FIRST_SECTOR + 1) * SECTOR as u64 {
        format!("it has only {len} bytes")
    } else {
        "there is no volume descriptor at byte 32768".to_owned()
    })
}

/// Whether the escape sequences are those of UCS-2 levels 1 to 3.
fn is_joliet(descriptor: &Descriptor) -> bool {
    matches!(&descriptor[88..91], b"%/@" | b"%/C" | b"%/E")
}

fn root(descriptor: &Descriptor) -> Result<(u64, u32), Problem> {
    let record = Record::parse(&descriptor[156..190]);
    let record = record.filter(Record::is_directory);
    let record = record.ok_or_else(|| Problem::damaged("the record of the root is malformed"))?;
    Ok((record.block, record.size))
}
