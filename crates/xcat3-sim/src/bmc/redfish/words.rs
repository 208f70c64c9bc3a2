//! Redfish's words for what a machine holds: boot override, resets, times.

use std::collections::BTreeMap;

use serde_json::Value;

use super::machine::{self, BootOverride, Machine};

/// The version of the BMC's firmware.
pub(crate) const BMC_FIRMWARE: &str = "2.71.0";

/// The BIOS attributes as they are from the factory.
pub(crate) fn factory_bios() -> BTreeMap<String, Value> {
    machine::bios()
}

/// The boot override as Redfish says it.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) enabled: &'static str,
    pub(crate) target: String,
    pub(crate) mode: &'static str,
    pub(crate) uri: Option<String>,
}

/// What the machine holds.
pub(crate) fn override_of(machine: &Machine) -> Override {
    let uri = machine.http_boot.clone();
    match &machine.boot {
        Some(boot) => Override {
            enabled: if boot.persistent {
                "Continuous"
            } else {
                "Once"
            },
            target: boot.target.clone(),
            mode: if boot.uefi { "UEFI" } else { "Legacy" },
            uri,
        },
        None => Override {
            enabled: "Disabled",
            target: "None".to_owned(),
            mode: "UEFI",
            uri,
        },
    }
}

/// Whether the machine can be told to boot it.
pub(crate) fn is_target(target: &str) -> bool {
    matches!(
        target,
        "None" | "Pxe" | "Hdd" | "Cd" | "BiosSetup" | "UefiHttp"
    )
}

/// Sets what the machine boots.
pub(crate) fn set_override(machine: &mut Machine, set: &Override) {
    machine.http_boot.clone_from(&set.uri);
    machine.boot = (set.enabled != "Disabled" && set.target != "None").then(|| BootOverride {
        target: set.target.clone(),
        persistent: set.enabled == "Continuous",
        uefi: set.mode == "UEFI",
    });
}

/// Whether the reset makes sense as the machine is.
///
/// # Errors
/// A sentence that says why not.
pub(crate) fn may_reset(machine: &Machine, kind: &str) -> Result<(), &'static str> {
    let needs_power = matches!(
        kind,
        "GracefulShutdown" | "GracefulRestart" | "ForceRestart" | "PowerCycle" | "Nmi"
    );
    if needs_power && !machine.power {
        return Err("The request can't be carried out: the system is powered off.");
    }
    Ok(())
}

/// Carries a reset out.
pub(crate) fn reset(machine: &mut Machine, kind: &str) {
    match kind {
        "On" | "ForceOn" => {
            if !machine.power {
                booted(machine);
            }
        }
        "ForceOff" | "GracefulShutdown" => machine.power = false,
        "PushPowerButton" if machine.power => machine.power = false,
        "Nmi" => {}
        _ => booted(machine),
    }
}

fn booted(machine: &mut Machine) {
    machine.power = true;
    let pending = std::mem::take(&mut machine.bios_pending);
    machine.bios.extend(pending);
    if machine.boot.as_ref().is_some_and(|boot| !boot.persistent) {
        machine.boot = None;
    }
}

/// Seconds since 1970 as RFC 3339 writes them, in UTC.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of year 0, so that leap days come last in their year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
