//! Reads ISO 9660 images without mounting or unpacking them.
//!
//! [`IsoFile::open`] reads the directory tree once into a compact index in memory. Lookups in the
//! index need no I/O and yield the extents of a file in the image, from which its bytes can be sent.
//! Images are untrusted: opening one ends soon, stays within [`Limits`], and yields either a tree whose
//! every extent is within the file or an error that says what is wrong.
//!
//! Supported are ECMA-119 (ISO 9660) with SUSP 1.12 and Rock Ridge (RRIP 1.10 and 1.12), otherwise
//! Joliet, otherwise the plain tree. Writing, UDF and compressed (zisofs) files are not supported.

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
pub use lookup::LookupError;
pub use tree::{Entry, EntryKind, Extent, File, Symlink, Tree};
