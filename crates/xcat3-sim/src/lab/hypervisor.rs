//! The hypervisor's side: sshd and libvirt of their own, in the lab's namespaces.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::process::Process;
use super::segment::HYPERVISOR;
use crate::command::{command, finished, run};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// Guests run as root: only the lab's own root uses this libvirt. It must not look for cgroups,
/// security modules or device namespaces of the machine.
const QEMU_CONF: &str = "user = \"root\"\ngroup = \"root\"\ndynamic_ownership = 0\n\
    remember_owner = 0\nsecurity_driver = \"none\"\nnamespaces = []\ncgroup_controllers = []\n";
const LIBVIRTD_CONF: &str = "auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\n";

/// A running hypervisor.
pub struct Hypervisor {
    directory: PathBuf,
    _daemons: Vec<Process>,
}

impl Hypervisor {
    /// Starts sshd, virtlogd and libvirtd.
    pub fn start(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        configure_libvirt()?;
        let log = |name: &str| directory.join(format!("{name}.log"));
        let sshd = start_sshd(directory, &log("sshd"))?;
        let virtlogd = Process::start(&mut command("virtlogd"), &log("virtlogd"))?;
        let mut libvirtd = Process::start(&mut command("libvirtd"), &log("libvirtd"))?;
        let answers = || {
            finished(command("virsh").args(["--quiet", "list"])).is_ok_and(|it| it.status.success())
        };
        libvirtd.wait_until(READY_WITHIN, answers)?;
        Ok(Self {
            directory: directory.to_owned(),
            _daemons: vec![libvirtd, virtlogd, sshd],
        })
    }

    /// The private key that may log in as root.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.directory.join("login_key")
    }
}

fn configure_libvirt() -> Result<()> {
    fs::create_dir_all("/var/lib/libvirt/qemu")?;
    fs::write("/etc/libvirt/qemu.conf", QEMU_CONF)?;
    fs::write("/etc/libvirt/libvirtd.conf", LIBVIRTD_CONF)?;
    fs::write("/etc/libvirt/virtlogd.conf", "")?;
    Ok(())
}

fn start_sshd(directory: &Path, log: &Path) -> Result<Process> {
    let (host_key, login_key) = (directory.join("host_key"), directory.join("login_key"));
    make_key(&host_key, "lab hypervisor")?;
    make_key(&login_key, "xcat3 to the lab's hypervisor")?;
    let configuration = format!(
        "ListenAddress {HYPERVISOR}:22\nHostKey {host}\nAuthorizedKeysFile {login}.pub\nPidFile none\n\
         PermitRootLogin prohibit-password\nStrictModes no\nUsePAM no\nMaxStartups 100\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        host = host_key.display(),
        login = login_key.display(),
    );
    let file = directory.join("sshd_config");
    fs::write(&file, configuration)?;
    // sshd wants to be called by its whole path.
    let mut sshd = Process::start(
        command("/usr/sbin/sshd").args(["-D", "-e", "-f"]).arg(file),
        log,
    )?;
    sshd.wait_until(READY_WITHIN, || {
        TcpStream::connect((HYPERVISOR, 22)).is_ok()
    })?;
    Ok(sshd)
}

/// Makes an ssh key pair without a passphrase.
pub fn make_key(file: &Path, comment: &str) -> Result<()> {
    let mut make = command("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"])
        .arg(file);
    run(&mut make).context("making an ssh key")
}
