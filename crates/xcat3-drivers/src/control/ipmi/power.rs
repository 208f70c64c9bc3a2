//! Power (IPMI v2.0, 28.2 and 28.3).

use xcat3_core::{Outcome, PowerTarget};
use xcat3_ipmi::{Command, Error, Requester};

use super::super::Lease;
use super::super::bmc::Failure;
use super::exchange::failure;

/// Get Chassis Status.
const STATUS: Command = Command::new(0x00, 0x01);
/// Chassis Control.
const CONTROL: Command = Command::new(0x00, 0x02);

const OFF: u8 = 0;
const ON: u8 = 1;
const CYCLE: u8 = 2;
const RESET: u8 = 3;
const SOFT: u8 = 5;

/// Whether the machine is on.
pub async fn ask(bmc: &mut impl Requester) -> Result<bool, Error> {
    let answer = bmc.request(STATUS, &[]).await?;
    let state = answer
        .first()
        .ok_or(Error::Malformed("no power state".into()))?;
    Ok(state & 1 == 1)
}

/// `on` or `off`.
pub async fn status(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let is_on = ask(bmc).await.map_err(failure)?;
    Ok(Outcome::Done(if is_on { "on" } else { "off" }))
}

/// Brings the machine to `target`. First it is asked for its state: what it is already need not be
/// done, and a session that the BMC has forgotten shows before anything is.
pub async fn set(
    bmc: &mut impl Requester,
    target: PowerTarget,
    lease: &Lease,
) -> Result<Outcome, Failure> {
    let is_on = ask(bmc).await.map_err(failure)?;
    let order = match (target, is_on) {
        (PowerTarget::On, true) | (PowerTarget::Off | PowerTarget::Soft, false) => {
            return Ok(Outcome::OK);
        }
        (PowerTarget::Reset, false) => {
            return Err(Failure::refused(
                "the machine is off: it can't be reset, but booted",
            ));
        }
        (PowerTarget::On | PowerTarget::Boot | PowerTarget::Cycle, false) => ON,
        (PowerTarget::Off, true) => OFF,
        (PowerTarget::Boot | PowerTarget::Reset, true) => RESET,
        (PowerTarget::Cycle, true) => CYCLE,
        (PowerTarget::Soft, true) => SOFT,
    };
    if !lease.holds().await {
        return Err(Failure::lease_lost());
    }
    match bmc.request(CONTROL, &[order]).await {
        Ok(_) => Ok(Outcome::OK),
        // Twice on or off is as good as once; another reset is not.
        Err(error) if matches!(order, ON | OFF | SOFT) => Err(failure(error)),
        Err(error) => Err(failure(error).once()),
    }
}
