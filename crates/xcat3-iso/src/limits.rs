//! The limits of an image's directory tree: far above any installation medium, low enough that a
//! hostile image costs little memory and time.

/// Limits of reading the tree of an image.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most files, directories, symlinks and additional extents together.
    pub entries: usize,
    /// The deepest nesting of directories.
    pub depth: u16,
    /// The longest name, in bytes of UTF-8.
    pub name_bytes: usize,
    /// The longest target of a symlink, in bytes.
    pub target_bytes: usize,
    /// The longest text of all names and symlink targets together, in bytes.
    pub text_bytes: usize,
    /// The most bytes of directories and continuation areas that are read.
    pub metadata_bytes: u64,
}

impl Default for Limits {
    /// Two million entries, 128 levels, and names as long as in file systems.
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            depth: 128,
            name_bytes: 512,
            target_bytes: 4096,
            text_bytes: 96 << 20,
            metadata_bytes: 1 << 30,
        }
    }
}
