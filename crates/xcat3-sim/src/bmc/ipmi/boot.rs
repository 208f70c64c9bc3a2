//! The boot options (28.12 to 28.14): parameter 5, the boot flags, is the machine's boot override; the
//! others are kept as they are set.

use std::time::{Duration, Instant};

use xcat3_ipmi::Completion;

use super::commands::{Answer, Ask};
use crate::bmc::machine::{BootOverride, BootTarget};

const VERSION: u8 = 1;
const IN_PROGRESS: u8 = 0;
const SERVICE: u8 = 1;
const SCAN: u8 = 2;
const FORGETTING: u8 = 3;
const ACKNOWLEDGE: u8 = 4;
const FLAGS: u8 = 5;
const INITIATOR: u8 = 6;

/// The flags count.
const VALID: u8 = 0x80;
const PERSISTENT: u8 = 0x40;
const UEFI: u8 = 0x20;
/// Of parameter 3: flags are kept also where no power command follows in time.
const KEEP: u8 = 0x08;
/// Flags that are not used by then are forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Another one is setting the options.
const TAKEN: Completion = Completion(0x81);

/// What is set beside the flags.
#[derive(Default)]
pub(super) struct BootOptions {
    in_progress: u8,
    service: u8,
    scan: u8,
    forgetting: u8,
    acknowledge: [u8; 2],
}

/// Set System Boot Options.
pub(super) fn set(ask: &mut Ask<'_>) -> Answer {
    let ([parameter], data) = (ask.bytes()?, &ask.data[1..]);
    if data.is_empty() {
        // Only whether the parameter is locked.
        return Ok(Vec::new());
    }
    match (parameter & 0x7f, data) {
        (IN_PROGRESS, [state]) => {
            let state = state & 3;
            if state == 1 && ask.keeps.boot.in_progress == 1 {
                return Err(TAKEN);
            }
            // "Commit" ends it like "complete": everything is written at once.
            ask.keeps.boot.in_progress = state & 1;
        }
        (SERVICE, [partition]) => ask.keeps.boot.service = *partition,
        (SCAN, [scan]) => ask.keeps.boot.scan = *scan,
        (FORGETTING, [bits]) => ask.keeps.boot.forgetting = bits & 0x1f,
        (ACKNOWLEDGE, [mask, bits]) => {
            let [_, had] = ask.keeps.boot.acknowledge;
            ask.keeps.boot.acknowledge = [0, (had & !mask) | (bits & mask)];
        }
        (FLAGS, [first, second, ..]) if data.len() == 5 => set_flags(ask, *first, *second),
        (IN_PROGRESS..=INITIATOR, _) => return Err(Completion::WRONG_LENGTH),
        _ => return Err(Completion::UNKNOWN_PARAMETER),
    }
    Ok(Vec::new())
}

fn set_flags(ask: &Ask<'_>, first: u8, second: u8) {
    let keep = ask.keeps.boot.forgetting & KEEP != 0;
    let mut machine = ask.machine();
    let target = target(second >> 2 & 0x0f).filter(|_| first & VALID != 0);
    let boot = target.map(|target| BootOverride {
        target,
        persistent: first & PERSISTENT != 0,
        uefi: first & UEFI != 0,
    });
    machine.boot = boot;
    machine.boot_until = boot
        .filter(|boot| !keep && !boot.persistent)
        .map(|boot| (Instant::now() + FORGOTTEN, boot));
}

/// Get System Boot Options.
pub(super) fn get(ask: &mut Ask<'_>) -> Answer {
    let [parameter, _set, _block] = ask.bytes()?;
    let boot = &ask.keeps.boot;
    let parameter = parameter & 0x7f;
    let data = match parameter {
        IN_PROGRESS => vec![boot.in_progress],
        SERVICE => vec![boot.service],
        SCAN => vec![boot.scan],
        FORGETTING => vec![boot.forgetting],
        ACKNOWLEDGE => boot.acknowledge.to_vec(),
        FLAGS => flags(ask.machine().boot),
        INITIATOR => vec![0; 9],
        _ => return Err(Completion::UNKNOWN_PARAMETER),
    };
    Ok([&[VERSION, parameter], &data[..]].concat())
}

fn flags(boot: Option<BootOverride>) -> Vec<u8> {
    let Some(boot) = boot else {
        return vec![0; 5];
    };
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    let first = VALID | bit(boot.persistent, PERSISTENT) | bit(boot.uefi, UEFI);
    vec![first, number(boot.target) << 2, 0, 0, 0]
}

/// What a number of the flags means; nothing where it overrides nothing.
const fn target(number: u8) -> Option<BootTarget> {
    Some(match number {
        1 => BootTarget::Net,
        2 | 3 | 9 | 11 => BootTarget::Disk,
        4 => BootTarget::Diagnostics,
        5 | 8 => BootTarget::Cdrom,
        6 => BootTarget::Setup,
        7 | 15 => BootTarget::Usb,
        _ => return None,
    })
}

/// IPMI has no UEFI HTTP boot and no shell: they show as the network and as the setup.
const fn number(target: BootTarget) -> u8 {
    match target {
        BootTarget::Net | BootTarget::Http => 1,
        BootTarget::Disk => 2,
        BootTarget::Diagnostics => 4,
        BootTarget::Cdrom => 5,
        BootTarget::Setup | BootTarget::Shell => 6,
        BootTarget::Usb => 15,
    }
}
