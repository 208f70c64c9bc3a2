//! What may be typed of power, boot device, and all else that BMCs tell and take.

use clap::{Args, ValueEnum};

use super::OperationArgs;

/// What `power` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PowerWord {
    /// Ask only.
    #[value(alias = "stat", alias = "state")]
    Status,
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Reset what is on, power on what is off.
    #[value(alias = "reboot")]
    Boot,
    /// Reset.
    Reset,
    /// Power off, wait a moment, power on.
    Cycle,
    /// Ask the operating system to shut down (ACPI).
    #[value(alias = "softoff")]
    Soft,
}

/// What `bootdev` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BootWord {
    /// Ask only.
    #[value(alias = "stat")]
    Status,
    /// The network.
    Net,
    /// The first disk.
    #[value(alias = "hd")]
    Disk,
    /// The optical drive.
    #[value(alias = "cd")]
    Cdrom,
    /// The set-up of the firmware.
    #[value(alias = "bios")]
    Setup,
    /// The network by HTTP (UEFI HTTP boot).
    Http,
}

/// Arguments of `bootdev`.
#[derive(Debug, Args)]
pub struct BootdevArgs {
    /// Which nodes.
    pub nodes: String,
    /// What to boot from.
    #[arg(default_value = "status")]
    pub device: BootWord,
    /// Until it is set again, and not only for the next boot.
    #[arg(long, short)]
    pub persistent: bool,
    /// By UEFI. With IPMI the BMC is else told to boot the legacy way.
    #[arg(long, short)]
    pub uefi: bool,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

impl BootdevArgs {
    /// Those of the older commands.
    pub fn of(nodes: String, device: BootWord, operation: OperationArgs) -> Self {
        Self {
            nodes,
            device,
            persistent: false,
            uefi: false,
            operation,
        }
    }
}

/// Arguments of `inventory`.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// Which nodes.
    pub nodes: String,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// Arguments of `sensors`.
#[derive(Debug, Args)]
pub struct SensorsArgs {
    /// Which nodes.
    pub nodes: String,
    /// Only sensors of this kind: temperature, fan, voltage, current, power, …
    #[arg(long, short, value_name = "KIND")]
    pub kind: Option<String>,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// Arguments of `eventlog`.
#[derive(Debug, Args)]
pub struct EventlogArgs {
    /// Which nodes.
    pub nodes: String,
    /// What to do.
    #[arg(default_value = "list")]
    pub action: EventlogWord,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// What `eventlog` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventlogWord {
    /// Show it, the oldest event first.
    #[value(alias = "all")]
    List,
    /// Empty it.
    Clear,
}

/// Arguments of `beacon`.
#[derive(Debug, Args)]
pub struct BeaconArgs {
    /// Which nodes.
    pub nodes: String,
    /// What to do.
    #[arg(default_value = "status")]
    pub target: BeaconWord,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// What `beacon` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BeaconWord {
    /// Ask only.
    #[value(alias = "stat")]
    Status,
    /// Switch it on.
    On,
    /// Switch it off.
    Off,
}

/// Arguments of `bios`.
#[derive(Debug, Args)]
pub struct BiosArgs {
    /// Which nodes.
    pub nodes: String,
    /// What to do.
    #[arg(default_value = "get")]
    pub action: BiosWord,
    /// With get: only these attributes. With set: what to set.
    #[arg(value_name = "NAME|NAME=VALUE")]
    pub attributes: Vec<String>,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// What `bios` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BiosWord {
    /// Show attributes.
    Get,
    /// Set attributes. They count from the next boot on.
    Set,
}

/// Arguments of `media`.
#[derive(Debug, Args)]
pub struct MediaArgs {
    /// Which nodes.
    pub nodes: String,
    /// What to do.
    #[arg(default_value = "status")]
    pub action: MediaWord,
    /// Where the BMCs get the image: http://, https://, nfs:// or cifs://. With insert.
    pub url: Option<String>,
    /// Boot from it once, next. With insert.
    #[arg(long, short)]
    pub boot: bool,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// What `media` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MediaWord {
    /// Show what is in the virtual drives.
    #[value(alias = "stat")]
    Status,
    /// Put an image in.
    #[value(alias = "attach")]
    Insert,
    /// Take it out.
    #[value(alias = "detach")]
    Eject,
}
