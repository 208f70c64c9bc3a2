//! Differences between vendors' Redfish services, as they are met in data centres: what the resources
//! are called, which values they offer, where they keep what. A flavour is a set of such habits; it
//! claims to be no product.

use std::str::FromStr;

/// A set of habits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// All of the standard, as its newest schemas have it.
    #[default]
    Standard,
    /// As OpenBMC's bmcweb: named resources, no BIOS attributes, new sensors only.
    Openbmc,
    /// As HPE iLO: sensors of the old style, boot options with vendor's values, LED by `IndicatorLED`.
    Ilo,
    /// As Dell iDRAC: long names, virtual media under systems as well, resets are tasks.
    Idrac,
    /// As Lenovo XCC: `If-Match` demanded, pending BIOS attributes under another name.
    Xcc,
    /// As Supermicro: boot mode demanded with the target, few values for resets.
    Supermicro,
    /// As AMI MegaRAC: everything is `Self`, `If-Match` demanded, boot order by a settings object.
    Megarac,
    /// An early service: no links in the root, no session service, no allowable values.
    Early,
}

/// Where virtual media are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaAt {
    /// Under the manager.
    Manager,
    /// Under the system.
    System,
    /// Under both.
    Both,
    /// There are none.
    Nowhere,
}

/// Which resources tell temperatures, fans and power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorsAt {
    /// `Thermal` and `Power`.
    Old,
    /// `Sensors`, `ThermalSubsystem`, `PowerSubsystem`.
    New,
    /// All of them.
    Both,
}

/// What comes of `$expand`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expand {
    /// Collections are told with their members, as the root says.
    Done,
    /// It is not looked at.
    Ignored,
    /// 501.
    Refused,
}

/// Which property lights the LED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// `IndicatorLED`: `Lit`, `Blinking`, `Off`.
    Indicator,
    /// `LocationIndicatorActive`: true or false.
    Location,
    /// Both.
    Both,
}

/// The habits of a flavour.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// The system's id.
    pub system: &'static str,
    /// The manager's id.
    pub manager: &'static str,
    /// The chassis' id.
    pub chassis: &'static str,
    /// What `ComputerSystem.Reset` takes.
    pub resets: &'static [&'static str],
    /// What `BootSourceOverrideTarget` takes.
    pub targets: &'static [&'static str],
    /// Whether allowable values are told.
    pub allowable: bool,
    /// Whether `BootSourceOverrideMode` is there.
    pub boot_mode: bool,
    /// Whether a boot target without a mode is refused.
    pub mode_demanded: bool,
    /// Whether the boot override is set at `Settings` of the system (as `SD`), not at the system itself.
    pub boot_settings: bool,
    /// Where virtual media are.
    pub media: MediaAt,
    /// Whether `InsertMedia` and `EjectMedia` exist; else `Image` is patched.
    pub media_actions: bool,
    /// Whether there is a session service.
    pub sessions: bool,
    /// Whether the root links to the sessions.
    pub links: bool,
    /// Whether a change demands `If-Match`.
    pub if_match: bool,
    /// What comes of `$expand`.
    pub expand: Expand,
    /// The LED.
    pub led: Led,
    /// The sensors.
    pub sensors: SensorsAt,
    /// The last part of the address of pending BIOS attributes; nothing: there are no attributes.
    pub bios: Option<&'static str>,
    /// Whether logs are under the manager, not the system.
    pub manager_logs: bool,
    /// Whether a reset is answered by a task.
    pub reset_task: bool,
    /// Whether drives are under `SimpleStorage` too.
    pub storage: bool,
}

const RESETS: &[&str] = &[
    "On",
    "ForceOff",
    "GracefulShutdown",
    "GracefulRestart",
    "ForceRestart",
    "Nmi",
    "ForceOn",
    "PushPowerButton",
    "PowerCycle",
];
const TARGETS: &[&str] = &[
    "None",
    "Pxe",
    "Hdd",
    "Cd",
    "Usb",
    "BiosSetup",
    "UefiHttp",
    "UefiShell",
    "Diags",
];

const STANDARD: Habits = Habits {
    system: "1",
    manager: "1",
    chassis: "1",
    resets: RESETS,
    targets: TARGETS,
    allowable: true,
    boot_mode: true,
    mode_demanded: false,
    boot_settings: false,
    media: MediaAt::Both,
    media_actions: true,
    sessions: true,
    links: true,
    if_match: false,
    expand: Expand::Done,
    led: Led::Both,
    sensors: SensorsAt::Both,
    bios: Some("Settings"),
    manager_logs: false,
    reset_task: false,
    storage: true,
};

