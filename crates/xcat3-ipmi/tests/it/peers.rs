//! The console side against other people's BMCs: `ipmi_sim` of OpenIPMI (package openipmi) and pyghmi's
//! (package python3-pyghmi), of which VirtualBMC is made. Both offer cipher suite 3 only.

use std::fs::Permissions;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command as Program};
use xcat3_ipmi::{
    CipherSuite, Command, Connection, Credentials, Error, Privilege, RetryPolicy, SessionEnd,
    Sockets, Status,
};

use crate::line::{STATUS, credentials, secret};

const CONTROL: Command = Command::new(0x00, 0x02);
const DEVICE_ID: Command = Command::new(0x06, 0x01);

/// Another implementation's BMC, until it is dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    sockets: Sockets,
    program: Child,
    _directory: TempDir,
}

impl Peer {
    /// Starts one by what `command` makes of a port and a directory, and waits until it answers.
    async fn start(command: impl Fn(u16, &TempDir) -> Program) -> Self {
        let directory = TempDir::new().unwrap();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let program = command(address.port(), &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("packages openipmi and python3-pyghmi");
        let sockets = Sockets::new();
        let limit = Instant::now() + Duration::from_secs(60);
        while let Err(error) = sockets.capabilities(address, RetryPolicy::default()).await {
            assert!(Instant::now() < limit, "{error}");
        }
        Self {
            address,
            sockets,
            program,
            _directory: directory,
        }
    }

    async fn simulator() -> Self {
        Self::simulated("", "").await
    }

    /// `ipmi_sim` with more lines in the files of its machine and its LAN. There is `chassis.sh`, a
    /// program for its line `chassis_control`.
    pub(crate) async fn simulated(machine_lines: &str, lan_lines: &str) -> Self {
        Self::start(|port, directory| {
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
        Self::start(|port, _| {
            // Debian's, whatever else is in the path: it has Debian's pyghmi.
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

    async fn refusal(&self, credentials: Credentials) -> SessionEnd {
        match self.connect(credentials).await {
            Err(Error::Ended(over)) => over,
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it was let in"),
        }
    }

    /// What ipmitool says.
    pub(crate) async fn ipmitool(&self, arguments: &[&str]) -> String {
        let port = self.address.port().to_string();
        let output = Program::new("ipmitool")
            .args(["-I", "lanplus", "-H", "127.0.0.1", "-p", &port])
            .args(["-U", "admin", "-P", "secret", "-C", "3", "-N", "5"])
            .args(arguments)
            .output()
            .await
            .expect("package ipmitool");
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
async fn ipmi_sim_is_asked_with_the_suite_that_it_has() {
    let peer = Peer::simulator().await;
    // More than it has slots: each is given back.
    for _ in 0..100 {
        let mut connection = peer.connect(credentials()).await.unwrap();
        assert_eq!(connection.suite(), CipherSuite::Sha1);
        let id = connection.request(DEVICE_ID, &[]).await.unwrap();
        assert_eq!(id[6..9], [0x91, 0x12, 0x00], "the manufacturer: {id:02x?}");
        connection.keep_alive().await.unwrap();
        connection.close().await;
    }
    let capabilities = peer
        .sockets
        .capabilities(peer.address, RetryPolicy::default())
        .await;
    let capabilities = capabilities.unwrap();
    assert!(capabilities.version_2 && capabilities.named_users);
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmi_sim_refuses_for_a_reason_that_is_told() {
    let peer = Peer::simulator().await;
    let administrator = Privilege::Administrator;
    let wrong = user("admin", "Secret", administrator);
    assert_eq!(peer.refusal(wrong).await, SessionEnd::WrongPassword);
    let stranger = user("nobody", "secret", administrator);
    let unknown = SessionEnd::Refused(Status::UNKNOWN_USER);
    assert_eq!(peer.refusal(stranger).await, unknown);
    // It grants every level to every user, so that no refusal of a level can be seen here.
    let modest = peer
        .connect(user("reader", "reading", Privilege::User))
        .await;
    let mut modest = modest.unwrap();
    modest.request(DEVICE_ID, &[]).await.unwrap();
}

#[tokio::test]
#[ignore = "real: programs"]
async fn a_session_is_lost_when_the_bmc_ends() {
    let mut peer = Peer::simulator().await;
    let mut connection = peer.connect(credentials()).await.unwrap();
    peer.program.kill().await.unwrap();
    let lost = connection.request(DEVICE_ID, &[]).await.unwrap_err();
    assert!(matches!(lost, Error::Ended(SessionEnd::Lost)), "{lost}");
    let gone = peer.refusal(credentials()).await;
    assert_eq!(gone, SessionEnd::Silent);
}

#[tokio::test]
#[ignore = "real: programs"]
async fn pyghmi_does_what_it_is_told() {
    let peer = Peer::pyghmi().await;
    for (control, on) in [(1, true), (0, false), (1, true)] {
        let mut connection = peer.connect(credentials()).await.unwrap();
        assert_eq!(connection.suite(), CipherSuite::Sha1, "it has no other");
        connection.request(CONTROL, &[control]).await.unwrap();
        let status = connection.request(STATUS, &[]).await.unwrap();
        assert_eq!(status[0] & 1 == 1, on);
        connection.close().await;
        let words = if on { "on" } else { "off" };
        let told = peer.ipmitool(&["chassis", "power", "status"]).await;
        assert_eq!(told, format!("Chassis Power is {words}"));
    }
    let wrong = user("admin", "Secret", Privilege::Administrator);
    assert_eq!(peer.refusal(wrong).await, SessionEnd::WrongPassword);
    // It says nothing to users that it does not know.
    let stranger = user("nobody", "secret", Privilege::Administrator);
    assert_eq!(peer.refusal(stranger).await, SessionEnd::Stalled);
}
