//! OpenStack's sushy-emulator, whose machine exists nowhere either, driven by the driver `redfish`.
//! curl looks at what it says afterwards.
//!
//! It takes 1 to 11 seconds for a change of power, has no sessions, says `Continuous` of what is to be
//! once, and answers 500 where it has no storage.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use xcat3_core::control::{BootDevice, BootOrder, MediaImage, PowerTarget};
use xcat3_core::{ControlOperation, Node, NodeName, Outcome};
use xcat3_drivers::control::redfish::Redfish;
use xcat3_drivers::control::{
    BmcConfig, ControlDriver, ControlOrder, Lease, RedfishConfig, Rejections,
};

const DEADLINE: Duration = Duration::from_secs(120);

/// The emulator: `cargo xtask test` installs it.
fn emulator() -> PathBuf {
    let programs = std::env::var_os("XCAT3_BMC_PEERS")
        .expect("XCAT3_BMC_PEERS names a directory with sushy-emulator: cargo xtask test sets it");
    PathBuf::from(programs).join("sushy-emulator")
}

/// The emulator at work, and the driver.
struct Emulated {
    process: Child,
    port: u16,
    driver: Redfish,
    runtime: Runtime,
    _files: TempDir,
}

impl Drop for Emulated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Emulated {
    fn by(emulator: &PathBuf) -> Self {
        let files = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = files.path().join("emulator.conf");
        let state = files.path().display();
        let text = format!(
            "SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'\nSUSHY_EMULATOR_LISTEN_PORT = {port}\n\
             SUSHY_EMULATOR_STATE_DIR = '{state}'\n"
        );
        fs::write(&config, text).unwrap();
        let process = Command::new(emulator)
            .args(["--fake", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let redfish = RedfishConfig::new(files.path().join("known_bmcs"));
        let emulated = Self {
            process,
            port,
            driver: Redfish::new(&redfish, &BmcConfig::default()),
            runtime: Runtime::new().unwrap(),
            _files: files,
        };
        let end = Instant::now() + DEADLINE;
        while emulated.get("").is_none() {
            assert!(Instant::now() < end, "the emulator does not answer");
            std::thread::sleep(Duration::from_millis(200));
        }
        emulated
    }

    /// What it says at the path below its root.
    fn get(&self, path: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/redfish/v1/{path}", self.port);
        let output = Command::new("curl")
            .args(["-sf", "-m", "60", &url])
            .output();
        serde_json::from_slice(&output.unwrap().stdout).ok()
    }

    /// What it says of its machine.
    fn system(&self) -> Value {
        let systems = self.get("Systems").unwrap();
        let path = systems["Members"][0]["@odata.id"].as_str().unwrap();
        let path = path.strip_prefix("/redfish/v1/").unwrap();
        self.get(path).unwrap()
    }

    fn ask(&self, operation: &ControlOperation) -> Outcome {
        let info = json!({"bmc_address": "127.0.0.1", "bmc_port": self.port, "bmc_tls": "plain",
            "bmc_username": "admin", "bmc_password": "password"});
        let mut node = Node::new("n1".parse().unwrap());
        node.declared.control_info = info.as_object().unwrap().clone();
        self.runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel::<(NodeName, Outcome)>(4);
            let lease = Lease::endless();
            let order = ControlOrder {
                operation,
                nodes: &[node],
                deadline: DEADLINE,
                lease: &lease,
                default_credentials: None,
                rejections: &Rejections::none(),
            };
            self.driver.run(order, sender).await;
            receiver.recv().await.unwrap().1
        })
    }

    fn done(&self, operation: &ControlOperation) {
        assert_eq!(self.ask(operation), Outcome::OK, "{}", operation.words());
    }

    fn refused(&self, operation: &ControlOperation) -> String {
        match self.ask(operation) {
            Outcome::Failed(sentence) => sentence,
            other => panic!("{}: {other:?}", operation.words()),
        }
    }

