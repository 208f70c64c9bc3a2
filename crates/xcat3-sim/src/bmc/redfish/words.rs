//! Redfish's words for what a machine holds: boot override, resets, times.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bmc::machine::{self, BootOverride, BootTarget, Machine, Severity};

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
    pub(crate) target: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) uri: Option<String>,
}

const TARGETS: [(&str, BootTarget); 8] = [
    ("Pxe", BootTarget::Net),
    ("Hdd", BootTarget::Disk),
    ("Cd", BootTarget::Cdrom),
    ("BiosSetup", BootTarget::Setup),
    ("UefiHttp", BootTarget::Http),
    ("Usb", BootTarget::Usb),
    ("Diags", BootTarget::Diagnostics),
    ("UefiShell", BootTarget::Shell),
];

/// What the machine holds.
pub(crate) fn override_of(machine: &Machine) -> Override {
    let uri = machine.http_boot.clone();
    let Some(boot) = machine.boot else {
        return Override {
            enabled: "Disabled",
            target: "None",
            mode: "UEFI",
            uri,
        };
    };
    let word = TARGETS.iter().find(|(_, target)| *target == boot.target);
    Override {
        enabled: if boot.persistent {
            "Continuous"
        } else {
            "Once"
        },
        target: word.map_or("None", |(word, _)| word),
        mode: if boot.uefi { "UEFI" } else { "Legacy" },
        uri,
    }
}

/// Sets what the machine boots.
pub(crate) fn set_override(machine: &mut Machine, set: &Override) {
    machine.http_boot.clone_from(&set.uri);
    let target = TARGETS.iter().find(|(word, _)| *word == set.target);
    machine.boot = target
        .filter(|_| set.enabled != "Disabled")
        .map(|(_, target)| BootOverride {
            target: *target,
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
        "On" | "ForceOn" => machine.turn_on(),
        "ForceOff" => machine.turn_off(),
        "GracefulShutdown" => machine.shut_down(),
        "PushPowerButton" => machine.push_button(),
        "Nmi" => {}
        _ => machine.restart(),
    }
}

/// How bad an event is.
pub(crate) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "OK",
        Severity::Warning => "Warning",
        Severity::Critical => "Critical",
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
