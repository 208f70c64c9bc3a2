//! What can be asked of a BMC, in types: a function a command, over anything that carries requests
//! ([`Requester`](crate::Requester)), and a parser of what comes back that needs no session.
//!
//! What a BMC says is checked, never trusted: a record that is cut off, a length that lies or a
//! checksum that is wrong is an [`Error`](crate::Error) that names it, and what would go on for ever
//! ends.
//!
//! Habits of BMCs that the specification does not have and that are put up with, each where the word
//! "quirk" stands: `boot` (no parameter but the flags; no valid bit), `chunk` (many ways to say "too
//! much at once"), `device` (version of the firmware in binary; byte order of GUIDs; a machine without
//! one), `fru` (wrong checksums; ASCII called another language; a unit that is not plugged in; numbers
//! of units that are "out of range"), `sdr` (an empty repository; no reservations; names longer than
//! their record; readings without states), `sel` (0 after the last entry; no reservations; no
//! progress), `lan` (no announcement of changes), `sol` (sizes of payloads that make no sense; consoles
//! that are not told that they lost their place).
//!
//! A command that has no function here can be sent as it is by
//! [`Requester::request`](crate::Requester::request) or [`raw`].

pub mod boot;
pub mod chassis;
pub mod device;
pub mod fru;
pub mod lan;
pub mod sdr;
pub mod sel;
pub mod user;

mod chunk;
mod conversion;
mod firmware_words;
mod malformed;
#[cfg(test)]
pub(crate) mod script;
mod state_words;
mod states;
mod text;
mod units;

pub use conversion::Conversion;
pub use malformed::Malformed;
pub use states::{SensorType, Severity};
pub use units::{Format, Units};

use crate::client::Error;
use crate::message::Command;
use crate::requester::Requester;
use crate::wire::Short;

/// Sends network function, command and data as they stand in `request`, as ipmitool's `raw` does.
///
/// # Errors
/// `request` is shorter than two bytes, or the BMC refused it or does not answer.
pub async fn raw(bmc: &mut impl Requester, request: &[u8]) -> Result<Vec<u8>, Error> {
    match request {
        [function, number, data @ ..] => {
            let command = Command::new(*function, *number);
            bmc.request(command, data).await
        }
        _ => Err(Malformed::new("a raw request needs a network function and a command").into()),
    }
}

/// What an answer is called in a sentence when it ends too early.
pub(crate) fn cut(what: &'static str) -> impl Fn(Short) -> Malformed {
    move |Short| Malformed::new(format!("{what} is cut off"))
}
