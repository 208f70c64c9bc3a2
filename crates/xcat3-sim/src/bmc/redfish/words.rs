//! Redfish's words for what a machine holds: boot override and resets.

use super::machine::{BootOverride, Machine};

/// The boot override as Redfish says it.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) enabled: &'static str,
    pub(super) target: String,
    pub(super) mode: &'static str,
    pub(super) uri: Option<String>,
}

/// What the machine holds.
pub(super) fn override_of(machine: &Machine) -> Override {
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
pub(super) fn is_target(target: &str) -> bool {
    matches!(
        target,
        "None" | "Pxe" | "Hdd" | "Cd" | "BiosSetup" | "UefiHttp"
    )
}

/// Sets what the machine boots.
pub(super) fn set_override(machine: &mut Machine, set: &Override) {
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
pub(super) fn may_reset(machine: &Machine, kind: &str) -> Result<(), &'static str> {
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
pub(super) fn reset(machine: &mut Machine, kind: &str) {
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
    if machine.boot.as_ref().is_some_and(|boot| !boot.persistent) {
        machine.boot = None;
    }
}