impl Flavour {
    /// Every flavour.
    pub const ALL: [Self; 8] = [
        Self::Standard,
        Self::Openbmc,
        Self::Ilo,
        Self::Idrac,
        Self::Xcc,
        Self::Supermicro,
        Self::Megarac,
        Self::Early,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Openbmc => "openbmc",
            Self::Ilo => "ilo",
            Self::Idrac => "idrac",
            Self::Xcc => "xcc",
            Self::Supermicro => "supermicro",
            Self::Megarac => "megarac",
            Self::Early => "early",
        }
    }

    /// Its habits.
    #[must_use]
    pub const fn habits(self) -> Habits {
        match self {
            Self::Standard => STANDARD,
            Self::Openbmc => openbmc(),
            Self::Ilo => ilo(),
            Self::Idrac => idrac(),
            Self::Xcc => xcc(),
            Self::Supermicro => supermicro(),
            Self::Megarac => megarac(),
            Self::Early => early(),
        }
    }
}

const fn openbmc() -> Habits {
    Habits {
        system: "system",
        manager: "bmc",
        chassis: "chassis",
        targets: &["None", "Pxe", "Hdd", "Cd", "Diags", "BiosSetup", "Usb"],
        media: MediaAt::Manager,
        led: Led::Location,
        sensors: SensorsAt::New,
        bios: None,
        ..STANDARD
    }
}

const fn ilo() -> Habits {
    Habits {
        resets: &[
            "On",
            "ForceOff",
            "GracefulShutdown",
            "ForceRestart",
            "Nmi",
            "PushPowerButton",
        ],
        targets: &[
            "None",
            "Cd",
            "Hdd",
            "Usb",
            "Diags",
            "BiosSetup",
            "Pxe",
            "UefiShell",
            "UefiHttp",
        ],
        media: MediaAt::Manager,
        led: Led::Indicator,
        sensors: SensorsAt::Old,
        ..STANDARD
    }
}

const fn idrac() -> Habits {
    Habits {
        system: "System.Embedded.1",
        manager: "iDRAC.Embedded.1",
        chassis: "System.Embedded.1",
        resets: &[
            "On",
            "ForceOff",
            "ForceRestart",
            "GracefulRestart",
            "GracefulShutdown",
            "PushPowerButton",
            "Nmi",
            "PowerCycle",
        ],
        manager_logs: true,
        reset_task: true,
        ..STANDARD
    }
}

const fn xcc() -> Habits {
    Habits {
        resets: &[
            "On",
            "Nmi",
            "GracefulShutdown",
            "GracefulRestart",
            "ForceOn",
            "ForceOff",
            "ForceRestart",
        ],
        media: MediaAt::Manager,
        media_actions: false,
        if_match: true,
        led: Led::Indicator,
        bios: Some("Pending"),
        ..STANDARD
    }
}

const fn supermicro() -> Habits {
    Habits {
        resets: &["On", "ForceOff", "GracefulShutdown", "ForceRestart"],
        targets: &["None", "Pxe", "Hdd", "Cd", "Usb", "BiosSetup", "UefiHttp"],
        mode_demanded: true,
        media: MediaAt::Manager,
        expand: Expand::Ignored,
        led: Led::Indicator,
        sensors: SensorsAt::Old,
        bios: Some("SD"),
        manager_logs: true,
        ..STANDARD
    }
}

const fn megarac() -> Habits {
    Habits {
        system: "Self",
        manager: "Self",
        chassis: "Self",
        resets: &["On", "ForceOff", "GracefulShutdown", "ForceRestart"],
        boot_settings: true,
        media: MediaAt::Manager,
        if_match: true,
        expand: Expand::Refused,
        led: Led::Indicator,
        sensors: SensorsAt::Old,
        bios: Some("SD"),
        manager_logs: true,
        ..STANDARD
    }
}

const fn early() -> Habits {
    Habits {
        resets: &["On", "ForceOff", "ForceRestart"],
        targets: &["None", "Pxe", "Hdd", "Cd", "BiosSetup"],
        allowable: false,
        boot_mode: false,
        media: MediaAt::Nowhere,
        sessions: false,
        links: false,
        expand: Expand::Ignored,
        led: Led::Indicator,
        sensors: SensorsAt::Old,
        bios: None,
        manager_logs: true,
        storage: false,
        ..STANDARD
    }
}

/// Which flavour a machine has: one for all, or each in turn (`mixed`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavours(Vec<Flavour>);

impl Default for Flavours {
    fn default() -> Self {
        Self(vec![Flavour::Standard])
    }
}

impl From<Flavour> for Flavours {
    fn from(flavour: Flavour) -> Self {
        Self(vec![flavour])
    }
}

impl FromStr for Flavours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "mixed" {
            return Ok(Self(Flavour::ALL.to_vec()));
        }
        let named = |name: &str| {
            let found = Flavour::ALL.into_iter().find(|one| one.name() == name);
            found.ok_or_else(|| {
                let names = Flavour::ALL.map(Flavour::name).join(", ");
                format!("'{name}' is no flavour: use mixed, or of {names}")
            })
        };
        text.split(',')
            .map(named)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Flavours {
    /// The flavour of a machine.
    #[must_use]
    pub fn of(&self, index: usize) -> Flavour {
        self.0[index % self.0.len()]
    }
}
