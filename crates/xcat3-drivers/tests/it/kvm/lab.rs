//! A hypervisor for the tests of this file's siblings: real libvirt, real ssh servers, real QEMU.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The one hypervisor that all tests share; they use domains of their own on it.
pub static LAB: LazyLock<Lab> = LazyLock::new(Lab::start);

/// A hypervisor, in namespaces of its own.
pub struct Lab {
    folder: PathBuf,
    /// root may log in here and finds libvirt and virsh.
    pub port: u16,
    /// The same on a server that allows one command at a time and whose log is for one test only.
    pub counted_port: u16,
    /// Here virsh is not in the PATH.
    pub port_without_virsh: u16,
    /// Here no libvirtd runs.
    pub port_without_libvirtd: u16,
    /// Here passwords are asked for interactively.
    pub asking_port: u16,
    shell: Mutex<Shell>,
}

/// The shell in the namespaces.
struct Shell {
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Lab {
    fn start() -> Self {
        check_programs();
        let folder = tempfile::Builder::new()
            .prefix("kvm-lab-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a folder for the lab")
            .keep();
        make_keys(&folder);
        let ports = free_ports();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kvm/hypervisor.sh");
        let mut child = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "sh",
                script,
            ])
            .arg(&folder)
            .args(ports.map(|port| port.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let mut shell = Shell {
            input: child.stdin.take().expect("a pipe"),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            _child: child,
        };
        let said = shell.until("ready");
        assert!(
            said.is_some(),
            "the test hypervisor did not start (it takes root): see above"
        );
        let [
            port,
            counted_port,
            port_without_virsh,
            port_without_libvirtd,
            asking_port,
        ] = ports;
        let shell = Mutex::new(shell);
        Self {
            folder,
            port,
            counted_port,
            port_without_virsh,
            port_without_libvirtd,
            asking_port,
            shell,
        }
    }

    /// A file of the lab: keys and logs.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs `command` on the hypervisor, not by ssh, and returns what it printed.
    pub fn run(&self, command: &str) -> String {
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(shell.input, "{command}").expect("the lab's shell listens");
        shell.until("done ").expect("the lab's shell answers")
    }

    /// Runs virsh on the hypervisor, not by ssh.
    pub fn virsh(&self, arguments: &str) -> String {
        self.run(&format!("virsh -c qemu:///system {arguments}"))
            .trim()
            .to_owned()
    }

    /// Defines a domain that boots as `os` says and has `devices` besides its nics with `macs`.
    pub fn define(&self, name: &str, os: &str, devices: &str, macs: &[&str]) {
        let nics: String = macs.iter().map(|mac| nic(mac, "")).collect();
        self.define_with_nics(name, os, &format!("{devices}{nics}"));
    }

    /// Defines a domain of which `devices` are all devices.
    pub fn define_with_nics(&self, name: &str, os: &str, devices: &str) {
        let xml = format!(
            "<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>\
             <os><type arch='x86_64' machine='pc'>hvm</type>{os}</os>\
             <cpu mode='custom' match='exact'><model>qemu64</model>\
             <feature policy='disable' name='cx16'/></cpu><devices>{devices}</devices></domain>"
        );
        let path = self.file(&format!("{name}.xml"));
        std::fs::write(&path, xml).expect("the lab's folder is writable");
        let said = self.virsh(&format!("define {}", path.display()));
        assert!(said.contains("defined"), "{said}");
    }
}

/// A nic with an address, which plugs in nowhere.
pub fn nic(mac: &str, inner: &str) -> String {
    format!(
        "<interface type='user'><mac address='{mac}'/><model type='virtio'/>{inner}</interface>"
    )
}

impl Shell {
    /// What is printed before a line that begins with `end`; none if that never comes.
    fn until(&mut self, end: &str) -> Option<String> {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).ok()? == 0 {
                eprintln!("{said}");
                return None;
            }
            if line.starts_with(end) {
                return Some(said);
            }
            said.push_str(&line);
        }
    }
}

fn check_programs() {
    let needed = [
        ("/usr/sbin/sshd", "openssh-server"),
        ("/usr/bin/ssh-keygen", "openssh-client"),
        ("/usr/bin/virsh", "libvirt-clients"),
        ("/usr/sbin/libvirtd", "libvirt-daemon-system"),
        (
            "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
            "libvirt-daemon-driver-qemu",
        ),
        ("/usr/bin/qemu-system-x86_64", "qemu-system-x86"),
    ];
    for (program, package) in needed {
        assert!(
            Path::new(program).exists(),
            "this test needs {program}: apt-get install --no-install-recommends {package}"
        );
    }
}

/// Host keys, and keys of users of several kinds; all but `stranger` may log in.
fn make_keys(folder: &Path) {
    let make = |name: &str, arguments: &[&str]| {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-C", name, "-f"])
            .arg(folder.join(name))
            .args(arguments)
            .status();
        assert!(made.expect("ssh-keygen runs").success());
    };
    make("host_ed25519", &["-t", "ed25519", "-N", ""]);
    make("host_ecdsa", &["-t", "ecdsa", "-N", ""]);
    make("user", &["-t", "ed25519", "-N", ""]);
    make(
        "user_rsa_pem",
        &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""],
    );
    make("user_ecdsa", &["-t", "ecdsa", "-N", ""]);
    make("user_encrypted", &["-t", "ed25519", "-N", "a passphrase"]);
    make(
        "user_encrypted_pem",
        &["-t", "rsa", "-m", "PEM", "-N", "a passphrase"],
    );
    make("stranger", &["-t", "ed25519", "-N", ""]);
    let allowed: String = ["user", "user_rsa_pem", "user_ecdsa", "user_encrypted"]
        .iter()
        .map(|name| std::fs::read_to_string(folder.join(format!("{name}.pub"))).expect("a key"))
        .collect();
    std::fs::write(folder.join("authorized_keys"), allowed).expect("a writable folder");
}

fn free_ports() -> [u16; 5] {
    let listeners: [TcpListener; 5] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}
