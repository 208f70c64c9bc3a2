//! The compact index of an image: all files, directories and symlinks. All names are in one text; the
//! entries of a directory are adjacent and sorted by name.

use std::ops::Range;

/// A range of bytes in the image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first byte, from the beginning of the image file.
    pub offset: u64,
    /// The number of bytes, never 0.
    pub len: u64,
}

/// A file, directory or symlink.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The kind of the entry and its data.
    pub kind: EntryKind,
    pub(crate) name: Span,
    pub(crate) parent: u32,
    pub(crate) depth: u16,
}

/// The kind of an entry and its data.
#[derive(Clone, Debug)]
pub enum EntryKind {
    /// A file.
    File(File),
    /// A directory.
    Dir(Dir),
    /// A symlink.
    Symlink(Symlink),
}

/// A file and its extents.
#[derive(Clone, Debug)]
pub struct File {
    /// The size in bytes.
    pub size: u64,
    /// The modification date, in seconds since 1970 (UTC).
    pub mtime: i64,
    pub(crate) extents: Extents,
}

/// A directory.
#[derive(Clone, Debug)]
pub struct Dir {
    /// The logical block and the size in bytes of its records.
    pub(crate) records: (u64, u32),
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// A symlink. [`Tree::target`] is its target.
#[derive(Clone, Debug)]
pub struct Symlink {
    pub(crate) target: Span,
}

/// The extents of a file: one, unless the file is larger than 4 GiB.
#[derive(Clone, Debug)]
pub(crate) enum Extents {
    None,
    One(Extent),
    Many(Box<[Extent]>),
}

/// A part of [`Tree`]'s text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u16,
}

/// The index of an image.
#[derive(Debug)]
pub struct Tree {
    /// All entries, the root first.
    pub(crate) entries: Vec<Entry>,
    pub(crate) text: String,
}

impl File {
    /// The extents in order; none for an empty file.
    #[must_use]
    pub fn extents(&self) -> &[Extent] {
        match &self.extents {
            Extents::None => &[],
            Extents::One(extent) => std::slice::from_ref(extent),
            Extents::Many(extents) => extents,
        }
    }
}

impl Entry {
    /// The file, if the entry is one.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        match &self.kind {
            EntryKind::File(file) => Some(file),
            _ => None,
        }
    }

    /// Whether the entry is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, EntryKind::Dir(_))
    }
}

impl Span {
    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + usize::from(self.len)
    }
}

impl Tree {
    /// The root directory.
    #[must_use]
    pub fn root(&self) -> &Entry {
        &self.entries[0]
    }

    /// The name of an entry of this tree. The root's is empty.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> &str {
        self.text_at(entry.name)
    }

    /// The raw target of a symlink of this tree.
    #[must_use]
    pub fn target(&self, symlink: &Symlink) -> &str {
        self.text_at(symlink.target)
    }

    /// The path of an entry of this tree, without a leading slash.
    #[must_use]
    pub fn path(&self, entry: &Entry) -> String {
        let mut names = Vec::with_capacity(usize::from(entry.depth));
        let mut current = entry;
        while current.depth > 0 {
            names.push(self.name(current));
            current = &self.entries[current.parent as usize];
        }
        names.reverse();
        names.join("/")
    }

    /// The entries of a directory of this tree, sorted by name; none if `entry` is not a directory.
    #[must_use]
    pub fn children(&self, entry: &Entry) -> &[Entry] {
        match &entry.kind {
            EntryKind::Dir(dir) => {
                &self.entries[dir.first as usize..(dir.first + dir.count) as usize]
            }
            _ => &[],
        }
    }

    /// All entries but the root, each directory before its entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(1)
    }

    /// The entry `name` in a directory.
    pub(crate) fn child(&self, entry: &Entry, name: &str) -> Option<&Entry> {
        let children = self.children(entry);
        let found = children.binary_search_by(|child| self.name(child).cmp(name));
        found.ok().map(|position| &children[position])
    }

    pub(crate) fn text_at(&self, span: Span) -> &str {
        &self.text[span.range()]
    }
}
