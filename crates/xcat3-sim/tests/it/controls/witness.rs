//! Who says what became of a machine without asking us: other people's clients and tools.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::redfish::sushy::Sushy;

/// A witness of one machine.
pub enum Witness {
    /// The journal of the driver `fake`, for this node.
    Journal(PathBuf, &'static str),
    /// `ipmitool` with these arguments.
    Ipmitool(Vec<String>),
    /// `virsh`, for this domain.
    Domain(&'static str),
    /// OpenStack's sushy.
    Sushy(RefCell<Sushy>),
    /// curl, which asks OpenStack's emulator of a machine at this URL.
    Emulator(String),
    /// curl, which asks OpenBMC's REST at this URL, certified by the authority in this file.
    Openbmc(String, String),
}

impl Witness {
    /// Whether the machine is on.
    pub fn is_on(&self) -> bool {
        match self {
            Self::Journal(..) => {
                let last = self.last(&["on", "boot", "reset", "cycle", "off", "soft"]);
                !["off", "soft", ""].contains(&&*last)
            }
            Self::Ipmitool(to) => {
                let said = ipmitool(to, &["power", "status"]);
                said.trim() == "Chassis Power is on"
            }
            Self::Domain(name) => virsh(&["domstate", name]) == "running",
            Self::Sushy(sushy) => sushy.borrow_mut().ask(&json!(["state"]))["power"] == "On",
            Self::Emulator(url) => curl(url, &[])["PowerState"] == "On",
            Self::Openbmc(..) => {
                let state = self.rest("/state/host0/attr/CurrentHostState");
                state.ends_with(".HostState.Running")
            }
        }
    }

    /// What the machine boots from, as `xcat3 bootdev` calls it.
    pub fn boots_from(&self) -> String {
        let said = match self {
            Self::Journal(..) => self.last(&["net", "disk", "cdrom", "setup"]),
            Self::Ipmitool(to) => {
                let said = ipmitool(to, &["chassis", "bootparam", "get", "5"]);
                let line = said
                    .lines()
                    .find(|line| line.contains("Boot Device Selector"));
                let line = line.unwrap_or_else(|| panic!("{said}"));
                line.split(" : ").last().unwrap().trim().to_owned()
            }
            Self::Domain(name) => {
                let xml = virsh(&["dumpxml", "--inactive", name]);
                booted_first(&xml).to_owned()
            }
            Self::Sushy(sushy) => text(&sushy.borrow_mut().ask(&json!(["state"]))["target"]),
            Self::Emulator(url) => text(&curl(url, &[])["Boot"]["BootSourceOverrideTarget"]),
            Self::Openbmc(..) => {
                let of = |end: &str| self.rest(&format!("/control/host0/boot{end}"));
                let once = ["/one_time/attr/BootSource", "/attr/BootSource"].map(of);
                let set = once.iter().find(|source| !source.ends_with(".Default"));
                let set = set.unwrap_or_else(|| panic!("{once:?}"));
                set.rsplit('.').next().unwrap_or_default().to_owned()
            }
        };
        let word = match &*said {
            "Force PXE" | "network" | "Pxe" | "Network" => "net",
            "Force Boot from default Hard-Drive" | "hd" | "disk" | "Hdd" | "Disk" => "disk",
            "Force Boot from CD/DVD" | "cdrom" | "Cd" | "ExternalMedia" => "cdrom",
            other => other,
        };
        word.to_owned()
    }

    /// Whether the identify light is on, where this witness can see it.
    pub fn is_lit(&self) -> Option<bool> {
        match self {
            Self::Ipmitool(to) => {
                let said = ipmitool(to, &["chassis", "status"]);
                let line = said.lines().find(|line| line.contains("Identify"))?;
                Some(!line.ends_with("off"))
            }
            Self::Sushy(sushy) => {
                let led = sushy.borrow_mut().ask(&json!(["state"]))["led"].clone();
                led.as_str().map(|led| led != "Off")
            }
            Self::Emulator(url) => Some(curl(url, &[])["IndicatorLED"] != "Off"),
            Self::Journal(..) | Self::Domain(_) | Self::Openbmc(..) => None,
        }
    }

    /// The machine's UUID, where this witness can see it.
    pub fn uuid(&self) -> Option<String> {
        match self {
            Self::Domain(name) => Some(virsh(&["domuuid", name])),
            Self::Sushy(sushy) => {
                let state = sushy.borrow_mut().ask(&json!(["state"]));
                Some(text(&state["uuid"]).to_lowercase())
            }
            Self::Emulator(url) => Some(text(&curl(url, &[])["UUID"]).to_lowercase()),
            Self::Journal(..) | Self::Ipmitool(_) | Self::Openbmc(..) => None,
        }
    }

    /// The last of these words in the journal of the node.
    fn last(&self, words: &[&str]) -> String {
        let Self::Journal(file, node) = self else {
            unreachable!("only the driver `fake` keeps a journal");
        };
        let journal = fs::read_to_string(file).unwrap();
        let mut of_node = journal.lines().filter_map(|line| {
            let (_, action) = line.split_once(&format!(" {node} "))?;
            words.contains(&action).then(|| action.to_owned())
        });
        of_node.next_back().unwrap_or_default()
    }

    /// What OpenBMC's REST says at the path.
    fn rest(&self, path: &str) -> String {
        let Self::Openbmc(url, ca) = self else {
            unreachable!("only OpenBMC has this REST");
        };
        let url = format!("{url}/xyz/openbmc_project{path}");
        text(&curl(&url, &["--cacert", ca, "--user", "admin:password"])["data"])
    }
}

/// What a domain boots from: the first of its machine or, where devices have an order, the first of these.
fn booted_first(xml: &str) -> &str {
    if let Some((_, after)) = xml.split_once("<boot dev='") {
        return after.split('\'').next().unwrap_or_default();
    }
    let (before, _) = xml.split_once("<boot order='1'/>").expect("a boot device");
    let disk = before.rfind(" device='").unwrap_or_default();
    match before.rfind("<interface ") {
        Some(nic) if nic > disk => "network",
        _ => before[disk..].split('\'').nth(1).unwrap_or_default(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a program prints that is to succeed.
pub fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?}: {out}{error}");
    out
}

fn ipmitool(to: &[String], words: &[&str]) -> String {
    let to = to.iter().map(String::as_str);
    said(
        "ipmitool",
        &to.chain(words.iter().copied()).collect::<Vec<_>>(),
    )
}

/// What `virsh` says.
pub fn virsh(words: &[&str]) -> String {
    let all = [&["-q", "-c", "qemu:///system"], words].concat();
    said("virsh", &all).trim().to_owned()
}

/// The document at the URL.
pub fn curl(url: &str, more: &[&str]) -> Value {
    let usual = [
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "60",
        url,
    ];
    let document = said("curl", &[&usual, more].concat());
    serde_json::from_str(&document).unwrap_or_else(|error| panic!("{url}: {error}: {document}"))
}
