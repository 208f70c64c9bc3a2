//! An open image: its file, its index, and small reads out of it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{IsoError, Problem, shown};
use crate::limits::Limits;
use crate::source::Source;
use crate::tree::{Entry, File, Tree};
use crate::volume::{Naming, Volume};
use crate::walk;

/// An ISO 9660 image with its index. Every extent of its tree is inside the file.
#[derive(Debug)]
pub struct IsoFile {
    path: PathBuf,
    source: Source,
    label: String,
    naming: Naming,
    tree: Tree,
}

impl IsoFile {
    /// Opens an image and reads its directories. This blocks while it reads.
    ///
    /// # Errors
    /// Says what is wrong with the image.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, IsoError> {
        Self::open_within(path, &Limits::default())
    }

    /// Opens an image as [`IsoFile::open`] does, with other limits.
    ///
    /// # Errors
    /// Says what is wrong with the image.
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
            label: volume.label,
            naming: volume.naming,
            tree,
        })
    }

    /// Where the image is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, for sending extents of it.
    #[must_use]
    pub fn file(&self) -> &fs::File {
        &self.source.file
    }

    /// Bytes of the image file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.source.len
    }

    /// The volume identifier.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where the names come from.
    #[must_use]
    pub fn naming(&self) -> Naming {
        self.naming
    }

    /// All that is in it.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Finds an entry by its path; symlinks are followed inside of the image.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Option<&Entry> {
        self.tree.lookup(path)
    }

    /// The names and entries of a directory, in the order of the names; `None` where there is no such
    /// directory.
    #[must_use]
    pub fn list(&self, path: &str) -> Option<impl Iterator<Item = (&str, &Entry)>> {
        let directory = self.lookup(path).filter(|entry| entry.is_dir())?;
        let children = self.tree.children(directory).iter();
        Some(children.map(|entry| (self.tree.name(entry), entry)))
    }

    /// Reads a small file whole.
    ///
    /// # Errors
    /// There is no such file, it has more than `max_bytes`, or it can't be read.
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
            let reason = format!("'{}' is a directory", shown(path));
            return Err(Problem::Unsupported(reason));
        };
        let size = file.size;
        if size > max_bytes {
            let path = shown(path);
            let reason = format!("'{path}' has {size} bytes, at most {max_bytes} are expected");
            return Err(Problem::OverLimit(reason));
        }
        let size = usize::try_from(size).map_err(|_| Problem::OverLimit(shown(path)))?;
        let mut bytes = vec![0; size];
        let mut filled = 0;
        for extent in file.extents() {
            let end = filled + usize::try_from(extent.len).unwrap_or(usize::MAX);
            self.source.read(extent.offset, &mut bytes[filled..end])?;
            filled = end;
        }
        Ok(bytes)
    }

    /// Reads part of a file of this image, from `offset` on, into `buffer`; answers how many bytes
    /// were read, 0 at the end of the file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn read_at(&self, file: &File, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut start = 0;
        for extent in file.extents() {
            let within = offset.saturating_sub(start);
            if within < extent.len {
                let left = usize::try_from(extent.len - within).unwrap_or(usize::MAX);
                let len = buffer.len().min(left);
                let at = extent.offset + within;
                return self.source.file.read_at(&mut buffer[..len], at);
            }
            start += extent.len;
        }
        Ok(0)
    }
}
