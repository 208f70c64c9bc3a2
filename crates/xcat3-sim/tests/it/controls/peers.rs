//! One machine behind each kind of BMC or hypervisor, by us and by others, with the node that stands for
//! it and a witness.

use std::cell::RefCell;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::ipmi_sim::{self, Sim};
use super::witness::{Witness, curl, virsh};
use crate::redfish::sushy::{self, Sushy};
use crate::site::{Program, Site};

/// The hypervisor of the lab.
const HYPERVISOR: &str = "10.77.0.2";
/// The user and password of every BMC but `ipmi_sim`.
const LOGIN: [&str; 2] = ["admin", "password"];
/// The file of those who certify our own simulated BMCs.
const AUTHORITIES: &str = "authorities.pem";
/// What only a BMC has.
const NO_BMC: &[&str] = &["beacon", "inventory", "sensors", "eventlog"];
const DEADLINE: Duration = Duration::from_secs(60);

/// A machine, and what its controls can.
pub struct Peer {
    /// The name of its node.
    pub name: &'static str,
    /// Who says what became of it.
    pub witness: Witness,
    /// It takes the firmware's set-up as a boot device.
    pub has_setup: bool,
    /// It tells a boot device as one that counts: `ipmi_sim` says of each that it does not ("boot flags
    /// invalid").
    pub tells_boot: bool,
    /// The commands for which it has nothing.
    pub lacks: &'static [&'static str],
}

/// All of them at work, and the site that drives them.
pub struct Peers {
    /// The site.
    pub site: Site,
    /// Each.
    pub all: Vec<Peer>,
    _programs: Vec<Program>,
    _ipmi_sim: Sim,
    _runtime: Runtime,
}

/// Those that are being collected.
struct Collected {
    site: Site,
    nodes: Vec<Value>,
    all: Vec<Peer>,
    programs: Vec<Program>,
}

/// Starts all of them inside the lab. `login_key` opens its hypervisor, `programs` is where those are
/// that PyPI has.
pub fn start(login_key: &Path, programs: &Path) -> Peers {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = Value::from(directory.path().join(AUTHORITIES).display().to_string());
    let journal = Value::from(directory.path().join("journal").display().to_string());
    let config =
        format!("[control.redfish]\nca_file = {ca_file}\n[control.fake]\njournal = {journal}\n");
    let mut collected = Collected {
        site: Site::start_in(directory, &config),
        nodes: Vec::new(),
        all: Vec::new(),
        programs: Vec::new(),
    };
    collected.fake();
    collected.simulated();
    let runtime = Runtime::new().unwrap();
    let ipmi_sim = runtime.block_on(Sim::start(""));
    collected.ipmi_sim(&ipmi_sim);
    collected.domains(login_key);
    collected.virtualbmc(programs);
    collected.emulators(programs);
    collected.site.enrol(&collected.nodes);
    Peers {
        site: collected.site,
        all: collected.all,
        _programs: collected.programs,
        _ipmi_sim: ipmi_sim,
        _runtime: runtime,
    }
}

impl Collected {
    fn add(
        &mut self,
        name: &'static str,
        mgt: &str,
        control: &Value,
        witness: Witness,
    ) -> &mut Peer {
        self.nodes
            .push(json!({"name": name, "mgt": mgt, "control_info": control}));
        self.all.push(Peer {
            name,
            witness,
            has_setup: false,
            tells_boot: true,
            lacks: &[],
        });
        self.all.last_mut().unwrap()
    }

    fn fake(&mut self) {
        let journal = self.site.directory().join("journal");
        let witness = Witness::Journal(journal, "fake");
        let peer = self.add("fake", "fake", &json!({}), witness);
        (peer.has_setup, peer.lacks) = (true, NO_BMC);
    }

