//! How many bytes one request reads: as many as the BMC allows, found by trying.

use crate::message::Completion;

/// Read sizes, the largest first.
pub(crate) struct Chunk {
    sizes: &'static [u8],
}

impl Chunk {
    pub(crate) fn new(sizes: &'static [u8]) -> Self {
        Self { sizes }
    }

    /// The present read size.
    pub(crate) fn size(&self) -> u8 {
        self.sizes.first().copied().unwrap_or(1)
    }

    /// Goes to the next smaller size after a refusal; `false` if the refusal has another reason or there is
    /// no smaller size. BMCs refuse a size with many completion codes (quirk): wrong length, field out of
    /// range, too many bytes, unspecified.
    pub(crate) fn shrink(&mut self, refused: Completion) -> bool {
        let is_about_size = matches!(refused.0, 0xc6..=0xca | 0xcc | 0xff);
        let smaller = self.sizes.get(1..);
        let smaller = smaller.filter(|sizes| is_about_size && !sizes.is_empty());
        self.sizes = smaller.unwrap_or(self.sizes);
        smaller.is_some()
    }
}
