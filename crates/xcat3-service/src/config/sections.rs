//! The sections of the configuration file and their defaults.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Bmc, Fraction, Ipmi, Redfish, Seconds, Workers};

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what failed for good.
    Error,
    /// What an operator should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// What goes on in detail.
    Debug,
    /// Everything.
    Trace,
}

/// How processes of xcat3 hand one another work.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bus {
    /// The message broker, `nats://HOST:PORT` or `tls://HOST:PORT`, several servers of a cluster
    /// separated by commas; absent: inside one process, for `xcat3d` only.
    pub url: Option<String>,
    /// A file of credentials, as `nsc` makes them; absent: user and password of the URL, if any.
    pub credentials: Option<PathBuf>,
    /// A file of the certificates that the broker's must be signed by; absent: the system's.
    pub ca_file: Option<PathBuf>,
    /// The first word of all subjects and streams.
    pub prefix: String,
    /// How many servers of a cluster keep each batch.
    pub replicas: NonZeroUsize,
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("credentials", &self.credentials)
            .field("ca_file", &self.ca_file)
            .field("prefix", &self.prefix)
            .field("replicas", &self.replicas)
            .finish()
    }
}

/// The REST API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// How long a request waits for the outcomes of its job.
    pub answer_within_s: Seconds,
    /// How many worker processes there are.
    pub workers: Workers,
    /// How long requests under way may go on after the daemon was told to stop.
    pub drain_s: Seconds,
}

/// The worker that drives hardware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conductor {
    /// How many batches that drive hardware are worked on at once.
    pub batches_at_once: NonZeroUsize,
    /// How many batches that only change the provisioning state are worked on at once, beside them.
    pub provisioning_at_once: NonZeroUsize,
    /// How long the nodes of a batch stay reserved after the last sign of life of who works on it.
    pub reservation_s: Seconds,
    /// How long a control driver has for one batch. Below `api.answer_within_s`, so that the
    /// reason still reaches the client.
    pub operation_deadline_s: Seconds,
    /// How long a deploy waits for the network services to serve it before it names those behind.
    pub serve_deadline_s: Seconds,
    /// How long a deploying node may stay unseen after it was asked to deploy.
    pub first_contact_s: Seconds,
    /// How long a node that was seen may fall silent during its install.
    pub silence_s: Seconds,
    /// How many worker processes there are.
    pub workers: Workers,
    /// How long work under way may go on after the daemon was told to stop.
    pub drain_s: Seconds,
}

/// DHCP, TFTP and HTTP for nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Interfaces that may be served; empty: each that owns an address in a defined network.
    pub interfaces: Vec<String>,
    /// TCP port of the boot files.
    pub http_port: u16,
    /// Directories of boot loaders; the first that has a file gives it.
    pub loader_dirs: Vec<PathBuf>,
    /// The boot loader for each kind of firmware.
    pub loaders: Loaders,
    /// How long a lease is given for.
    pub lease_s: Seconds,
    /// Whether router solicitations are answered (with: no router here), which saves iPXE a wait.
    pub router_advertisements: bool,
    /// How many worker processes there are.
    pub workers: Workers,
    /// How long answers under way may go on after the daemon was told to stop.
    pub drain_s: Seconds,
}

/// Names of boot loaders in [`Network::loader_dirs`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Loaders {
    /// For the BIOS of PCs.
    pub bios: String,
    /// For UEFI on x86_64.
    pub uefi_x64: String,
    /// For UEFI on aarch64.
    pub uefi_arm64: String,
}

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

impl Default for Bus {
    fn default() -> Self {
        Self {
            url: None,
            credentials: None,
            ca_file: None,
            prefix: "xcat3".to_owned(),
            replicas: NonZeroUsize::MIN,
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3010)),
            answer_within_s: Seconds::new(60),
            workers: Workers::ONE,
            drain_s: Seconds::new(10),
        }
    }
}

impl Default for Conductor {
    fn default() -> Self {
        Self {
            batches_at_once: NonZeroUsize::new(80).unwrap_or(NonZeroUsize::MIN),
            provisioning_at_once: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            reservation_s: Seconds::new(30),
            operation_deadline_s: Seconds::new(50),
            serve_deadline_s: Seconds::new(30),
            first_contact_s: Seconds::new(86_400),
            silence_s: Seconds::new(3_600),
            workers: Workers::ONE,
            drain_s: Seconds::new(10),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        let dirs = [
            "/usr/lib/ipxe",
            "/usr/lib/PXELINUX",
            "/usr/lib/syslinux/modules/bios",
        ];
        Self {
            interfaces: Vec::new(),
            http_port: 3011,
            loader_dirs: dirs.map(PathBuf::from).to_vec(),
            loaders: Loaders::default(),
            lease_s: Seconds::new(43_200),
            router_advertisements: true,
            workers: Workers::ONE,
            drain_s: Seconds::new(5),
        }
    }
}

impl Default for Loaders {
    fn default() -> Self {
        Self {
            bios: "undionly.kpxe".to_owned(),
            uefi_x64: "snponly.efi".to_owned(),
            uefi_arm64: "snponly-arm64.efi".to_owned(),
        }
    }
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
