//! An open image: its file, its index, and reading small files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{IsoError, Problem, escape};
use crate::limits::Limits;
use crate::source::Source;
use crate::tree::{Entry, Tree};
use crate::volume::Volume;
use crate::walk;

/// An ISO 9660 image with its index. Every extent of its tree is within the file.
#[derive(Debug)]
pub struct IsoFile {
    path: PathBuf,
    source: Source,
    tree: Tree,
}

impl IsoFile {
    /// Opens an image and reads its directories. Blocks while it reads.
    ///
    /// # Errors
    /// The image is unreadable; the error says why.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IsoError> {
        Self::open_within(path, &Limits::default())
    }

    /// Opens an image with other limits than the default ones.
    ///
    /// # Errors
    /// The image is unreadable; the error says why.
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, IsoError> {
        let path = path.as_ref();
        Self::read_index(path, limits).map_err(|problem| IsoError {
            path: path.to_owned(),
            problem,
        })
    }

    fn read_index(path: &Path, limits: &Limits) -> Result<Self, Problem> {
        let source = Source::new(fs::File::open(path)?)?;
        let volume = Volume::read(&source)?;
        let tree = walk::read(&source, &volume, limits)?;
        Ok(Self {
            path: path.to_owned(),
            source,
            tree,
        })
    }

    /// The path of the image.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, from which extents can be sent.
    #[must_use]
    pub fn file(&self) -> &fs::File {
        &self.source.file
    }

    /// The size of the image file, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.source.len
    }

    /// The index of the image.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The entry at `path`. Symlinks are followed within the image.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Option<&Entry> {
        self.tree.lookup(path)
    }

    /// Reads a small file completely.
    ///
    /// # Errors
    /// There is no such file, it has more than `max_bytes`, or it is unreadable.
    pub fn read(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, IsoError> {
        self.read_whole(path, max_bytes)
            .map_err(|problem| IsoError {
                path: self.path.clone(),
                problem,
            })
    }

    fn read_whole(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, Problem> {
        let entry = self.tree.resolve(path)?;
        let Some(file) = entry.file() else {
            let reason = format!("'{}' is a directory", escape(path));
            return Err(Problem::Unsupported(reason));
        };
        let size = file.size;
        if size > max_bytes {
            let path = escape(path);
            let reason = format!("'{path}' has {size} bytes, at most {max_bytes} are expected");
            return Err(Problem::OverLimit(reason));
        }
        let size = usize::try_from(size).map_err(|_| Problem::OverLimit(escape(path)))?;
        let mut bytes = vec![0; size];
        let mut filled = 0;
        for extent in file.extents() {
            let end = filled + usize::try_from(extent.len).unwrap_or(usize::MAX);
            self.source.read(extent.offset, &mut bytes[filled..end])?;
            filled = end;
        }
        Ok(bytes)
    }
}
