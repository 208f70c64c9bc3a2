//! `ipmi_sim` (package openipmi): a BMC by other people, with a chassis that is a script and keeps what it
//! was told in files; and `ipmitool`, which says what the BMC then says.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

/// Its user.
pub const USER: &str = "admin";
/// The user's password.
pub const PASSWORD: &str = "s3cret";
/// A user that may only look.
pub const LOOKER: &str = "looker";

/// The chassis of one machine: `get WHAT…` and `set WHAT VALUE…`.
const CHASSIS: &str = r#"#!/bin/sh
d=$(dirname "$0")
shift
op=$1
shift
[ "$op" = set ] && echo "$*" >> "$d/actions"
while [ $# -gt 0 ]; do
    case $op in
    get)
        case $1 in
        power) echo "power:$(cat "$d/power" 2>/dev/null || echo 0)" ;;
        boot) echo "boot:$(cat "$d/boot" 2>/dev/null || echo default)" ;;
        *) echo "$1:0" ;;
        esac
        shift
        ;;
    set)
        case $1 in
        power | boot) echo "$2" > "$d/$1" ;;
        esac
        shift 2
        ;;
    *) exit 0 ;;
    esac
done
"#;

/// A BMC, until it is dropped.
pub struct Sim {
    /// Its UDP port on 127.0.0.1.
    pub port: u16,
    folder: tempfile::TempDir,
    _process: Child,
}

impl Sim {
    /// One whose machine is off. `commands` are those of its emulator, beside the usual ones.
    pub async fn start(commands: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // Somebody else may take it meanwhile; then it does not start, and the test says so.
        let port = free_port();
        write(path, port, commands);
        let process = Command::new("ipmi_sim")
            .arg("-c")
            .arg(path.join("lan.conf"))
            .arg("-f")
            .arg(path.join("commands"))
            .arg("-s")
            .arg(path.join("state"))
            .arg("-n")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("package openipmi");
        let sim = Self {
            port,
            folder,
            _process: process,
        };
        let end = Instant::now() + Duration::from_secs(60);
        while sim.tool(&["mc", "info"]).await.is_err() {
            assert!(Instant::now() < end, "ipmi_sim does not answer");
        }
        sim
    }

    /// What ipmitool says.
    pub async fn tool(&self, arguments: &[&str]) -> Result<String, String> {
        let port = self.port.to_string();
        let output = Command::new("ipmitool")
            .args(["-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", &port])
            .args(["-U", USER, "-P", PASSWORD, "-N", "2", "-R", "4"])
            .args(arguments)
            .output()
            .await
            .expect("package ipmitool");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(text),
            false => Err(text + &String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// What the chassis was told to do, in turn.
    pub fn actions(&self) -> Vec<String> {
        let path = self.folder.path().join("actions");
        let lines = std::fs::read_to_string(path).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn write(folder: &Path, port: u16, commands: &str) {
    use std::os::unix::fs::PermissionsExt;

    let chassis = folder.join("chassis");
    std::fs::write(&chassis, CHASSIS).unwrap();
    std::fs::set_permissions(&chassis, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(folder.join("state")).unwrap();
    let chassis = chassis.display();
    let any = "none md2 md5 straight";
    let lan = format!(
        "name \"sim\"\nset_working_mc 0x20\nstartlan 1\n addr 127.0.0.1 {port}\n priv_limit admin\n \
         allowed_auths_callback {any}\n allowed_auths_user {any}\n allowed_auths_operator {any}\n \
         allowed_auths_admin {any}\n guid a123456789abcdefa123456789abcdef\nendlan\n\
         chassis_control \"{chassis} 0x20\"\nuser 1 true \"\" \"nobody\" user 10 {any}\n\
         user 2 true \"{USER}\" \"{PASSWORD}\" admin 10 {any}\n\
         user 3 true \"{LOOKER}\" \"{PASSWORD}\" user 10 {any}\n"
    );
    std::fs::write(folder.join("lan.conf"), lan).unwrap();
    let usual = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n\
                 sel_enable 0x20 1000 0x0a\n";
    let all = format!("{usual}{commands}mc_enable 0x20\n");
    std::fs::write(folder.join("commands"), all).unwrap();
}
