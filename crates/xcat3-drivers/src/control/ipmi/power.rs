//! Power.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use xcat3_core::{Outcome, PowerTarget};
use xcat3_ipmi::command::chassis::{self, ChassisControl};
use xcat3_ipmi::{Error, Requester};

use super::super::Lease;
use super::super::bmc::Failure;
use super::exchange::failure;

/// Between off and on, where a BMC has no power cycle of its own: what the specification asks of one that
/// has (28.3: at least one second).
const PAUSE: Duration = Duration::from_secs(2);
/// For how long a machine that was told to power off is asked whether it has, and how often.
const OFF_WITHIN: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(300);

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
    match act(bmc, order, lease).await? {
        Ok(()) => Ok(Outcome::OK),
        Err(Error::Refused(completion))
            if order == ChassisControl::Cycle && completion.is_unsupported() =>
        {
            off_and_on(bmc, lease).await
        }
        // Twice on or off is as good as once; another reset is not.
        Err(error) if matches!(order, ChassisControl::On | ChassisControl::Off) => {
            Err(failure(error))
        }
        Err(error) => Err(failure(error).once()),
    }
}

/// Tells the chassis, if the lease holds.
async fn act(
    bmc: &mut impl Requester,
    order: ChassisControl,
    lease: &Lease,
) -> Result<Result<(), Error>, Failure> {
    match lease.holds().await {
        true => Ok(chassis::control(bmc, order).await),
        false => Err(Failure::lease_lost()),
    }
}

/// A power cycle in steps: the BMC has none of its own (28.3 makes it optional). Whoever repeats it because
/// it broke off finds the machine on, or off and switches it on.
async fn off_and_on(bmc: &mut impl Requester, lease: &Lease) -> Result<Outcome, Failure> {
    act(bmc, ChassisControl::Off, lease)
        .await?
        .map_err(failure)?;
    let end = Instant::now() + OFF_WITHIN;
    while chassis::status(bmc).await.map_err(failure)?.on {
        if Instant::now() > end {
            let seconds = OFF_WITHIN.as_secs();
            return Err(Failure::refused(format!(
                "it was told to power off for a power cycle, and is still on after {seconds} s"
            )));
        }
        sleep(LOOK).await;
    }
    sleep(PAUSE).await;
    act(bmc, ChassisControl::On, lease)
        .await?
        .map_err(failure)?;
    Ok(Outcome::OK)
}
