//! Serial over LAN: `ipmitool` and FreeIPMI's `ipmiconsole` on a terminal, and our own console through a
//! network that loses, doubles and reorders.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xcat3_ipmi::sol::{ActivationError, CloseReason, Console, ConsoleEvent};
use xcat3_ipmi::{CipherSuite, Connection, Credentials, Privilege, RetryPolicy, Secret, Sockets};
use xcat3_sim::bmc::ipmi::Options;

use super::Plant;
use crate::wait_until;

/// The longest that a tool takes to show something on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A tool that believes to be on a terminal, and what it has printed.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    printed: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn new(command: &str) -> Self {
        let mut child = Command::new("script")
            .args(["-qfec", command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(Vec::new()));
        let (mut out, all) = (child.stdout.take().unwrap(), Arc::clone(&printed));
        std::thread::spawn(move || {
            let mut part = [0; 1024];
            while let Ok(count @ 1..) = out.read(&mut part) {
                all.lock().unwrap().extend_from_slice(&part[..count]);
            }
        });
        Self {
            keys: child.stdin.take().unwrap(),
            child,
            printed,
        }
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().unwrap()).into_owned()
    }

    fn shows(&self, text: &str) {
        let until = Instant::now() + LIMIT;
        while !self.printed().contains(text) {
            let printed = self.printed();
            assert!(Instant::now() < until, "no '{text}' in: {printed}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    fn ends(mut self) -> String {
        wait_until("the tool ends", || self.child.try_wait().unwrap().is_some());
        self.printed()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ipmitool(plant: &Plant, suite: &str, words: &str) -> Terminal {
    let (address, port) = (plant.machines.address(1), plant.port());
    Terminal::new(&format!(
        "ipmitool -I lanplus -C {suite} -H {address} -p {port} -U admin -P password {words}"
    ))
}

fn banner(plant: &Plant) -> String {
    format!("{} echo console", plant.machines.machine(1).serial)
}

#[test]
#[ignore = "real: programs"]
fn ipmitool_has_a_console_that_echoes() {
    for (third, suite) in [(0, "3"), (1, "17")] {
        let plant = Plant::new(Ipv4Addr::new(127, 66, third, 0), 2, Options::default());
        let mut console = ipmitool(&plant, suite, "sol activate");
        console.shows(&banner(&plant));
        console.press(b"uname -a\r");
        console.shows("uname -a");
        console.press(b"~B");
        console.shows("[break]");

        let (content, text) = plant.ipmitool(1, &["-C", suite], &["sol", "activate"]);
        assert!(!content, "a second console: {text}");
        let says = "SOL payload already active on another session";
        assert!(text.contains(says), "{text}");

        console.press(b"\r~.");
        let printed = console.ends();
        assert_eq!(printed.matches("uname -a").count(), 1, "{printed}");
        assert!(printed.contains("terminated ipmitool"), "{printed}");
        let (content, text) = plant.ipmitool(1, &["-C", suite], &["sol", "deactivate"]);
        assert!(text.contains("already de-activated"), "{content} {text}");
    }
}

#[test]
#[ignore = "real: programs"]
fn a_console_is_ended_by_another_session_and_can_be_switched_off() {
    let plant = Plant::new(Ipv4Addr::new(127, 66, 2, 0), 2, Options::default());
    let mut console = ipmitool(&plant, "17", "sol activate");
    console.shows(&banner(&plant));
    let status = plant.tell(1, "17", &["raw", "6", "0x4a", "1"]);
    assert_eq!(status.trim(), "01 01 00");
    plant.tell(1, "17", &["sol", "deactivate"]);
    // It does not heed the BMC's word that it is over, only that nothing is taken any more.
    console.press(b"x");
    let printed = console.ends();
    assert!(printed.contains("SOL session closed by BMC"), "{printed}");

    plant.tell(1, "17", &["sol", "set", "enabled", "false", "1"]);
    let info = plant.tell(1, "17", &["sol", "info", "1"]);
    assert_eq!(super::line(&info, "Enabled"), "Enabled : false");
    let port = format!("Payload Port : {}", plant.port());
    assert_eq!(super::line(&info, "Payload Port"), port);
    let (content, text) = plant.ipmitool(1, &["-C", "17"], &["sol", "activate"]);
    assert!(!content && text.contains("disabled"), "{text}");
}

#[test]
#[ignore = "real: programs"]
fn ipmiconsole_has_a_console_and_takes_it_from_another() {
    // ipmiconsole knows no ports from 32768 on.
    let options = Options {
        port: 26_623,
        ..Options::default()
    };
    let plant = Plant::new(Ipv4Addr::new(127, 66, 3, 0), 2, options);
    let mut first = ipmitool(&plant, "3", "sol activate");
    first.shows(&banner(&plant));
    let host = format!("{}:{}", plant.machines.address(1), plant.port());
    let login = "-u admin -p password -l ADMIN";
    let mut second = Terminal::new(&format!("ipmiconsole -h {host} {login}"));
    second.shows(&banner(&plant));
    first.press(b"x");
    assert!(first.ends().contains("SOL session closed by BMC"));
    second.press(b"dmesg\r");
    second.shows("dmesg");
    second.press(b"&.");
    assert!(second.ends().contains("closing the connection"));
}

async fn connect(sockets: &Sockets, plant: &Plant) -> Connection {
    let credentials = Credentials {
        user: b"admin".to_vec(),
        password: Secret::new(b"password").unwrap(),
        bmc_key: None,
        privilege: Privilege::Administrator,
    };
    let retry = RetryPolicy {
        first_timeout: Duration::from_millis(200),
        attempts: 12,
    };
    let address = SocketAddr::from((plant.machines.address(1), plant.port()));
    let connection = sockets.connect(address, credentials, &CipherSuite::ALL, retry);
    connection.await.unwrap()
}

/// What the console shows, so many characters of it.
async fn read(console: &mut Console, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let received = tokio::time::timeout(Duration::from_secs(120), console.read());
        match received.await.expect("it comes in time").unwrap() {
            ConsoleEvent::Data(characters) => all.extend(characters),
            other => panic!("{other:?} after {} characters", all.len()),
        }
    }
    all
}

#[tokio::test]
async fn no_character_is_lost_or_doubled_by_a_bad_network() {
    let sockets = Sockets::new();
    for (third, faults) in [
        (4, "drop=8%"),
        (5, "duplicate=40%"),
        (6, "reorder=15%:30ms"),
        // Repetitions after half a second are overtaken too.
        (7, "drop=3%,duplicate=20%,reorder=3%:700ms"),
    ] {
        let options = Options {
            faults: faults.parse().unwrap(),
            ..Options::default()
        };
        let plant = Plant::new(Ipv4Addr::new(127, 66, third, 0), 2, options);
        let connection = connect(&sockets, &plant).await;
        let Ok(mut console) = Console::open(connection, false).await else {
            panic!("{faults}: no console")
        };
        let banner = format!("\r\nS1000 {}\r\n", banner(&plant));
        let shown = read(&mut console, banner.len()).await;
        assert_eq!(String::from_utf8_lossy(&shown), banner, "{faults}");
        let text: Vec<u8> = (0..400)
            .flat_map(|line| format!("{line};").into_bytes())
            .collect();
        assert_eq!(console.write(&text).await.unwrap(), text.len());
        let shown = read(&mut console, text.len()).await;
        assert_eq!(
            String::from_utf8_lossy(&shown),
            String::from_utf8_lossy(&text),
            "{faults}"
        );
        // What comes afterwards would be doubled.
        console.write(b"end").await.unwrap();
        assert_eq!(read(&mut console, 3).await, b"end", "{faults}");
        let more = tokio::time::timeout(Duration::from_millis(1500), console.read()).await;
        assert!(more.is_err(), "{faults}: {more:?}");
    }
}

#[tokio::test]
async fn a_console_is_one_sessions_and_ends_with_it() {
    let sockets = Sockets::new();
    let plant = Plant::new(Ipv4Addr::new(127, 66, 8, 0), 2, Options::default());
    let Ok(mut first) = Console::open(connect(&sockets, &plant).await, false).await else {
        panic!("no console")
    };
    let Err((second, why)) = Console::open(connect(&sockets, &plant).await, false).await else {
        panic!("two consoles")
    };
    assert!(matches!(why, ActivationError::InUse), "{why}");
    let Ok(second) = Console::open(second, true).await else {
        panic!("it is not taken")
    };
    loop {
        match first.read().await.unwrap() {
            ConsoleEvent::Closed(why) => {
                assert_eq!(why, CloseReason::Deactivated);
                break;
            }
            ConsoleEvent::Data(_) => {}
            other => panic!("{other:?}"),
        }
    }
    // Its session ends without a word about the console.
    drop(second);
    let third = connect(&sockets, &plant).await;
    plant.ipmi.as_ref().unwrap().forget_sessions(1);
    drop(third);
    let fourth = Console::open(connect(&sockets, &plant).await, false).await;
    assert!(
        fourth.is_ok(),
        "the console of a session that is gone is free"
    );
}
