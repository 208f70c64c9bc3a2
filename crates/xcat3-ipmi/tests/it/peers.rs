//! The console side against BMCs of other implementations: `ipmi_sim` of OpenIPMI (package openipmi), and that of
//! pyghmi (package python3-pyghmi), on which VirtualBMC is built. Both have cipher suite 3 only.

use std::fs::Permissions;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command as Program};
use xcat3_ipmi::{
    CipherSuite, Command, Connection, Credentials, Error, Privilege, RetryPolicy, SessionEnd,
    Sockets, Status,
};

use crate::line::{STATUS, credentials, secret};
use crate::programs;

const CONTROL: Command = Command::new(0x00, 0x02);
const DEVICE_ID: Command = Command::new(0x06, 0x01);

/// How often a starting BMC is asked for its capabilities before the test fails.
const STARTUP_ATTEMPTS: u32 = 600;

/// A BMC of another implementation. It runs until this is dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    sockets: Sockets,
    program: Child,
    _directory: TempDir,
}

impl Peer {
    /// Starts a BMC on a free port and waits until it responds.
    async fn start(package: &str, command: impl Fn(u16, &TempDir) -> Program) -> Self {
        let directory = TempDir::new().unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = command(address.port(), &directory);
        let program = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let program = program.unwrap_or_else(|error| {
            let name = command.as_std().get_program().to_string_lossy();
            programs::missing(&name, package, &error)
        });
        let mut peer = Self {
            address,
            sockets: Sockets::new(),
            program,
            _directory: directory,
        };
        peer.wait_until_ready(package).await;
        peer
    }

    async fn wait_until_ready(&mut self, package: &str) {
        let retry = RetryPolicy {
            first_timeout: Duration::from_millis(100),
            attempts: 1,
        };
        for _ in 0..STARTUP_ATTEMPTS {
            if self.sockets.capabilities(self.address, retry).await.is_ok() {
                return;
            }
            if let Some(status) = self.program.try_wait().unwrap() {
                panic!("the BMC of package {package} ended: {status}");
            }
        }
        panic!("the BMC of package {package} does not respond");
    }

    /// `ipmi_sim` with more lines in the files of its machine and its LAN. The program `chassis.sh` is there for
    /// a line `chassis_control`.
    pub(crate) async fn ipmi_sim(machine_lines: &str, lan_lines: &str) -> Self {
        Self::start("openipmi", |port, directory| {
            let path = directory.path();
            let lan = format!(
                "name \"bmc\"\nset_working_mc 0x20\nstartlan 1\naddr 127.0.0.1 {port}\n\
                 priv_limit admin\nguid a123456789abcdefa123456789abcdef\nendlan\n{lan_lines}\
                 user 2 true \"admin\" \"secret\" admin 10 none\n\
                 user 3 true \"reader\" \"reading\" user 10 none\n"
            );
            let machine = format!(
                "mc_setbmc 0x20\n\
                 mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n\
                 sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n{machine_lines}"
            );
            let chassis = path.join("chassis.sh");
            std::fs::write(&chassis, include_str!("chassis.sh")).unwrap();
            std::fs::set_permissions(&chassis, Permissions::from_mode(0o755)).unwrap();
            std::fs::write(path.join("lan"), lan).unwrap();
            std::fs::write(path.join("machine"), machine).unwrap();
            let mut program = Program::new("ipmi_sim");
            program.current_dir(path);
            program.args(["-c", "lan", "-f", "machine", "-s", ".", "-n"]);
            program
        })
        .await
    }

    async fn pyghmi() -> Self {
        Self::start("python3-pyghmi", |port, _| {
            // Debian's Python, which has Debian's pyghmi, whatever is first in the path.
            let mut program = Program::new("/usr/bin/python3");
            program.args(["-c", include_str!("pyghmi_bmc.py")]);
            program.arg(port.to_string());
            program
        })
        .await
    }

    pub(crate) async fn connect(&self, credentials: Credentials) -> Result<Connection, Error> {
        let suites = &CipherSuite::ALL;
        self.sockets
            .connect(self.address, credentials, suites, RetryPolicy::default())
            .await
    }

