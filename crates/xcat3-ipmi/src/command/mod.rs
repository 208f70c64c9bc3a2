//! Typed commands: one function per command over any [`Requester`](crate::Requester), and a parser of its
//! response that needs no session.
//!
//! Responses are not trusted. A truncated record, a wrong length or a wrong checksum is an
//! [`Error`](crate::Error) that names it, and lists that never end are cut.
//!
//! BMCs deviate from the specification. Each deviation that this crate tolerates is marked with the word
//! "quirk": `boot` (parameters other than the flags missing), `chunk` (completion codes for "too many bytes"),
//! `device` (firmware version in binary, byte order of GUIDs, no system GUID), `fru` (wrong checksums, ASCII
//! text marked as another language, units that are not plugged in, absent units "out of range"), `lan` (this
//! channel not accepted), `sdr` (empty repository, no reservations, names longer than their record, readings
//! without states), `sel` (0 after the last entry, no reservations, no progress), `sol` (impossible payload
//! sizes, no notice to a console that was taken over).
//!
//! Commands without a function here are sent with [`Requester::request`](crate::Requester::request).

pub mod boot;
pub mod chassis;
pub mod device;
pub mod fru;
pub mod lan;
pub mod sdr;
pub mod sel;

mod chunk;
mod conversion;
mod firmware;
mod malformed;
#[cfg(test)]
pub(crate) mod script;
mod state_table;
mod states;
mod text;
mod units;

pub use conversion::Conversion;
pub use malformed::Malformed;
pub use states::{SensorType, Severity};
pub use units::{Format, Units};

use crate::wire::Truncated;

/// The error for a truncated `part` of a response.
pub(crate) fn truncated(part: &'static str) -> impl Fn(Truncated) -> Malformed {
    move |Truncated| Malformed::new(format!("{part} is truncated"))
}
