//! The sections of the control drivers and installers and their defaults.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use xcat3_core::setting::{Fraction, Seconds};

use super::{Bmc, Ipmi, Redfish};

/// How hardware is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// The ssh/virsh driver.
    pub kvm: Kvm,
    /// The driver of machines that don't exist.
    pub fake: Fake,
    /// All drivers of BMCs.
    pub bmc: Bmc,
    /// The IPMI driver.
    pub ipmi: Ipmi,
    /// The Redfish driver.
    pub redfish: Redfish,
}

/// The ssh/virsh control driver (`mgt=kvm`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kvm {
    /// Known host keys; absent: `known_hosts` in the state directory.
    pub known_hosts: Option<PathBuf>,
    /// Whether the key of a host that is not known yet is taken and remembered.
    pub trust_on_first_use: bool,
    /// How long connecting to a hypervisor may take, authentication included.
    pub connect_deadline_s: Seconds,
    /// How long one command on a hypervisor may take.
    pub command_deadline_s: Seconds,
}

/// The control driver for rehearsals (`mgt=fake`). A node's `control_info` may say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fake {
    /// The file that remembers fake machines; absent: `fake.journal` in the state directory.
    pub journal: Option<PathBuf>,
    /// How many milliseconds each operation takes.
    pub latency_ms: u32,
    /// How many milliseconds more it takes at most, by chance.
    pub jitter_ms: u32,
    /// How often an operation fails.
    pub failure: Fraction,
}

/// What installed machines are given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Install {
    /// Files of public keys that may log in as root; absent: `~/.ssh/*.pub` of the daemon's user
    /// and `authorized_keys` in the state directory.
    pub authorized_keys: Option<Vec<PathBuf>>,
    /// Time zone.
    pub timezone: String,
    /// Locale.
    pub locale: String,
    /// Keyboard layout.
    pub keyboard: String,
    /// Packages that the base system is made with.
    pub base_packages: Vec<String>,
    /// Packages that are installed after it.
    pub packages: Vec<String>,
    /// The kernel package; absent: the installer's own choice.
    pub kernel_package: Option<String>,
    /// The disk to install on, as a device path; absent: the first one.
    pub disk: Option<String>,
    /// Consoles of installer and installed system, the most important last.
    pub consoles: Vec<String>,
    /// More kernel arguments for the installer.
    pub kernel_arguments: Vec<String>,
    /// The mirror that installed machines use afterwards; absent: the image they came from.
    pub mirror: Option<String>,
    /// A shell script that runs in the installer before anything is asked.
    pub early_script: Option<PathBuf>,
    /// A shell script that runs in the installed system before its first boot.
    pub post_script: Option<PathBuf>,
}

impl Default for Kvm {
    fn default() -> Self {
        Self {
            known_hosts: None,
            trust_on_first_use: true,
            connect_deadline_s: Seconds::new(10),
            command_deadline_s: Seconds::new(30),
        }
    }
}

impl Default for Install {
    fn default() -> Self {
        Self {
            authorized_keys: None,
            timezone: "UTC".to_owned(),
            locale: "en_US.UTF-8".to_owned(),
            keyboard: "us".to_owned(),
            base_packages: vec!["openssh-server".to_owned()],
            packages: Vec::new(),
            kernel_package: None,
            disk: None,
            consoles: vec!["tty0".to_owned(), "ttyS0,115200".to_owned()],
            kernel_arguments: Vec::new(),
            mirror: None,
            early_script: None,
            post_script: None,
        }
    }
}
