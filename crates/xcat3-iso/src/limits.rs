//! How large an image's directory tree may be. Far above any installation medium, low enough that an
//! image made to do harm costs neither much memory nor much time.

/// Bounds for reading the tree of an image.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Files, directories, symlinks and further extents together.
    pub entries: usize,
    /// Directories inside one another.
    pub depth: u16,
    /// Bytes of one name, in UTF-8.
    pub name_bytes: usize,
    /// Bytes of one symlink's target.
    pub target_bytes: usize,
    /// Bytes of all names and symlink targets together.
    pub text_bytes: usize,
    /// Bytes of directories and continuation areas read.
    pub metadata_bytes: u64,
}

impl Default for Limits {
    /// Two million entries, 128 levels, names as long as file systems have them.
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
