//! The units for systemd: understood by it, and by the programs that they start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;

fn units() -> Vec<(PathBuf, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../etc/systemd");
    let mut units: Vec<(PathBuf, String)> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    units.sort();
    units
}

fn line<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = unit.lines();
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn each_daemon_has_a_unit_that_starts_it() {
    let names: Vec<String> = units()
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let expected = ["api", "conductor", "network"].map(|kind| format!("xcat3-{kind}.service"));
    assert_eq!(names[..3], expected);
    assert_eq!(names[3..], ["xcat3d.service"]);
    for (path, unit) in units() {
        let command = line(&unit, "ExecStart").unwrap();
        let (program, _) = command.split_once(' ').unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(program, format!("/usr/bin/{stem}"));
        // All daemons take what this one takes.
        let arguments = xcat3d::Arguments::try_parse_from(command.split(' ')).unwrap();
        assert!(arguments.daemon.config_file.is_some());
        let state = arguments.daemon.state_dir.unwrap();
        let kept = line(&unit, "StateDirectory").unwrap();
        assert_eq!(state, Path::new("/var/lib").join(kept));
        // They do tell it: without these nothing would wait for or watch over them.
        assert_eq!(line(&unit, "Type"), Some("notify"));
        assert!(line(&unit, "WatchdogSec").is_some());
    }
}

#[test]
#[ignore = "real: programs"]
fn systemd_finds_nothing_wrong_with_them() {
    let directory = tempfile::tempdir().unwrap();
    for (path, unit) in units() {
        let copy = directory.path().join(path.file_name().unwrap());
        let program = format!("/usr/bin/{}", path.file_stem().unwrap().to_string_lossy());
        fs::write(&copy, unit.replace(&program, "/bin/true")).unwrap();
        let mut verify = Command::new("systemd-analyze");
        let output = verify.args(["verify", "--man=no"]).arg(&copy).output();
        let output = output.expect("systemd-analyze of the package systemd starts");
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && printed.is_empty(), "{printed}");
    }
}
