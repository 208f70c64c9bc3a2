//! Finding an entry by its path. Symlinks are followed inside of the image and nowhere else.

use crate::error::shown;
use crate::tree::{Entry, Kind, Tree};

/// Symlinks followed for one path, as many as Linux follows.
const MOST_SYMLINKS: usize = 40;
/// Names walked for one path, symlinks and all.
const MOST_NAMES: usize = 4096;

/// Why a path leads to no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// There is no such entry.
    #[error("there is no '{0}' in it")]
    NotFound(String),
    /// Its symlinks lead round in a circle, or through too many others.
    #[error("the symlinks of '{0}' don't end")]
    Loop(String),
    /// It leads out of the image.
    #[error("'{0}' leads out of the image")]
    Escapes(String),
}

impl Tree {
    /// Finds an entry by its path, with or without a slash at the beginning, following symlinks.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Option<&Entry> {
        self.resolve(path).ok()
    }

    /// Finds an entry as [`Tree::lookup`] does and says why there is none.
    ///
    /// # Errors
    /// The path leads nowhere, round in circles or out of the image.
    pub fn resolve(&self, path: &str) -> Result<&Entry, Unresolved> {
        let mut at = self.root();
        let mut symlinks = 0;
        let mut names = 0;
        let mut left = vec![path.split('/')];
        while let Some(rest) = left.last_mut() {
            let Some(name) = rest.next() else {
                left.pop();
                continue;
            };
            names += 1;
            if names > MOST_NAMES {
                return Err(Unresolved::Loop(shown(path)));
            }
            match name {
                "" | "." => {}
                ".." if at.depth == 0 => return Err(Unresolved::Escapes(shown(path))),
                ".." => at = &self.entries[at.parent as usize],
                name => {
                    let child = self.child(at, name);
                    let child = child.ok_or_else(|| Unresolved::NotFound(shown(path)))?;
                    let Kind::Symlink(symlink) = &child.kind else {
                        at = child;
                        continue;
                    };
                    symlinks += 1;
                    if symlinks > MOST_SYMLINKS {
                        return Err(Unresolved::Loop(shown(path)));
                    }
                    let target = self.target(symlink);
                    if target.starts_with('/') {
                        return Err(Unresolved::Escapes(shown(path)));
                    }
                    left.push(target.split('/'));
                }
            }
        }
        Ok(at)
    }
}
