//! The tables of states (IPMI v2.0, 42-2 and 42-3). An empty text stands for an undefined offset.

use super::states::{NamedState, Severity};

const fn ok(text: &'static str) -> NamedState {
    (text, Severity::Ok)
}

const fn warn(text: &'static str) -> NamedState {
    (text, Severity::Warning)
}

const fn bad(text: &'static str) -> NamedState {
    (text, Severity::Critical)
}

/// By event/reading type 1 to 12.
pub(super) const GENERIC: [&[NamedState]; 12] = [
    THRESHOLDS,
    &[ok("idle"), ok("active"), ok("busy")],
    &[ok("state deasserted"), ok("state asserted")],
    &[ok("no failure predicted"), warn("failure predicted")],
    &[ok("limit not exceeded"), warn("limit exceeded")],
    &[ok("performance met"), warn("performance lags")],
    SEVERITIES,
    &[ok("device absent"), ok("device present")],
    &[ok("device disabled"), ok("device enabled")],
    AVAILABILITY,
    REDUNDANCY,
    &[ok("D0"), ok("D1"), ok("D2"), ok("D3")],
];

const THRESHOLDS: &[NamedState] = &[
    warn("lower non-critical, going low"),
    warn("lower non-critical, going high"),
    bad("lower critical, going low"),
    bad("lower critical, going high"),
    bad("lower non-recoverable, going low"),
    bad("lower non-recoverable, going high"),
    warn("upper non-critical, going low"),
    warn("upper non-critical, going high"),
    bad("upper critical, going low"),
    bad("upper critical, going high"),
    bad("upper non-recoverable, going low"),
    bad("upper non-recoverable, going high"),
];

const SEVERITIES: &[NamedState] = &[
    ok("OK"),
    warn("non-critical, was OK"),
    bad("critical, was less severe"),
    bad("non-recoverable, was less severe"),
    warn("non-critical, was more severe"),
    bad("critical, was non-recoverable"),
    bad("non-recoverable"),
    ok("monitor"),
    ok("informational"),
];

const AVAILABILITY: &[NamedState] = &[
    ok("running"),
    ok("in test"),
    ok("power off"),
    ok("on line"),
    ok("off line"),
    ok("off duty"),
    warn("degraded"),
    ok("power save"),
    bad("install error"),
];

const REDUNDANCY: &[NamedState] = &[
    ok("fully redundant"),
    bad("redundancy lost"),
    warn("redundancy degraded"),
    warn("not redundant any more, sufficient resources"),
    warn("not redundant, sufficient resources again"),
    bad("not redundant, insufficient resources"),
    warn("redundancy degraded, was full"),
    warn("redundancy degraded, was none"),
];

/// By sensor type, for event/reading type 0x6f.
pub(super) const fn specific(sensor_type: u8) -> &'static [NamedState] {
    match sensor_type {
        0x05 => PHYSICAL_SECURITY,
        0x06 => PLATFORM_SECURITY,
        0x07 => PROCESSOR,
        0x08 => POWER_SUPPLY,
        0x09 => POWER_UNIT,
        0x0c => MEMORY,
        0x0d => DRIVE,
        0x0f => FIRMWARE,
        0x10 => EVENT_LOGGING,
        0x11 => WATCHDOG_1,
        0x12 => SYSTEM_EVENT,
        0x13 => CRITICAL_INTERRUPT,
        0x14 => BUTTON,
        0x19 => CHIP_SET,
        0x1b => CABLE,
        0x1d => SYSTEM_BOOT,
        0x1e => BOOT_ERROR,
        0x1f => OS_BOOT,
        0x20 => OS_STOP,
        0x21 => SLOT,
        0x22 => ACPI,
        0x23 => WATCHDOG_2,
        0x24 => PLATFORM_ALERT,
        0x25 => PRESENCE,
        0x27 => LAN,
        0x28 => MANAGEMENT,
        0x29 => BATTERY,
        0x2a => SESSION,
        0x2b => VERSION,
        0x2c => FRU_STATE,
        _ => &[],
    }
}

const PHYSICAL_SECURITY: &[NamedState] = &[
    warn("chassis opened"),
    warn("drive bay opened"),
    warn("I/O card area opened"),
    warn("processor area opened"),
    warn("LAN cable unplugged"),
    warn("unauthorised docking"),
    warn("fan area opened"),
];

