//! What a control driver may be asked to do to a machine: power, boot device, and all that BMCs tell
//! and set beside them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::REDACTED;

/// What a control driver is asked to do to each of its nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlOperation {
    /// Ask for the power state: `on` or `off`.
    PowerStatus,
    /// Change the power state.
    Power(PowerTarget),
    /// Ask what the machine boots from: `net`, `disk`, `cdrom`, `setup`, `http`, or `none` where its
    /// own order counts.
    BootDeviceStatus,
    /// Set what it boots from.
    SetBootDevice(BootOrder),
    /// Report what it is made of ([`crate::hardware::Inventory`]).
    Inventory,
    /// Report its sensors ([`crate::hardware::Sensors`]).
    Sensors,
    /// Report its event log ([`crate::hardware::EventLog`]).
    EventLog,
    /// Empty its event log.
    ClearEventLog,
    /// Ask whether its identify light is `on` or `off`.
    BeaconStatus,
    /// Switch its identify light.
    Beacon(bool),
    /// Report its BIOS attributes ([`crate::hardware::Bios`]).
    Bios,
    /// Set BIOS attributes; they count from the next boot on.
    SetBios(BTreeMap<String, String>),
    /// Report its virtual media ([`crate::hardware::Media`]).
    Media,
    /// Put an image into its virtual drive.
    InsertMedia(MediaImage),
    /// Empty its virtual drive.
    EjectMedia,
}

impl ControlOperation {
    /// Whether what comes of it is a report, which may be long, and not a word.
    #[must_use]
    pub fn brings_reports(&self) -> bool {
        matches!(
            self,
            Self::Inventory | Self::Sensors | Self::EventLog | Self::Bios | Self::Media
        )
    }

    /// Whether other operations may run on the same nodes meanwhile: it changes nothing.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            Self::PowerStatus
            | Self::BootDeviceStatus
            | Self::Inventory
            | Self::Sensors
            | Self::EventLog
            | Self::BeaconStatus
            | Self::Bios
            | Self::Media => true,
            Self::Power(_)
            | Self::SetBootDevice(_)
            | Self::ClearEventLog
            | Self::Beacon(_)
            | Self::SetBios(_)
            | Self::InsertMedia(_)
            | Self::EjectMedia => false,
        }
    }

    /// It in the words of the command line, without the nodes.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::PowerStatus => "power status".to_owned(),
            Self::Power(target) => format!("power {target}"),
            Self::BootDeviceStatus => "bootdev status".to_owned(),
            Self::SetBootDevice(order) => format!("bootdev {order}"),
            Self::Inventory => "inventory".to_owned(),
            Self::Sensors => "sensors".to_owned(),
            Self::EventLog => "eventlog".to_owned(),
            Self::ClearEventLog => "eventlog clear".to_owned(),
            Self::BeaconStatus => "beacon status".to_owned(),
            Self::Beacon(true) => "beacon on".to_owned(),
            Self::Beacon(false) => "beacon off".to_owned(),
            Self::Bios => "bios get".to_owned(),
            Self::SetBios(attributes) => bios_set(attributes),
            Self::Media => "media status".to_owned(),
            Self::InsertMedia(image) if image.boot => format!("media insert {image} --boot"),
            Self::InsertMedia(image) => format!("media insert {image}"),
            Self::EjectMedia => "media eject".to_owned(),
        }
    }
}

/// So many attributes are told in words; the rest is counted.
const MOST_ATTRIBUTES: usize = 8;

/// `bios set`, without what may be secret: BIOS passwords are attributes with some vendors.
fn bios_set(attributes: &BTreeMap<String, String>) -> String {
    let mut text = "bios set".to_owned();
    for (name, value) in attributes.iter().take(MOST_ATTRIBUTES) {
        let small = name.to_ascii_lowercase();
        let secret = ["pass", "pwd", "pin", "secret", "key"];
        let secret = secret.iter().any(|word| small.contains(word));
        let value = if secret { REDACTED } else { value };
        text.push_str(&format!(" {name}={value}"));
    }
    match attributes.len().saturating_sub(MOST_ATTRIBUTES) {
        0 => {}
        more => text.push_str(&format!(" and {more} more")),
    }
    text
}

/// What `power` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerTarget {
    /// Power on.
    On,
    /// Power off, at once.
    Off,
    /// Reset where on, power on where off.
    Boot,
    /// Reset, at once.
    Reset,
    /// Power off, wait a moment, power on.
    Cycle,
    /// Ask the operating system to shut down (ACPI).
    Soft,
}

/// Whether a machine is powered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PowerState {
    /// Powered.
    On,
    /// Not powered.
    Off,
}

