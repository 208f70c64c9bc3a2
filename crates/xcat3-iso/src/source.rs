//! The bytes of an image file: reads at an offset, within the length of the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::error::Problem;

/// An open image file and its length.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: File,
    pub(crate) len: u64,
}

impl Source {
    /// The source of a regular file. Pipes and devices have no reliable length.
    pub(crate) fn new(file: File) -> Result<Self, Problem> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Problem::NotIso("it is not a regular file".into()));
        }
        Ok(Self {
            len: metadata.len(),
            file,
        })
    }

    /// Whether the file has `len` bytes from `offset` on.
    pub(crate) fn contains(&self, offset: u64, len: u64) -> bool {
        offset.checked_add(len).is_some_and(|end| end <= self.len)
    }

    /// Fills `buffer` with the bytes from `offset` on.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Problem> {
        let read = self.file.read_exact_at(buffer, offset);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Problem::Io(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("it ends before byte {}", offset + buffer.len() as u64),
            )),
            _ => Problem::Io(error),
        })
    }
}

/// The little-endian half of a both-endian 32-bit number (ECMA-119 7.3.3); 0 if bytes are missing.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let half = bytes.get(at..at + 4).and_then(|half| half.try_into().ok());
    u32::from_le_bytes(half.unwrap_or_default())
}
