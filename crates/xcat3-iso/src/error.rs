//! What can be wrong with an image, as sentences for operators.

use std::io;
use std::path::PathBuf;

/// An image that can't be read: which one and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct IsoError {
    /// The image.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an image. Names from inside of it are shortened and escaped.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The operating system could not read it.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("not an ISO 9660 image: {0}")]
    NotIso(String),
    /// The end is missing, as after a download that broke off.
    #[error("cut short: the volume has {volume} bytes, but the file only {file}")]
    CutShort {
        /// Bytes that the volume descriptor announces.
        volume: u64,
        /// Bytes there are.
        file: u64,
    },
    /// Its directories say what can't be.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It uses what is not supported here.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// It is larger than [`crate::Limits`] allow.
    #[error("too large: {0}")]
    OverLimit(String),
    /// The file asked for is not in it.
    #[error(transparent)]
    Unresolved(#[from] crate::Unresolved),
}

impl Problem {
    /// An image whose directories say what can't be.
    pub(crate) fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }
}

/// A name from inside an image as it may be shown: control characters escaped, not too long.
pub(crate) fn shown(name: &str) -> String {
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