    fn report(&self, operation: &ControlOperation) -> Value {
        match self.ask(operation) {
            Outcome::Report(report) => serde_json::from_str(report.json()).unwrap(),
            other => panic!("{}: {other:?}", operation.words()),
        }
    }
}

#[test]
#[ignore = "real: programs"]
fn power_is_what_the_emulator_says() {
    let emulated = Emulated::by(&emulator());
    for (target, word, says) in [
        (PowerTarget::On, "on", "On"),
        (PowerTarget::Off, "off", "Off"),
        (PowerTarget::Boot, "on", "On"),
    ] {
        emulated.done(&ControlOperation::Power(target));
        assert_eq!(emulated.system()["PowerState"], says);
        let told = emulated.ask(&ControlOperation::PowerStatus);
        assert_eq!(told, Outcome::Done(word));
    }
}

#[test]
#[ignore = "real: programs"]
fn all_else_is_what_the_emulator_says() {
    let emulated = Emulated::by(&emulator());
    for (device, says) in [
        (BootDevice::Net, "Pxe"),
        (BootDevice::Disk, "Hdd"),
        (BootDevice::Cdrom, "Cd"),
    ] {
        let order = BootOrder::once(device);
        emulated.done(&ControlOperation::SetBootDevice(order));
        let boot = &emulated.system()["Boot"];
        assert_eq!(boot["BootSourceOverrideTarget"], says);
        let told = emulated.ask(&ControlOperation::BootDeviceStatus);
        assert_eq!(told, Outcome::Done(device.as_str()));
    }
    let setup = ControlOperation::SetBootDevice(BootOrder::once(BootDevice::Setup));
    let told = emulated.refused(&setup);
    assert!(
        told.contains("the BMC can boot from Pxe, Cd, Hdd, UefiHttp, not from"),
        "{told}"
    );
    for (on, says) in [(true, "Lit"), (false, "Off")] {
        emulated.done(&ControlOperation::Beacon(on));
        let led = &emulated.system()["IndicatorLED"];
        assert!(on == (led != "Off"), "{led} is not {says}");
    }
    let told = emulated.report(&ControlOperation::Inventory);
    let system = emulated.system();
    assert_eq!(told["manufacturer"], system["Manufacturer"], "{told:#}");
    assert_eq!(told["uuid"], system["UUID"]);
    assert_eq!(told["secure_boot"]["enabled"], false, "{told:#}");
    let notes = told["notes"].as_array().unwrap();
    let is_storage = |note: &&Value| note.as_str().unwrap().contains("/Storage");
    assert!(notes.iter().any(|note| is_storage(&note)), "{notes:?}");
    let told = emulated.refused(&ControlOperation::Bios);
    assert!(
        told.contains("the BMC does not report BIOS attributes"),
        "{told}"
    );
    media(&emulated);
}

fn media(emulated: &Emulated) {
    let url = image();
    let slots = |emulated: &Emulated| emulated.report(&ControlOperation::Media)["slots"].clone();
    assert!(slots(emulated).as_array().unwrap().len() >= 2);
    let image = MediaImage { url, boot: true };
    emulated.done(&ControlOperation::InsertMedia(image));
    let inserted = |slots: Value| {
        let slots = slots.as_array().unwrap().clone();
        slots.iter().filter(|slot| slot["inserted"] == true).count()
    };
    assert_eq!(inserted(slots(emulated)), 1);
    let boot = &emulated.system()["Boot"];
    assert_eq!(boot["BootSourceOverrideTarget"], "Cd");
    emulated.done(&ControlOperation::EjectMedia);
    assert_eq!(inserted(slots(emulated)), 0);
}

/// Where there is an image: the emulator fetches it. Served once, by a thread that then ends.
fn image() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let Ok((mut asked, _)) = listener.accept() else {
            return;
        };
        let _ = asked.read(&mut [0; 4096]);
        let _ = asked.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\n\0\0\0\0",
        );
    });
    format!("http://127.0.0.1:{port}/image.iso")
}
