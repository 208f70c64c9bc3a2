//! Reads real images, made by xorriso and genisoimage, and images made to do harm.

mod craft;
mod hostile;
mod make;
mod oracle;
mod real;
