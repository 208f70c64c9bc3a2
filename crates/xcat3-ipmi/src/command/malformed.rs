//! The error of everything that parses responses.

use std::borrow::Cow;
use std::fmt;

/// A response or a part of it has the wrong format. The sentence says which part and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(Cow<'static, str>);

impl Malformed {
    /// An error with this sentence.
    #[must_use]
    pub fn new(sentence: impl Into<Cow<'static, str>>) -> Self {
        Self(sentence.into())
    }

    /// Puts the name of the enclosing part in front of the sentence.
    #[must_use]
    pub fn within(self, part: impl fmt::Display) -> Self {
        Self(format!("{part}: {}", self.0).into())
    }
}

impl From<&'static str> for Malformed {
    fn from(sentence: &'static str) -> Self {
        Self::new(sentence)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}
