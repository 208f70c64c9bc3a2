//! Errors of images, as sentences for operators.

use std::io;
use std::path::PathBuf;

/// An unreadable image and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct IsoError {
    /// The path of the image.
    pub path: PathBuf,
    /// The reason.
    pub problem: Problem,
}

/// Why an image is unreadable. Names from inside the image are shortened and escaped.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The operating system failed to read it.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// The file is not an image.
    #[error("not an ISO 9660 image: {0}")]
    NotIso(String),
    /// The end of the file is missing, as after an interrupted download.
    #[error("cut short: the volume has {volume} bytes, but the file only {file}")]
    CutShort {
        /// The size of the volume, in bytes.
        volume: u64,
        /// The size of the file, in bytes.
        file: u64,
    },
    /// Its directories are contradictory.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It uses an unsupported feature.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// It exceeds the [`crate::Limits`].
    #[error("too large: {0}")]
    OverLimit(String),
    /// The requested file is not in the image.
    #[error(transparent)]
    Lookup(#[from] crate::LookupError),
}

impl Problem {
    /// Contradictory directories, for this reason.
    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// A name from inside an image for display: control characters escaped, cut after 160 characters.
pub(crate) fn escape(name: &str) -> String {
    const LONGEST: usize = 160;
    let mut text: String = name
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
