//! Sessions of both sides against one another, over a line that loses, repeats and damages.

mod line;
mod sessions;
