//! `xcat3-sim bmc` with both faces: what one sets, the other shows.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::run;
use crate::site::Program;

#[test]
#[ignore = "real: programs"]
fn what_is_set_by_ipmi_is_seen_by_redfish() {
    let files = tempfile::tempdir().unwrap();
    let nodes = files.path().join("nodes");
    let program = Command::new(env!("CARGO_BIN_EXE_xcat3-sim"))
        .args(["bmc", "--count", "300", "--base", "127.69.0.1"])
        .args(["--mgt", "ipmi", "--ipmi-port", "0"])
        .args(["--redfish-port", "0", "--redfish-plain"])
        .args(["--user", "root", "--password", "calvin", "--nodes"])
        .arg(&nodes)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program(program);
    let mut ready = String::new();
    let mut out = BufReader::new(program.0.stdout.take().unwrap());
    out.read_line(&mut ready).unwrap();
    assert!(ready.starts_with("ready: 300 machines"), "{ready}");
    let redfish = ready.trim().rsplit(' ').next().unwrap();

    let nodes: Value = serde_json::from_slice(&std::fs::read(nodes).unwrap()).unwrap();
    let node = &nodes["nodes"][299];
    assert_eq!(node["mgt"], "ipmi");
    let info = &node["control_info"];
    let address = info["bmc_address"].as_str().unwrap();
    assert_eq!(address, "127.69.1.44");
    let port = info["bmc_port"].to_string();
    for words in [
        &["chassis", "power", "on"][..],
        &["chassis", "bootdev", "cdrom", "options=persistent,efiboot"],
        &["chassis", "identify", "force"],
    ] {
        let mut tool = Command::new("ipmitool");
        tool.args(["-I", "lanplus", "-C", "17", "-H", address, "-p", &port])
            .args(["-U", "root", "-P", "calvin"])
            .args(words);
        let (content, text) = run(&mut tool);
        assert!(content, "ipmitool {words:?}: {text}");
    }
    let url = format!("http://{address}:{redfish}/redfish/v1/Systems/1");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "60"])
        .args(["--user", "root:calvin", &url]);
    let (content, text) = run(&mut curl);
    assert!(content, "{text}");
    let system: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(system["PowerState"], "On");
    assert_eq!(system["Boot"]["BootSourceOverrideTarget"], "Cd");
    assert_eq!(system["Boot"]["BootSourceOverrideEnabled"], "Continuous");
    assert_eq!(system["Boot"]["BootSourceOverrideMode"], "UEFI");
    assert_eq!(system["LocationIndicatorActive"], true);

    let second = ["bmc", "--count", "1", "--ipmi-port", &port];
    let (content, text) = run(Command::new(env!("CARGO_BIN_EXE_xcat3-sim")).args(second));
    let said = text.contains(&format!("listening on UDP port {port} for IPMI"));
    assert!(!content && said, "{text}");
}