    /// Why a login fails.
    async fn refusal(&self, credentials: Credentials) -> SessionEnd {
        match self.connect(credentials).await {
            Err(Error::Ended(reason)) => reason,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("the login succeeded"),
        }
    }

    /// Runs ipmitool against the BMC and returns its output.
    pub(crate) async fn ipmitool(&self, arguments: &[&str]) -> String {
        let port = self.address.port().to_string();
        let login = [
            "-I",
            "lanplus",
            "-H",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "admin",
            "-P",
            "secret",
            "-C",
            "3",
            "-N",
            "5",
        ];
        let arguments = [&login[..], arguments].concat();
        let output = programs::run("ipmitool", "ipmitool", &arguments).await;
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn user(name: &str, password: &str, privilege: Privilege) -> Credentials {
    Credentials {
        user: name.as_bytes().to_vec(),
        password: secret(password),
        privilege,
        ..credentials()
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmi_sim_sessions_closed_free_their_slots() {
    let peer = Peer::ipmi_sim("", "").await;
    // More sessions than ipmi_sim has slots.
    for _ in 0..100 {
        let mut connection = peer.connect(credentials()).await.unwrap();
        assert_eq!(connection.suite(), CipherSuite::Sha1);
        let id = connection.request(DEVICE_ID, &[]).await.unwrap();
        assert_eq!(id[6..9], [0x91, 0x12, 0x00], "manufacturer in {id:02x?}");
        connection.keep_alive().await.unwrap();
        connection.close().await;
    }
    let retry = RetryPolicy::default();
    let capabilities = peer.sockets.capabilities(peer.address, retry).await;
    let capabilities = capabilities.unwrap();
    assert!(capabilities.version_2 && capabilities.named_users);
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmi_sim_login_with_wrong_credentials_is_refused() {
    let peer = Peer::ipmi_sim("", "").await;
    let administrator = Privilege::Administrator;
    let wrong = user("admin", "Secret", administrator);
    assert_eq!(peer.refusal(wrong).await, SessionEnd::WrongPassword);
    let unknown = user("nobody", "secret", administrator);
    let refused = SessionEnd::Refused(Status::UNKNOWN_USER);
    assert_eq!(peer.refusal(unknown).await, refused);
    // ipmi_sim grants every level to every user, so it refuses no level.
    let reader = peer
        .connect(user("reader", "reading", Privilege::User))
        .await;
    let mut reader = reader.unwrap();
    reader.request(DEVICE_ID, &[]).await.unwrap();
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmi_sim_killed_loses_the_session() {
    let mut peer = Peer::ipmi_sim("", "").await;
    let mut connection = peer.connect(credentials()).await.unwrap();
    peer.program.kill().await.unwrap();
    let lost = connection.request(DEVICE_ID, &[]).await.unwrap_err();
    assert!(matches!(lost, Error::Ended(SessionEnd::Lost)), "{lost}");
    let silent = peer.refusal(credentials()).await;
    assert_eq!(silent, SessionEnd::Silent);
}

#[tokio::test]
#[ignore = "real: programs"]
async fn pyghmi_power_set_is_reported_by_ipmitool() {
    let peer = Peer::pyghmi().await;
    for (control, on) in [(1, true), (0, false), (1, true)] {
        let mut connection = peer.connect(credentials()).await.unwrap();
        assert_eq!(connection.suite(), CipherSuite::Sha1);
        connection.request(CONTROL, &[control]).await.unwrap();
        let status = connection.request(STATUS, &[]).await.unwrap();
        assert_eq!(status[0] & 1 == 1, on);
        connection.close().await;
        let power = if on { "on" } else { "off" };
        let reported = peer.ipmitool(&["chassis", "power", "status"]).await;
        assert_eq!(reported, format!("Chassis Power is {power}"));
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn pyghmi_login_with_wrong_credentials_is_refused_or_ignored() {
    let peer = Peer::pyghmi().await;
    let wrong = user("admin", "Secret", Privilege::Administrator);
    assert_eq!(peer.refusal(wrong).await, SessionEnd::WrongPassword);
    // pyghmi is silent to an unknown user.
    let unknown = user("nobody", "secret", Privilege::Administrator);
    assert_eq!(peer.refusal(unknown).await, SessionEnd::Stalled);
}
