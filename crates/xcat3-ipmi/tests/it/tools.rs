//! The BMC side against other people's clients: ipmitool (package ipmitool) and ipmipower (package
//! freeipmi-tools).

use std::process::Output;

use tokio::process::Command;
use xcat3_ipmi::bmc::Setup;

use crate::line::{secret, setup};
use crate::server::Server;

/// A key of a BMC that is no text. Its first byte is not zero: ipmitool takes that for no key.
const KEY: [u8; 20] = [
    0x80, 0xff, 0x10, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xfe,
];

async fn ipmitool(server: &Server, arguments: &[&str]) -> Output {
    let port = server.address.port().to_string();
    Command::new("ipmitool")
        .args(["-I", "lanplus", "-H", "127.0.0.1", "-p", &port])
        .args(["-U", "admin", "-N", "5", "-R", "4"])
        .args(arguments)
        .output()
        .await
        .expect("package ipmitool")
}

async fn said(server: &Server, arguments: &[&str]) -> String {
    let output = ipmitool(server, arguments).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{errors}, after {:?}",
        server.bmc.lock().unwrap().handled
    );
    text
}

fn keyed() -> Setup {
    let mut setup = setup();
    setup.bmc_key = xcat3_ipmi::Secret::new(&KEY);
    setup
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_drives_it_with_both_suites() {
    let server = Server::start(setup()).await;
    for suite in ["3", "17"] {
        let with = ["-C", suite, "-P", "secret", "chassis", "power"];
        let off = said(&server, &[&with[..], &["off"]].concat()).await;
        assert_eq!(off.trim(), "Chassis Power Control: Down/Off");
        assert!(!server.bmc.lock().unwrap().on);
        let on = said(&server, &[&with[..], &["on"]].concat()).await;
        assert_eq!(on.trim(), "Chassis Power Control: Up/On");
        let status = said(&server, &[&with[..], &["status"]].concat()).await;
        assert_eq!(status.trim(), "Chassis Power is on");
    }
    assert!(
        server.bmc.lock().unwrap().sessions.is_empty(),
        "all were closed"
    );
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_picks_a_suite_by_itself() {
    let server = Server::start(setup()).await;
    let status = said(&server, &["-P", "secret", "power", "status"]).await;
    assert_eq!(status.trim(), "Chassis Power is off");
    let capabilities = said(&server, &["-P", "secret", "channel", "authcap", "14", "4"]).await;
    assert!(
        capabilities.contains("supports IPMI v2.0 : yes"),
        "{capabilities}"
    );
    let suites = said(&server, &["-P", "secret", "channel", "getciphers", "ipmi"]).await;
    let numbers = suites.lines().filter_map(|line| line.split(' ').next());
    let numbers: Vec<&str> = numbers.filter(|word| word.parse::<u8>().is_ok()).collect();
    assert_eq!(numbers, ["17", "3"], "{suites}");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_with_the_key_of_a_bmc() {
    let server = Server::start(keyed()).await;
    let key = hex::encode(KEY);
    for suite in ["3", "17"] {
        let with = ["-C", suite, "-P", "secret", "-y", &key, "power", "status"];
        assert_eq!(said(&server, &with).await.trim(), "Chassis Power is off");
    }
    let without = ipmitool(&server, &["-C", "17", "-P", "secret", "power", "status"]).await;
    assert!(!without.status.success());
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_is_told_why_it_is_not_let_in() {
    let server = Server::start(setup()).await;
    let cases: [(&[&str], &str); 2] = [
        (&["-P", "wrong"], "HMAC is invalid"),
        (&["-P", "secret", "-U", "nobody"], "unauthorized name"),
    ];
    for (credentials, why) in cases {
        let arguments = [&["-v", "-C", "17"], credentials, &["power", "status"]].concat();
        let output = ipmitool(&server, &arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && errors.contains(why), "{errors}");
    }
    let mut users = setup();
    users.users[0].level = 2;
    let server = Server::start(users).await;
    let modest = said(&server, &["-P", "secret", "-L", "USER", "power", "status"]).await;
    assert_eq!(modest.trim(), "Chassis Power is off");
    let bold = ipmitool(&server, &["-P", "secret", "power", "status"]).await;
    assert!(!bold.status.success());
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmipower_asks_it_with_both_suites() {
    let mut modest = setup();
    modest.users[0].password = secret("secret");
    let server = Server::start(modest).await;
    for suite in ["3", "17"] {
        let host = server.address.to_string();
        let output = Command::new("ipmipower")
            .args(["-h", &host, "-u", "admin", "-p", "secret"])
            .args(["-D", "LAN_2_0", "-I", suite, "--stat"])
            .output()
            .await
            .expect("package freeipmi-tools");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.trim().ends_with(": off"), "suite {suite}: {text}");
    }
}