    /// Our own simulator, in each of the protocols.
    fn simulated(&mut self) {
        let ipmi = ["--mgt", "ipmi", "--ipmi-port", "0"];
        let node = self
            .site
            .simulate("own-ipmi", "127.82.0.1", 1, &ipmi)
            .remove(0);
        let to = ipmitool_to(&node["control_info"], 17);
        self.add(
            "own-ipmi",
            "ipmi",
            &node["control_info"],
            Witness::Ipmitool(to),
        )
        .has_setup = true;

        let python = sushy::python();
        let mut authorities = String::new();
        for (place, name, mgt, interfaces) in [
            (1, "own-redfish", "redfish", "redfish"),
            (2, "own-openbmc", "openbmc", "both"),
            (3, "own-openbmc-rest", "openbmc", "openbmc-rest"),
        ] {
            let base = format!("127.82.{place}.1");
            let ca = self.site.directory().join(format!("{name}.pem"));
            let ca_file = ca.display().to_string();
            let serving = ["--redfish-port", "0", "--redfish-ca", &ca_file];
            let more = ["--mgt", mgt, "--redfish-interfaces", interfaces];
            let arguments = [serving, more].concat();
            let node = self.site.simulate(name, &base, 1, &arguments).remove(0);
            let info = &node["control_info"];
            let url = format!("https://{base}:{}", info["bmc_port"]);
            authorities += &fs::read_to_string(ca).unwrap();
            let witness = match interfaces {
                "openbmc-rest" => Witness::Openbmc(url, ca_file),
                _ => Witness::Sushy(RefCell::new(Sushy::to(&python, &url, &ca_file))),
            };
            self.add(name, mgt, info, witness).has_setup = true;
        }
        fs::write(self.site.directory().join(AUTHORITIES), authorities).unwrap();
    }

    fn ipmi_sim(&mut self, sim: &Sim) {
        let info = json!({"bmc_address": "127.0.0.1", "bmc_port": sim.port,
            "bmc_username": ipmi_sim::USER, "bmc_password": ipmi_sim::PASSWORD});
        let to = ipmitool_to(&info, 3);
        let peer = self.add("ipmi-sim", "ipmi", &info, Witness::Ipmitool(to));
        (peer.has_setup, peer.tells_boot) = (true, false);
    }

    /// The domain of each whose machine is libvirt's, and the one that is driven there.
    fn domains(&mut self, login_key: &Path) {
        for (number, name) in ["kvm", "virtualbmc", "emulated-libvirt"]
            .into_iter()
            .enumerate()
        {
            let disk = self.site.directory().join(format!("{name}.disk"));
            fs::write(&disk, [0; 4096]).unwrap();
            let xml = format!(
                "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
                 <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os><features><acpi/></features>\
                 <cpu mode='custom' match='exact'><model>qemu64</model>\
                 <feature policy='disable' name='cx16'/></cpu><devices>\
                 <disk type='file' device='disk'><source file='{disk}'/>\
                 <target dev='vda' bus='virtio'/></disk>\
                 <disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>\
                 <interface type='user'><mac address='52:54:00:82:00:0{number}'/>\
                 <model type='virtio'/></interface></devices></domain>",
                disk = disk.display()
            );
            let file = self.site.directory().join(format!("{name}.xml"));
            fs::write(&file, xml).unwrap();
            virsh(&["define", &file.display().to_string()]);
        }
        let info = json!({"ssh_address": HYPERVISOR, "ssh_virt_type": "virsh",
            "ssh_username": "root", "ssh_key_filename": login_key.display().to_string()});
        self.add("kvm", "kvm", &info, Witness::Domain("kvm")).lacks = NO_BMC;
        self.nodes.last_mut().unwrap()["nics_info"] = json!({"nics": [{
            "mac": "52:54:00:82:00:00", "name": "eth0", "primary": true}]});
    }

