//! The journal of the fake control driver: which action was done to which node, when.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The journal that all conductors write.
pub struct Journal {
    path: PathBuf,
}

/// How often each node was acted on.
pub type Actions = HashMap<String, usize>;

impl Journal {
    /// The journal in this file, which need not exist yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// How long it is now: where the next action will stand.
    #[must_use]
    pub fn end(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// How often each node was acted on since the journal was `from` bytes long.
    ///
    /// # Errors
    /// It can't be read.
    pub fn since(&self, from: u64) -> Result<Actions> {
        let text =
            fs::read_to_string(&self.path).with_context(|| self.path.display().to_string())?;
        let from = usize::try_from(from)?;
        let mut actions = Actions::new();
        for line in text.get(from..).unwrap_or_default().lines() {
            // Milliseconds, process, node, action. What a writer that was killed left half done is
            // ended by whoever writes next, which leaves an empty line where the rest came after all.
            let words: Vec<&str> = line.split(' ').collect();
            if let [_, _, node, _] = words[..] {
                *actions.entry(node.to_owned()).or_default() += 1;
            }
        }
        Ok(actions)
    }
}
