//! Directory records (ECMA-119 9.1).

use crate::source::u32_at;

/// The file continues in the next record (multi-extent).
const NOT_FINAL: u8 = 0x80;
const ASSOCIATED: u8 = 0x04;
const DIRECTORY: u8 = 0x02;

/// A record, borrowed from its sector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// The length of the record itself.
    pub(crate) len: usize,
    /// The first logical block of the data, after an extended attribute record.
    pub(crate) block: u64,
    /// The size of the data, in bytes.
    pub(crate) size: u32,
    /// The date, seven bytes.
    pub(crate) date: &'a [u8],
    /// Whether the data is interleaved: spread in units with gaps. No present program writes such files.
    pub(crate) interleaved: bool,
    flags: u8,
    /// The raw identifier.
    pub(crate) identifier: &'a [u8],
    /// The system use area (SUSP).
    pub(crate) system_use: &'a [u8],
}

impl<'a> Record<'a> {
    /// Parses the record at the beginning of `bytes`, the rest of a sector. None if the record is
    /// malformed. Callers check for a first byte of 0, which ends the records of a sector.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let len = usize::from(*bytes.first()?);
        let bytes = bytes.get(..len)?;
        let name_len = usize::from(*bytes.get(32)?);
        let identifier = bytes.get(33..33 + name_len)?;
        if identifier.is_empty() {
            return None;
        }
        // A padding byte follows an identifier of even length.
        let system_use = bytes
            .get(33 + name_len + (1 - name_len % 2)..)
            .unwrap_or(&[]);
        Some(Self {
            len,
            block: u64::from(u32_at(bytes, 2)) + u64::from(bytes[1]),
            size: u32_at(bytes, 10),
            date: &bytes[18..25],
            interleaved: bytes[26] != 0 || bytes[27] != 0,
            flags: bytes[25],
            identifier,
            system_use,
        })
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.flags & DIRECTORY != 0
    }

    /// Whether the record is a resource fork or the like of the file with the same name.
    pub(crate) fn is_associated(&self) -> bool {
        self.flags & ASSOCIATED != 0
    }

    /// Whether the file continues in the next record.
    pub(crate) fn continues(&self) -> bool {
        self.flags & NOT_FINAL != 0
    }

    /// Whether this is the record of the directory itself.
    pub(crate) fn is_self(&self) -> bool {
        self.identifier == [0]
    }

    /// Whether this is the record of the parent directory.
    pub(crate) fn is_parent(&self) -> bool {
        self.identifier == [1]
    }
}
