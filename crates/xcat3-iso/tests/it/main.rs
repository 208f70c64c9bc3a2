//! Reads real images, made by xorriso and genisoimage, and images made to do harm.

mod hostile;
mod make;
mod oracle;
mod real;
