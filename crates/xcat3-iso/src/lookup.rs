//! Looking up an entry by its path. Symlinks are followed within the image only.

use crate::error::escape;
use crate::tree::{Entry, EntryKind, Tree};

/// The most symlinks that are followed for one path, as in Linux.
const MAX_SYMLINKS: usize = 40;
/// The most names that are looked up for one path, with those in symlinks.
const MAX_NAMES: usize = 4096;

/// Why a path leads to no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// There is no such entry.
    #[error("there is no '{0}' in the image")]
    NotFound(String),
    /// The path leads through too many symlinks, perhaps in a loop.
    #[error("'{0}' leads through too many symlinks")]
    TooManySymlinks(String),
    /// The path leads out of the image.
    #[error("'{0}' leads out of the image")]
    Escapes(String),
}

impl Tree {
    /// The entry at `path`, with or without a leading slash. Symlinks are followed.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Option<&Entry> {
        self.resolve(path).ok()
    }

    /// The entry at `path`, as [`Tree::lookup`], or the reason why there is none.
    ///
    /// # Errors
    /// The path leads nowhere, through too many symlinks or out of the image.
    pub fn resolve(&self, path: &str) -> Result<&Entry, LookupError> {
        let mut current = self.root();
        let mut symlinks = 0;
        let mut names = 0;
        let mut left = vec![path.split('/')];
        while let Some(rest) = left.last_mut() {
            let Some(name) = rest.next() else {
                left.pop();
                continue;
            };
            names += 1;
            if names > MAX_NAMES {
                return Err(LookupError::TooManySymlinks(escape(path)));
            }
            match name {
                "" | "." => {}
                ".." if current.depth == 0 => return Err(LookupError::Escapes(escape(path))),
                ".." => current = &self.entries[current.parent as usize],
                name => {
                    let child = self.child(current, name);
                    let child = child.ok_or_else(|| LookupError::NotFound(escape(path)))?;
                    let EntryKind::Symlink(symlink) = &child.kind else {
                        current = child;
                        continue;
                    };
                    symlinks += 1;
                    if symlinks > MAX_SYMLINKS {
                        return Err(LookupError::TooManySymlinks(escape(path)));
                    }
                    let target = self.target(symlink);
                    if target.starts_with('/') {
                        return Err(LookupError::Escapes(escape(path)));
                    }
                    left.push(target.split('/'));
                }
            }
        }
        Ok(current)
    }
}
