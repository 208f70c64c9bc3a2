//! The content that file servers send: bytes in memory, or runs of bytes of an open file (a whole file,
//! or the extents of a file inside an ISO).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

/// Bytes to send. A clone copies no bytes.
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes in memory.
    Memory(Bytes),
    /// Bytes of a file.
    File(Runs),
}

/// Runs of bytes of one open file, sent one after the other.
#[derive(Clone, Debug)]
pub struct Runs {
    file: Arc<File>,
    runs: Vec<Run>,
    len: u64,
}

/// A run of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Bytes from the beginning of the file.
    pub offset: u64,
    /// Bytes of the run.
    pub len: u64,
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Memory(bytes.into())
    }
}

impl Content {
    /// A whole file, with its current size.
    ///
    /// # Errors
    /// The size cannot be read.
    pub fn file(file: Arc<File>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self::extents(file, [(0, len)]))
    }

    /// Runs of a file, each an offset and a length, in the order of sending.
    pub fn extents(file: Arc<File>, extents: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let extents = extents.into_iter();
        let runs: Vec<Run> = extents
            .filter(|(_, len)| *len > 0)
            .map(|(offset, len)| Run { offset, len })
            .collect();
        let len = runs
            .iter()
            .fold(0u64, |sum, run| sum.saturating_add(run.len));
        Self::File(Runs { file, runs, len })
    }

    /// Length, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(runs) => runs.len,
        }
    }

    /// Whether the length is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of the content. A range beyond the end is cut off.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        match self {
            Self::Memory(bytes) => Self::Memory(bytes.slice(start as usize..end as usize)),
            Self::File(runs) => Self::File(runs.slice(start..end)),
        }
    }

    /// Fills `buffer` from `offset` on and returns the number of bytes, which is less than the buffer
    /// only at the end. Reading a file blocks the thread.
    ///
    /// # Errors
    /// The file cannot be read or has become shorter.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.len().saturating_sub(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..len];
        match self {
            Self::Memory(bytes) => {
                let start = offset.min(bytes.len() as u64) as usize;
                buffer.copy_from_slice(&bytes[start..start + len]);
            }
            Self::File(runs) => {
                let mut rest = buffer;
                for run in &runs.slice(offset..offset.saturating_add(len as u64)).runs {
                    let (part, after) = rest.split_at_mut(run.len as usize);
                    runs.file.read_exact_at(part, run.offset)?;
                    rest = after;
                }
            }
        }
        Ok(len)
    }
}

impl Runs {
    /// The file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The runs; none is empty.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    fn slice(&self, range: Range<u64>) -> Self {
        let mut runs = Vec::with_capacity(self.runs.len().min(2));
        let mut start = 0u64;
        for run in &self.runs {
            let end = start.saturating_add(run.len);
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                runs.push(Run {
                    offset: run.offset.saturating_add(from - start),
                    len: to - from,
                });
            }
            start = end;
        }
        Self {
            file: Arc::clone(&self.file),
            runs,
            len: range.end - range.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn scattered(bytes: &[u8], cuts: &[(u64, u64)]) -> Content {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("written");
        Content::extents(Arc::new(file), cuts.iter().copied())
    }

    fn read(content: &Content) -> Vec<u8> {
        let mut bytes = vec![0; content.len() as usize];
        assert_eq!(content.read_at(0, &mut bytes).expect("read"), bytes.len());
        bytes
    }

    #[test]
    fn read_spans_extents() {
        let content = scattered(b"0123456789", &[(7, 3), (0, 0), (1, 2), (4, 1)]);
        assert_eq!(content.len(), 6);
        assert_eq!(read(&content), b"789124");
        let mut buffer = [0; 4];
        assert_eq!(content.read_at(2, &mut buffer).expect("read"), 4);
        assert_eq!(&buffer, b"9124");
        assert_eq!(content.read_at(5, &mut buffer).expect("read"), 1);
        assert_eq!(content.read_at(6, &mut buffer).expect("read"), 0);
        assert_eq!(content.read_at(u64::MAX, &mut buffer).expect("read"), 0);
    }

    #[test]
    fn truncated_file_is_an_error() {
        let content = scattered(b"0123", &[(2, 10)]);
        let mut buffer = [0; 10];
        assert!(content.read_at(0, &mut buffer).is_err());
    }

    proptest! {
        #[test]
        fn slice_of_runs_equals_slice_of_bytes(
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            cuts in prop::collection::vec((0u64..100, 0u64..100), 0..6),
            start in 0u64..400, len in 0u64..400, again in 0u64..50,
        ) {
            let cuts: Vec<(u64, u64)> = cuts.into_iter()
                .map(|(offset, len)| {
                    let offset = offset.min(bytes.len() as u64);
                    (offset, len.min(bytes.len() as u64 - offset))
                })
                .collect();
            let content = scattered(&bytes, &cuts);
            let whole = Content::from(read(&content));
            let range = start..start + len;
            let (part, same) = (content.slice(range.clone()), whole.slice(range));
            prop_assert_eq!(part.len(), same.len());
            prop_assert_eq!(read(&part), read(&same));
            prop_assert_eq!(read(&part.slice(again..again + 20)), read(&same.slice(again..again + 20)));
        }
    }
}