const PLATFORM_SECURITY: &[NamedState] = &[
    warn("front panel lockout violated"),
    warn("wrong pre-boot password: user"),
    warn("wrong pre-boot password: setup"),
    warn("wrong pre-boot password: network boot"),
    warn("wrong pre-boot password"),
    warn("wrong out-of-band password"),
];

const PROCESSOR: &[NamedState] = &[
    bad("internal error (IERR)"),
    bad("thermal trip"),
    bad("built-in self-test failed"),
    bad("hung in POST"),
    bad("failed to start"),
    bad("configuration error"),
    bad("uncorrectable SMBIOS error"),
    ok("processor present"),
    warn("processor disabled"),
    ok("terminator present"),
    warn("throttled"),
    bad("uncorrectable machine check"),
    warn("correctable machine check"),
];

const POWER_SUPPLY: &[NamedState] = &[
    ok("power supply present"),
    bad("power supply failed"),
    warn("failure predicted"),
    bad("input lost (AC or DC)"),
    bad("input lost or out of range"),
    bad("input out of range, but present"),
    bad("configuration error"),
    ok("standby"),
];

const POWER_UNIT: &[NamedState] = &[
    ok("powered off"),
    ok("power cycled"),
    warn("240 VA power down"),
    bad("interlock power down"),
    bad("AC lost"),
    bad("soft power control failure"),
    bad("power unit failed"),
    warn("failure predicted"),
];

const MEMORY: &[NamedState] = &[
    warn("correctable ECC error"),
    bad("uncorrectable ECC error"),
    bad("parity error"),
    bad("scrubbing failed"),
    warn("memory device disabled"),
    warn("correctable ECC error logging limit reached"),
    ok("memory present"),
    bad("configuration error"),
    ok("spare"),
    warn("throttled"),
    bad("critical overtemperature"),
];

const DRIVE: &[NamedState] = &[
    ok("drive present"),
    bad("drive fault"),
    warn("failure predicted"),
    ok("hot spare"),
    ok("consistency check in progress"),
    bad("in a critical array"),
    bad("in a failed array"),
    warn("rebuild in progress"),
    warn("rebuild aborted"),
];

const FIRMWARE: &[NamedState] = &[
    bad("firmware error (POST)"),
    bad("firmware hang"),
    ok("firmware progress"),
];

const EVENT_LOGGING: &[NamedState] = &[
    warn("logging of correctable memory errors disabled"),
    warn("logging of an event type disabled"),
    ok("log cleared"),
    warn("all event logging disabled"),
    warn("log full"),
    warn("log almost full"),
    warn("logging of correctable machine checks disabled"),
];

const WATCHDOG_1: &[NamedState] = &[
    bad("BIOS watchdog reset"),
    bad("OS watchdog reset"),
    bad("OS watchdog shut down"),
    bad("OS watchdog power down"),
    bad("OS watchdog power cycle"),
    bad("OS watchdog diagnostic interrupt"),
    warn("OS watchdog expired"),
    warn("OS watchdog about to interrupt"),
];

const SYSTEM_EVENT: &[NamedState] = &[
    ok("system reconfigured"),
    ok("boot by the manufacturer's firmware"),
    bad("undetermined hardware failure"),
    ok("entry added to the auxiliary log"),
    ok("platform event action"),
    ok("clock synchronised"),
];

const CRITICAL_INTERRUPT: &[NamedState] = &[
    ok("front panel diagnostic interrupt"),
    bad("bus timeout"),
    bad("I/O channel check"),
    bad("software diagnostic interrupt"),
    bad("PCI parity error"),
    bad("PCI system error"),
    bad("EISA fail-safe timeout"),
    warn("correctable bus error"),
    bad("uncorrectable bus error"),
    bad("fatal diagnostic interrupt"),
    bad("fatal bus error"),
    warn("bus degraded"),
];

const BUTTON: &[NamedState] = &[
    ok("power button pressed"),
    ok("sleep button pressed"),
    ok("reset button pressed"),
    ok("FRU latch open"),
    ok("service requested"),
];

