//! The index of an image: every file, directory and symlink, held compactly. All names are in one
//! text; the entries of a directory are neighbours, in the order of their names.

use std::ops::Range;

/// A run of bytes in the image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Bytes from the beginning of the image file.
    pub offset: u64,
    /// Bytes of the run, never 0.
    pub len: u64,
}

/// A file, directory or symlink.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    pub(crate) name: Span,
    pub(crate) parent: u32,
    pub(crate) depth: u16,
}

/// What an entry is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A file.
    File(File),
    /// A directory.
    Dir(Dir),
    /// A symlink.
    Symlink(Symlink),
}

/// A file: where its bytes are.
#[derive(Clone, Debug)]
pub struct File {
    /// Its bytes.
    pub size: u64,
    /// When it was last changed, in seconds since 1970 (UTC).
    pub mtime: i64,
    pub(crate) extents: Extents,
}

/// A directory.
#[derive(Clone, Debug)]
pub struct Dir {
    /// Where its records are: logical block and bytes.
    pub(crate) records: (u64, u32),
    pub(crate) first: u32,
    pub(crate) count: u32,
}

/// A symlink. [`Tree::target`] tells where it leads.
#[derive(Clone, Debug)]
pub struct Symlink {
    pub(crate) target: Span,
}

/// Nearly every file has one extent; only those above 4 GiB have more.
#[derive(Clone, Debug)]
pub(crate) enum Extents {
    None,
    One(Extent),
    Many(Box<[Extent]>),
}

/// A piece of [`Tree`]'s text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u16,
}

/// The index of an image.
#[derive(Debug)]
pub struct Tree {
    /// The root is the first.
    pub(crate) entries: Vec<Entry>,
    pub(crate) text: String,
}

impl File {
    /// Where its bytes are, in their order. None for an empty file.
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
    /// The file, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        match &self.kind {
            Kind::File(file) => Some(file),
            _ => None,
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        matches!(self.kind, Kind::Dir(_))
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

    /// How many entries there are, the root among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Always false: there is a root.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The name of an entry of this tree. The root's is empty.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> &str {
        self.piece(entry.name)
    }

    /// Where a symlink of this tree leads, as it stands in the image.
    #[must_use]
    pub fn target(&self, symlink: &Symlink) -> &str {
        self.piece(symlink.target)
    }

    /// The path of an entry of this tree, without a slash at its beginning.
    #[must_use]
    pub fn path(&self, entry: &Entry) -> String {
        let mut names = Vec::with_capacity(usize::from(entry.depth));
        let mut at = entry;
        while at.depth > 0 {
            names.push(self.name(at));
            at = &self.entries[at.parent as usize];
        }
        names.reverse();
        names.join("/")
    }

    /// The entries of a directory of this tree, in the order of their names; none where it is no
    /// directory.
    #[must_use]
    pub fn children(&self, entry: &Entry) -> &[Entry] {
        match &entry.kind {
            Kind::Dir(dir) => &self.entries[dir.first as usize..(dir.first + dir.count) as usize],
            _ => &[],
        }
    }

    /// Every entry but the root, a directory before what is in it.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().skip(1)
    }

    /// The entry of that name in a directory.
    pub(crate) fn child(&self, entry: &Entry, name: &str) -> Option<&Entry> {
        let children = self.children(entry);
        let found = children.binary_search_by(|child| self.name(child).cmp(name));
        found.ok().map(|position| &children[position])
    }

    pub(crate) fn piece(&self, span: Span) -> &str {
        &self.text[span.range()]
    }
}
