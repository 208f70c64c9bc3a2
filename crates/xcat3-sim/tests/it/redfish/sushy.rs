//! OpenStack's sushy drives machines of each flavour; the test looks into the machine.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use xcat3_sim::bmc::machine::{BootTarget, SensorKind};
use xcat3_sim::bmc::redfish::{Flavour, Options};

use super::plant::Plant;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/it/redfish/sushy_client.py"
);

/// A Python that has sushy: `cargo xtask test` makes one.
pub fn python() -> PathBuf {
    std::env::var_os("XCAT3_SUSHY_PYTHON")
        .expect("XCAT3_SUSHY_PYTHON names a Python with sushy: cargo xtask test sets it")
        .into()
}

/// sushy at work on one machine.
pub struct Sushy {
    process: Child,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
}

impl Sushy {
    fn at(python: &Path, plant: &Plant, index: usize) -> Self {
        Self::to(python, &plant.url(index, ""), &plant.ca())
    }

    /// To the BMC at this URL, whose certificate is by the authority in this file.
    pub fn to(python: &Path, url: &str, ca: &str) -> Self {
        let mut process = Command::new(python)
            .arg(SCRIPT)
            .args([url, "admin", "password", ca])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let say = process.stdin.take().unwrap();
        let hear = BufReader::new(process.stdout.take().unwrap());
        Self { process, say, hear }
    }

    /// What sushy says to a command.
    pub fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.say, "{command}").unwrap();
        let mut line = String::new();
        self.hear.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("ok").is_some(), "{command}: {answer}");
        answer["ok"].clone()
    }
}

impl Drop for Sushy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "real: programs"]
fn power_and_boot_device_are_what_sushy_says() {
    let python = python();
    let flavours = [
        Flavour::Standard,
        Flavour::Ilo,
        Flavour::Xcc,
        Flavour::Supermicro,
        Flavour::Megarac,
    ];
    for flavour in flavours {
        let plant = Plant::of(
            1,
            Options {
                flavours: flavour.into(),
                ..Options::default()
            },
        );
        let mut sushy = Sushy::at(&python, &plant, 0);
        let named = flavour.name();
        assert_eq!(
            sushy.ask(&json!(["resets"])).as_array().unwrap().len(),
            flavour.habits().resets.len(),
            "{named}"
        );
        for (target, meant, enabled, mode) in [
            ("Pxe", BootTarget::Net, "Continuous", "UEFI"),
            ("Hdd", BootTarget::Disk, "Once", "Legacy"),
            ("BiosSetup", BootTarget::Setup, "Once", "UEFI"),
        ] {
            sushy.ask(&json!(["boot", target, enabled, mode]));
            let held = plant.held(0).boot.unwrap();
            assert_eq!(held.target, meant, "{named}");
            assert_eq!(held.persistent, enabled == "Continuous", "{named}");
            assert_eq!(held.uefi, mode == "UEFI", "{named}");
            let state = sushy.ask(&json!(["state"]));
            assert_eq!(state["target"], target, "{named}");
            assert_eq!(state["enabled"], enabled, "{named}");
        }
        sushy.ask(&json!(["reset", "On"]));
        assert!(plant.held(0).power, "{named}");
        assert_eq!(sushy.ask(&json!(["state"]))["power"], "On", "{named}");
        assert!(plant.held(0).boot.is_none(), "{named}: once is once");
        sushy.ask(&json!(["reset", "ForceOff"]));
        assert!(!plant.held(0).power, "{named}");
        sushy.ask(&json!(["led", "Blinking"]));
        assert!(plant.held(0).beacon, "{named}");
    }
}

#[test]
#[ignore = "real: programs"]
fn virtual_media_hold_what_sushy_inserts() {
    let python = python();
    for flavour in [Flavour::Standard, Flavour::Openbmc, Flavour::Idrac] {
        let plant = Plant::of(
            1,
            Options {
                flavours: flavour.into(),
                ..Options::default()
            },
        );
        let mut sushy = Sushy::at(&python, &plant, 0);
        let url = "http://10.0.0.1/images/debian.iso";
        sushy.ask(&json!(["insert", url]));
        assert_eq!(plant.held(0).media[0].image.as_deref(), Some(url));
        let state = sushy.ask(&json!(["medium_state"]));
        assert_eq!(state, json!({"image": url, "inserted": true}));
        sushy.ask(&json!(["eject"]));
        assert_eq!(plant.held(0).media[0].image, None);
    }
}

#[test]
#[ignore = "real: programs"]
fn bios_attributes_hold_after_the_next_boot() {
    let python = python();
    for flavour in [Flavour::Standard, Flavour::Supermicro] {
        let plant = Plant::of(
            1,
            Options {
                flavours: flavour.into(),
                ..Options::default()
            },
        );
        let mut sushy = Sushy::at(&python, &plant, 0);
        sushy.ask(&json!(["set_bios", {"BootMode": "Legacy"}]));
        let bios = sushy.ask(&json!(["bios"]));
        assert_eq!(bios["attributes"]["BootMode"], "Uefi");
        assert_eq!(bios["pending"], json!({"BootMode": "Legacy"}));
        sushy.ask(&json!(["reset", "On"]));
        let bios = sushy.ask(&json!(["bios"]));
        assert_eq!(bios["attributes"]["BootMode"], "Legacy");
        assert_eq!(bios["pending"], json!({}));
        assert_eq!(plant.held(0).bios["BootMode"], "Legacy");
    }
}

#[test]
#[ignore = "real: programs"]
fn hardware_and_sensors_are_what_sushy_reads() {
    let python = python();
    let plant = Plant::of(3, Options::default());
    let mut sushy = Sushy::at(&python, &plant, 2);
    let hardware = sushy.ask(&json!(["hardware"]));
    let held = plant.held(2);
    let mut macs = held.macs.clone();
    macs.sort();
    assert_eq!(hardware["macs"], json!(macs));
    assert_eq!(hardware["gib"], 256);
    assert_eq!(hardware["processors"], 64, "sushy counts threads");
    assert_eq!(hardware["secure_boot"], false);
    let sensors = sushy.ask(&json!(["sensors"]));
    for sensor in &held.sensors {
        let read = match sensor.kind {
            SensorKind::Temperature => &sensors["temperatures"][sensor.name],
            SensorKind::Fan => &sensors["fans"][sensor.name],
            _ => continue,
        };
        assert_eq!(read.as_f64(), Some(sensor.value), "{}", sensor.name);
    }
}

#[test]
#[ignore = "real: programs"]
fn a_wrong_password_is_an_access_error() {
    let python = python();
    let plant = Plant::of(1, Options::default());
    let mut sushy = Sushy::at(&python, &plant, 0);
    let url = plant.url(0, "");
    let ca = plant.ca();
    let with = |password: &str| json!(["reconnect", url, "admin", password, ca]);
    assert_eq!(sushy.ask(&with("password")), "welcome");
    assert_eq!(sushy.ask(&with("guess")), "AccessError");
}
