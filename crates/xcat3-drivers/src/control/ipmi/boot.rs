//! What a machine boots from next.

use xcat3_core::{BootDevice, BootOrder, Outcome};
use xcat3_ipmi::Requester;
use xcat3_ipmi::command::boot::{self, BootFrom, BootOverride};

use super::super::Lease;
use super::super::bmc::Failure;
use super::exchange::failure;

/// The boot device that is set, or `none`.
pub async fn status(bmc: &mut impl Requester) -> Result<Outcome, Failure> {
    let set = boot::get(bmc).await.map_err(failure)?;
    match set.map(|set| set.from) {
        None => Ok(Outcome::Done("none")),
        Some(from) => word(from).map(Outcome::Done),
    }
}

/// The word for `from`: those of IPMI's list that differ only in where the drive is are one.
fn word(from: BootFrom) -> Result<&'static str, Failure> {
    match from {
        BootFrom::Net => Ok("net"),
        // Safe mode, diagnostic partition, remote disk.
        BootFrom::Disk | BootFrom::Other(3 | 4 | 11) => Ok("disk"),
        // Remote drive.
        BootFrom::Cdrom | BootFrom::Other(8) => Ok("cdrom"),
        BootFrom::Setup => Ok("setup"),
        BootFrom::Other(number) => Err(Failure::refused(format!(
            "the machine boots from number {number} of IPMI's devices, for which there is no word"
        ))),
    }
}

/// Sets it.
pub async fn set(
    bmc: &mut impl Requester,
    order: BootOrder,
    lease: &Lease,
) -> Result<Outcome, Failure> {
    let from = match order.device {
        BootDevice::Net => BootFrom::Net,
        BootDevice::Disk => BootFrom::Disk,
        BootDevice::Cdrom => BootFrom::Cdrom,
        BootDevice::Setup => BootFrom::Setup,
        BootDevice::Http => {
            let reason = "IPMI has no boot device 'http': use 'net', or mgt=redfish";
            return Err(Failure::refused(reason));
        }
    };
    if !lease.holds().await {
        return Err(Failure::lease_lost());
    }
    let wanted = BootOverride {
        from,
        persistent: order.persistent,
        uefi: order.uefi,
    };
    boot::set(bmc, Some(wanted)).await.map_err(failure)?;
    Ok(Outcome::OK)
}