/// What a machine boots from next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootDevice {
    /// The network (PXE).
    Net,
    /// Its first disk.
    Disk,
    /// Its optical drive, real or virtual.
    Cdrom,
    /// The set-up of its firmware.
    Setup,
    /// The network by HTTP (UEFI HTTP boot).
    Http,
}

/// How a boot device is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BootOrder {
    /// What to boot from.
    pub device: BootDevice,
    /// Until it is set again, and not only the next time. Virtual machines of `kvm` and fake ones
    /// know no other way.
    #[serde(default)]
    pub persistent: bool,
    /// By UEFI; otherwise as the BMC thinks fit, which with IPMI is the legacy BIOS.
    #[serde(default)]
    pub uefi: bool,
}

impl BootOrder {
    /// The next boot only, by the BMC's own choice of firmware.
    #[must_use]
    pub const fn once(device: BootDevice) -> Self {
        Self {
            device,
            persistent: false,
            uefi: false,
        }
    }
}

impl fmt::Display for BootOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.device.as_str())?;
        if self.persistent {
            f.write_str(" --persistent")?;
        }
        if self.uefi {
            f.write_str(" --uefi")?;
        }
        Ok(())
    }
}

/// An image for a virtual drive.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MediaImage {
    /// Where the BMC gets it: `http://`, `https://`, `nfs://` or `cifs://`. May hold a password.
    pub url: String,
    /// Whether the machine also boots from it once, next.
    #[serde(default)]
    pub boot: bool,
}

impl MediaImage {
    /// The address without what may be secret in it: name and password before the host, and all
    /// after a `?`.
    #[must_use]
    pub fn shown(&self) -> String {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("://") else {
            return url.to_owned();
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        format!("{scheme}://{host}{path}")
    }
}

impl fmt::Display for MediaImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl fmt::Debug for MediaImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaImage")
            .field("url", &self.shown())
            .field("boot", &self.boot)
            .finish()
    }
}

/// The word is none of those allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {kind}: use one of {allowed}")]
pub struct UnknownWord {
    given: String,
    kind: &'static str,
    allowed: &'static str,
}

macro_rules! words {
    ($type:ident, $kind:literal, $allowed:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// The word for it in the store and on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $type {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err(UnknownWord {
                        given: other.chars().take(64).collect(), kind: $kind, allowed: $allowed,
                    }),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    PowerTarget,
    "power target",
    "on, off, boot, reset, cycle, soft",
    On = "on",
    Off = "off",
    Boot = "boot",
    Reset = "reset",
    Cycle = "cycle",
    Soft = "soft"
);
words!(PowerState, "power state", "on, off", On = "on", Off = "off");
words!(
    BootDevice,
    "boot device",
    "net, disk, cdrom, setup, http",
    Net = "net",
    Disk = "disk",
    Cdrom = "cdrom",
    Setup = "setup",
    Http = "http"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_told_as_it_was_typed() {
        let order = BootOrder {
            persistent: true,
            uefi: true,
            ..BootOrder::once(BootDevice::Net)
        };
        let words = ControlOperation::SetBootDevice(order).words();
        assert_eq!(words, "bootdev net --persistent --uefi");
        let bios = BTreeMap::from([("SMT".to_owned(), "Off".to_owned())]);
        let words = ControlOperation::SetBios(bios).words();
        assert_eq!(words, "bios set SMT=Off");
        let password = BTreeMap::from([("SetupPassword".to_owned(), "hidden".to_owned())]);
        let words = ControlOperation::SetBios(password).words();
        assert_eq!(words, format!("bios set SetupPassword={REDACTED}"));
        let many = (0..100)
            .map(|n| (format!("A{n}"), "x".to_owned()))
            .collect();
        let words = ControlOperation::SetBios(many).words();
        assert!(words.ends_with(" and 92 more"), "{words}");
    }

    #[test]
    fn an_image_is_shown_without_secrets() {
        for (url, shown) in [
            ("http://host/a.iso", "http://host/a.iso"),
            ("cifs://user:secret@host/a/b.iso", "cifs://host/a/b.iso"),
            ("https://a@b@host:8080?token=secret", "https://host:8080"),
            ("https://host/x?t=secret@/y#secret", "https://host/x"),
        ] {
            let image = MediaImage {
                url: url.to_owned(),
                boot: true,
            };
            assert_eq!(image.shown(), shown);
            let debug = format!("{image:?}");
            let all = debug + &ControlOperation::InsertMedia(image).words();
            assert!(!all.contains("secret"), "{all}");
        }
    }
}
