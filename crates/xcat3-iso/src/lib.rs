//! Reads ISO 9660 images without mounting or unpacking them.
//!
//! [`IsoFile::open`] reads the directory tree once into a compact index in memory; from then on a path
//! is looked up without I/O and answers where in the image file the bytes of a file are, so that they
//! can be sent straight from there. An image comes from anywhere: whatever is in it, opening it ends
//! soon, stays within [`Limits`] and either gives a tree whose every extent is inside the file or an
//! error that says what is wrong.
//!
//! Read are ECMA-119 (ISO 9660) with SUSP 1.12 and Rock Ridge (RRIP 1.10 and 1.12), else Joliet, else
//! the plain tree. It is not for writing, not for UDF, and not for compressed (zisofs) files.

mod date;
mod error;
mod image;
mod limits;
mod lookup;
mod names;
mod record;
mod source;
mod susp;
mod tree;
mod volume;
mod walk;

pub use error::{IsoError, Problem};
pub use image::IsoFile;
pub use limits::Limits;
pub use lookup::Unresolved;
pub use tree::{Entry, Extent, File, Kind, Symlink, Tree};
pub use volume::Naming;
