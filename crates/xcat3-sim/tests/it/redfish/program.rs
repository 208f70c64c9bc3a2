//! `xcat3-sim bmc` as a program.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::site::Program;

#[test]
#[ignore = "real: programs"]
fn it_says_when_it_serves_enrols_its_machines_and_ends_when_told() {
    let files = tempfile::tempdir().unwrap();
    let (nodes, ca) = (files.path().join("nodes"), files.path().join("ca"));
    let program = Command::new(env!("CARGO_BIN_EXE_xcat3-sim"))
        .args(["bmc", "--count", "300", "--base", "127.66.0.1"])
        .args(["--redfish-port", "0", "--redfish-flavour", "mixed"])
        .args(["--user", "root", "--password", "calvin"])
        .arg("--nodes")
        .arg(&nodes)
        .arg("--redfish-ca")
        .arg(&ca)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program(program);
    let mut line = String::new();
    let mut out = BufReader::new(program.0.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("ready: 300 machines"), "{line}");

    let nodes: Value = serde_json::from_slice(&std::fs::read(nodes).unwrap()).unwrap();
    let last = &nodes["nodes"][299];
    let info = &last["control_info"];
    let (address, port) = (info["bmc_address"].as_str().unwrap(), &info["bmc_port"]);
    assert_eq!(address, "127.66.1.44");
    let url = format!("https://{address}:{port}/redfish/v1/Systems");
    let status = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--output",
            "/dev/null",
        ])
        .args(["--max-time", "60", "--user", "root:calvin", "--cacert"])
        .args([&ca.display().to_string(), &url])
        .status()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&program.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let started = Instant::now();
    let ended = loop {
        if let Some(ended) = program.0.try_wait().unwrap() {
            break ended;
        }
        if started.elapsed() > Duration::from_secs(30) {
            program.0.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "curl: {status}");
    assert!(ended.success(), "{ended}");
}
