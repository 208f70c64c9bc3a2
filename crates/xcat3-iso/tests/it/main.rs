//! Reads images made by xorriso and genisoimage, and hostile images.

mod craft;
mod fuzzed;
mod hostile;
mod make;
mod oracle;
mod real;