const SYSTEM_BOOT: &[NamedState] = &[
    ok("started by power up"),
    ok("started by hard reset"),
    ok("started by warm reset"),
    ok("started for network boot by the user"),
    ok("started automatically to diagnostics"),
    ok("OS requested a hard reset"),
    ok("OS requested a warm reset"),
    ok("system restart"),
];

const BOOT_ERROR: &[NamedState] = &[
    bad("no bootable media"),
    bad("no bootable diskette in the drive"),
    bad("network boot server not found"),
    bad("invalid boot sector"),
    warn("timeout waiting for the choice of what to boot"),
];

const OS_BOOT: &[NamedState] = &[
    ok("A: boot completed"),
    ok("C: boot completed"),
    ok("network boot completed"),
    ok("diagnostic boot completed"),
    ok("CD-ROM boot completed"),
    ok("ROM boot completed"),
    ok("boot completed, device not specified"),
    ok("OS installation started"),
    ok("OS installation completed"),
    bad("OS installation aborted"),
    bad("OS installation failed"),
];

const OS_STOP: &[NamedState] = &[
    bad("stopped while the OS loaded"),
    bad("run-time critical stop"),
    ok("OS graceful stop"),
    ok("OS graceful shutdown"),
    warn("soft shutdown by platform event filter"),
    warn("agent not responding"),
];

const SLOT: &[NamedState] = &[
    bad("slot fault"),
    ok("slot identifies itself"),
    ok("device installed"),
    ok("ready for installation"),
    ok("ready for removal"),
    ok("slot powered off"),
    ok("removal requested"),
    ok("interlock"),
    warn("slot disabled"),
    ok("slot holds a spare"),
];

const ACPI: &[NamedState] = &[
    ok("S0/G0 working"),
    ok("S1 sleeping"),
    ok("S2 sleeping"),
    ok("S3 suspended to RAM"),
    ok("S4 suspended to disk"),
    ok("S4/S5 soft off"),
    ok("G3 mechanical off"),
    ok("S1, S2 or S3 sleeping"),
    ok("G1 sleeping"),
    warn("S5 entered by override"),
    ok("legacy on"),
    ok("legacy off"),
    ok(""),
    ok("unknown power state"),
];

const WATCHDOG_2: &[NamedState] = &[
    warn("watchdog expired"),
    bad("watchdog hard reset"),
    bad("watchdog power down"),
    bad("watchdog power cycle"),
    ok(""),
    ok(""),
    ok(""),
    ok(""),
    warn("watchdog about to act"),
];

const PLATFORM_ALERT: &[NamedState] = &[
    ok("platform generated page"),
    ok("platform generated LAN alert"),
    ok("platform event trap generated"),
    ok("platform generated SNMP trap"),
];

const MANAGEMENT: &[NamedState] = &[
    warn("sensor access degraded"),
    bad("management controller access degraded"),
    bad("management controller off line"),
    bad("management controller unavailable"),
    bad("sensor failure"),
    bad("FRU failure"),
];

const SESSION: &[NamedState] = &[
    ok("session activated"),
    ok("session deactivated"),
    warn("invalid user name or password"),
    warn("invalid password disabled the user"),
];

const VERSION: &[NamedState] = &[
    ok("hardware change detected"),
    ok("firmware or software change detected"),
    warn("hardware incompatibility"),
    warn("firmware or software incompatibility"),
    warn("hardware version not supported"),
    warn("firmware or software version not supported"),
    ok("hardware change succeeded"),
    ok("firmware or software change succeeded"),
];

const FRU_STATE: &[NamedState] = &[
    ok("FRU not installed"),
    ok("FRU inactive"),
    ok("FRU activation requested"),
    ok("FRU activating"),
    ok("FRU active"),
    ok("FRU deactivation requested"),
    ok("FRU deactivating"),
    bad("communication with the FRU lost"),
];

const CHIP_SET: &[NamedState] = &[bad("soft power control failure"), bad("thermal trip")];

const CABLE: &[NamedState] = &[ok("cable connected"), bad("cable configuration error")];

const PRESENCE: &[NamedState] = &[ok("present"), ok("absent"), warn("disabled")];

const LAN: &[NamedState] = &[bad("LAN heartbeat lost"), ok("LAN heartbeat")];

const BATTERY: &[NamedState] = &[
    warn("battery low"),
    bad("battery failed"),
    ok("battery present"),
];
