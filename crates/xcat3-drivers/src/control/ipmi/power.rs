//! Power.

use xcat3_core::{Outcome, PowerTarget};
use xcat3_ipmi::Requester;
use xcat3_ipmi::command::chassis::{self, ChassisControl};

use super::super::Lease;
use super::super::bmc::Failure;
use super::exchange::failure;

/// `on` or `off`.
pub async fn status(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let status = chassis::status(bmc).await.map_err(failure)?;
    Ok(Outcome::Done(if status.on { "on" } else { "off" }))
}

/// Brings the machine to `target`. First it is asked for its state: what it is already need not be
/// done, and a session that the BMC has forgotten shows before anything is.
pub async fn set(
    bmc: &mut impl Requester,
    target: PowerTarget,
    lease: &Lease,
) -> Result<Outcome, Failure> {
    let status = chassis::status(bmc).await.map_err(failure)?;
    let order = match (target, status.on) {
        (PowerTarget::On, true) | (PowerTarget::Off | PowerTarget::Soft, false) => {
            return Ok(Outcome::OK);
        }
        (PowerTarget::Reset, false) => {
            let reason = "the machine is off: it can't be reset, but booted";
            return Err(Failure::refused(reason));
        }
        (PowerTarget::On | PowerTarget::Boot | PowerTarget::Cycle, false) => ChassisControl::On,
        (PowerTarget::Off, true) => ChassisControl::Off,
        (PowerTarget::Boot | PowerTarget::Reset, true) => ChassisControl::Reset,
        (PowerTarget::Cycle, true) => ChassisControl::Cycle,
        (PowerTarget::Soft, true) => ChassisControl::Soft,
    };
    if !lease.holds().await {
        return Err(Failure::lease_lost());
    }
    match chassis::control(bmc, order).await {
        Ok(()) => Ok(Outcome::OK),
        // Twice on or off is as good as once; another reset is not.
        Err(error) if matches!(order, ChassisControl::On | ChassisControl::Off) => {
            Err(failure(error))
        }
        Err(error) => Err(failure(error).once()),
    }
}
