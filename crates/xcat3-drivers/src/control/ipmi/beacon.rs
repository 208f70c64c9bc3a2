//! The identify light.

use xcat3_core::Outcome;
use xcat3_ipmi::command::chassis::{self, Identify, IdentifyState};
use xcat3_ipmi::{Completion, Error, Requester};

use super::super::Lease;
use super::super::bmc::Failure;
use super::exchange::failure;

/// The longest time that every BMC can light it for, in seconds.
const LONGEST: u8 = 255;

/// `on` or `off`.
pub async fn status(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let status = chassis::status(bmc).await.map_err(failure)?;
    match status.identify {
        Some(IdentifyState::Off) => Ok(Outcome::Done("off")),
        Some(IdentifyState::On | IdentifyState::Timed) => Ok(Outcome::Done("on")),
        None => Err(Failure::refused(
            "the BMC does not tell whether its identify light is on",
        )),
    }
}

/// Switches it.
pub async fn set(bmc: &mut impl Requester, on: bool, lease: &Lease) -> Result<Outcome, Failure> {
    if !lease.holds().await {
        return Err(Failure::lease_lost());
    }
    let order = if on { Identify::On } else { Identify::Off };
    match chassis::identify(bmc, order).await {
        Ok(()) => Ok(Outcome::OK),
        Err(Error::Refused(code)) if on && is_about_field(code) => {
            let timed = chassis::identify(bmc, Identify::Seconds(LONGEST)).await;
            timed.map_err(failure)?;
            let reason = format!(
                "the BMC can't leave its identify light on: it is lit for {LONGEST} s from now"
            );
            Err(Failure::refused(reason))
        }
        Err(error) => Err(failure(error)),
    }
}

/// Whether a BMC refuses the request for its length or one of its fields.
fn is_about_field(code: Completion) -> bool {
    matches!(code.0, 0xc6..=0xc9 | 0xcc)
}