    /// OpenStack's VirtualBMC.
    fn virtualbmc(&mut self, programs: &Path) {
        let home = self.site.directory().join("virtualbmc");
        fs::create_dir(&home).unwrap();
        let program = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.env("HOME", &home).stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let daemon = program("vbmcd").arg("--foreground").spawn().unwrap();
        self.programs.push(Program(daemon));
        let port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let [user, password] = LOGIN;
        let port_word = port.to_string();
        let control = |words: &[&str]| {
            let all = program("vbmc").arg("--no-daemon").args(words).status();
            all.unwrap().success()
        };
        let address = ["--address", "127.0.0.1", "--port", &port_word];
        let login = ["--username", user, "--password", password];
        let domain = ["--libvirt-uri", "qemu:///system", "virtualbmc"];
        let add = [&["add"][..], &address, &login, &domain].concat();
        wait("VirtualBMC adds a machine", || control(&add));
        wait("VirtualBMC starts a BMC", || {
            control(&["start", "virtualbmc"])
        });
        let info = json!({"bmc_address": "127.0.0.1", "bmc_port": port,
            "bmc_username": user, "bmc_password": password});
        let witness = Witness::Domain("virtualbmc");
        // It takes a boot device that it does not know, and changes nothing.
        let peer = self.add("virtualbmc", "ipmi", &info, witness);
        (peer.has_setup, peer.lacks) = (true, &["beacon", "eventlog"]);
    }

    /// OpenStack's emulator of Redfish, over nothing and over libvirt.
    fn emulators(&mut self, programs: &Path) {
        for (name, word) in [
            ("emulated", "--fake"),
            ("emulated-libvirt", "--libvirt-uri"),
        ] {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let home = self.site.directory().join(name);
            fs::create_dir(&home).unwrap();
            let config = home.join("emulator.conf");
            let text = format!("SUSHY_EMULATOR_STATE_DIR = '{}'\n", home.display());
            fs::write(&config, text).unwrap();
            let mut emulator = Command::new(programs.join("sushy-emulator"));
            emulator.args(["--interface", "127.0.0.1", "--port", &port.to_string()]);
            emulator.arg("--config").arg(&config).arg(word);
            if name == "emulated-libvirt" {
                emulator.arg("qemu:///system");
            }
            emulator.stdin(Stdio::null()).stdout(Stdio::null());
            let log = fs::File::create(home.join("log")).unwrap();
            self.programs
                .push(Program(emulator.stderr(log).spawn().unwrap()));
            let root = format!("http://127.0.0.1:{port}");
            let systems = format!("{root}/redfish/v1/Systems");
            wait("the emulator answers", || answers(&systems));
            let mut info = json!({"bmc_address": "127.0.0.1", "bmc_port": port,
                "bmc_tls": "plain", "bmc_username": LOGIN[0], "bmc_password": LOGIN[1]});
            let witness = match name {
                "emulated" => {
                    let member = &curl(&systems, &[])["Members"][0]["@odata.id"];
                    Witness::Emulator(format!("{root}{}", member.as_str().unwrap()))
                }
                _ => {
                    // It shows every domain of the hypervisor.
                    info["bmc_system"] = json!(virsh(&["domuuid", name]));
                    Witness::Domain(name)
                }
            };
            self.add(name, "redfish", &info, witness).lacks = &["eventlog"];
        }
    }
}

/// The arguments by which ipmitool reaches the BMC.
fn ipmitool_to(info: &Value, suite: u8) -> Vec<String> {
    let of = |key: &str| info[key].to_string().trim_matches('"').to_owned();
    let (suite, port) = (suite.to_string(), of("bmc_port"));
    let words = [
        "-I",
        "lanplus",
        "-C",
        &suite,
        "-H",
        &of("bmc_address"),
        "-p",
        &port,
    ];
    let login = [
        "-U",
        &of("bmc_username"),
        "-P",
        &of("bmc_password"),
        "-N",
        "2",
        "-R",
        "4",
    ];
    let all = words.iter().chain(&login);
    all.map(ToString::to_string).collect()
}

fn answers(url: &str) -> bool {
    let asked = Command::new("curl")
        .args(["-sf", "-m", "20", "-o", "/dev/null", url])
        .status();
    asked.unwrap().success()
}

/// Waits until it is so.
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "not so within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The private key of the only lab below `cache`.
pub fn login_key(cache: &Path) -> PathBuf {
    let labs = fs::read_dir(cache.join("labs")).unwrap();
    let keys = labs.filter_map(|lab| Some(lab.ok()?.path().join("hypervisor/login_key")));
    let mut keys = keys.filter(|key| key.exists());
    keys.next().expect("a lab with a hypervisor")
}
