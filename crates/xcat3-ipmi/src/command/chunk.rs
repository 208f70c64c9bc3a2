//! How much is read at once: as much as the BMC gives, found by trying.

use crate::message::Completion;

/// Sizes to try, the largest first.
pub(crate) struct Chunk {
    sizes: &'static [u8],
}

impl Chunk {
    pub(crate) fn new(sizes: &'static [u8]) -> Self {
        Self { sizes }
    }

    /// How many bytes to ask for.
    pub(crate) fn size(&self) -> u8 {
        self.sizes.first().copied().unwrap_or(1)
    }

    /// Whether to try again with less, now that the BMC refused. BMCs say in many ways (quirk) that it
    /// was too much: as the wrong length, a field out of range, more than they return, or anything.
    pub(crate) fn shrinks(&mut self, refused: Completion) -> bool {
        let too_much = matches!(refused.0, 0xc6..=0xca | 0xcc | 0xff);
        let smaller = self
            .sizes
            .get(1..)
            .filter(|sizes| too_much && !sizes.is_empty());
        self.sizes = smaller.unwrap_or(self.sizes);
        smaller.is_some()
    }
}
