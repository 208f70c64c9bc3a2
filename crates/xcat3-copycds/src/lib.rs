//! Imports an operating system from its ISO: recognises it, finds the installer that boots over the
//! network, keeps the ISO as it is, and registers the OS image.
//!
//! Nothing is unpacked: nodes are served out of the kept ISO. An import that fails, at whatever point,
//! leaves nothing registered; what it may have left on disk is removed at once, or, where the process
//! was killed, by the next import.
//!
//! | file | what for |
//! | --- | --- |
//! | `distro/` | which operating system a disc has: one file a kind of disc |
//! | `netboot/` | kernel and initial RAM disk of the installer that boots over the network |
//! | `images_dir.rs` | the directory of kept files, and how they come into it all at once |
//! | `keep.rs` | the kept copy of the ISO and its hash |
//! | `import.rs` | the steps in their order |

mod cli;
mod distro;
mod error;
mod images_dir;
mod import;
mod keep;
mod netboot;
mod progress;
mod report;

pub use cli::Arguments;
pub use distro::{Release, recognise};
pub use error::ImportError;
pub use import::{Imported, Request, import};
pub use keep::How;
pub use netboot::deb::read_files;
pub use progress::{Bar, Progress, Silent};
pub use report::{json, summary};
