//! The BMC side against clients of other implementations: ipmitool (package ipmitool) and ipmipower (package
//! freeipmi-tools).

use std::process::Output;

use xcat3_ipmi::bmc::Setup;

use crate::line::{secret, setup};
use crate::programs;
use crate::server::Server;

/// A binary BMC key. Its first byte is not zero: ipmitool takes that for no key.
const KEY: [u8; 20] = [
    0x80, 0xff, 0x10, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xfe,
];

async fn ipmitool(server: &Server, arguments: &[&str]) -> Output {
    let port = server.address.port().to_string();
    let login = [
        "-I",
        "lanplus",
        "-H",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "admin",
        "-N",
        "5",
        "-R",
        "4",
    ];
    let arguments = [&login[..], arguments].concat();
    programs::run("ipmitool", "ipmitool", &arguments).await
}

/// The output of a successful run of ipmitool.
async fn output(server: &Server, arguments: &[&str]) -> String {
    let output = ipmitool(server, arguments).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{errors}, after {:?}",
        server.bmc.lock().unwrap().handled
    );
    text.trim().to_owned()
}

fn setup_with_key() -> Setup {
    let mut setup = setup();
    setup.bmc_key = xcat3_ipmi::Secret::new(&KEY);
    setup
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_with_either_suite_controls_power() {
    let server = Server::start(setup()).await;
    for suite in ["3", "17"] {
        let power = ["-C", suite, "-P", "secret", "chassis", "power"];
        let off = output(&server, &[&power[..], &["off"]].concat()).await;
        assert_eq!(off, "Chassis Power Control: Down/Off");
        assert!(!server.bmc.lock().unwrap().on);
        let on = output(&server, &[&power[..], &["on"]].concat()).await;
        assert_eq!(on, "Chassis Power Control: Up/On");
        let status = output(&server, &[&power[..], &["status"]].concat()).await;
        assert_eq!(status, "Chassis Power is on");
    }
    let bmc = server.bmc.lock().unwrap();
    assert!(bmc.sessions.is_empty(), "ipmitool closed all sessions");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_without_suite_option_finds_a_suite() {
    let server = Server::start(setup()).await;
    let status = output(&server, &["-P", "secret", "power", "status"]).await;
    assert_eq!(status, "Chassis Power is off");
    let capabilities = output(&server, &["-P", "secret", "channel", "authcap", "14", "4"]).await;
    assert!(
        capabilities.contains("supports IPMI v2.0 : yes"),
        "{capabilities}"
    );
    let suites = output(&server, &["-P", "secret", "channel", "getciphers", "ipmi"]).await;
    let numbers = suites.lines().filter_map(|line| line.split(' ').next());
    let numbers: Vec<&str> = numbers.filter(|word| word.parse::<u8>().is_ok()).collect();
    assert_eq!(numbers, ["17", "3"], "{suites}");
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_without_bmc_key_is_refused() {
    let server = Server::start(setup_with_key()).await;
    let key = hex::encode(KEY);
    for suite in ["3", "17"] {
        let with_key = ["-C", suite, "-P", "secret", "-y", &key, "power", "status"];
        assert_eq!(output(&server, &with_key).await, "Chassis Power is off");
    }
    let without = ipmitool(&server, &["-C", "17", "-P", "secret", "power", "status"]).await;
    assert!(!without.status.success());
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_with_wrong_credentials_is_refused_with_the_reason() {
    let server = Server::start(setup()).await;
    let cases: [(&[&str], &str); 2] = [
        (&["-P", "wrong"], "HMAC is invalid"),
        (&["-P", "secret", "-U", "nobody"], "unauthorized name"),
    ];
    for (credentials, reason) in cases {
        let arguments = [&["-v", "-C", "17"], credentials, &["power", "status"]].concat();
        let output = ipmitool(&server, &arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && errors.contains(reason),
            "{errors}"
        );
    }
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmitool_with_level_above_that_of_user_is_refused() {
    let mut users = setup();
    users.users[0].level = 2;
    let server = Server::start(users).await;
    let status = output(&server, &["-P", "secret", "-L", "USER", "power", "status"]).await;
    assert_eq!(status, "Chassis Power is off");
    let refused = ipmitool(&server, &["-P", "secret", "power", "status"]).await;
    assert!(!refused.status.success());
}

#[tokio::test]
#[ignore = "real: programs"]
async fn ipmipower_with_either_suite_reads_power() {
    let mut users = setup();
    users.users[0].password = secret("secret");
    let server = Server::start(users).await;
    for suite in ["3", "17"] {
        let host = server.address.to_string();
        let arguments = [
            "-h", &host, "-u", "admin", "-p", "secret", "-D", "LAN_2_0", "-I", suite, "--stat",
        ];
        let output = programs::run("ipmipower", "freeipmi-tools", &arguments).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.trim().ends_with(": off"), "suite {suite}: {text}");
    }
}
