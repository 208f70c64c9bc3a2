//! The lab as others use it: what it holds, and that nothing of it stays. Needs root.

mod controls;
mod discover;
mod hostile;
mod ipmi;
mod redfish;
mod rejected;
mod site;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A lab that runs `script`, with its files below `cache`.
fn lab(cache: &Path, script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3-sim"));
    command.args(["lab", "run", "sh", "-c", script]);
    command
        .env("XCAT3_LAB_CACHE", cache)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Processes of the machine that have `word` among their arguments.
fn processes_with(word: &str) -> usize {
    let of = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).unwrap_or_default();
    let has = |line: Vec<u8>| {
        line.split(|&byte| byte == 0)
            .any(|part| part == word.as_bytes())
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(Result::ok)
        .map(of)
        .filter(|line| has(line.clone()))
        .count()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "not so after 20 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits for the script's first line.
fn first_line(lab: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(lab.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    line
}

#[test]
#[ignore = "real: root, programs"]
fn a_lab_has_a_network_and_a_libvirt_of_its_own() {
    let cache = tempfile::tempdir().unwrap();
    let script = "ip -brief -4 address show dev lab0; ls /sys/class/net | sort | xargs; \
        virsh list --all --name | wc -w; cat /proc/1/comm";
    let output = lab(cache.path(), script).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("10.77.0.1/24 10.77.0.2/24"), "{text}");
    assert_eq!(lines[1], "lab0 lo", "no interface of the machine is seen");
    assert_eq!(lines[2], "0", "no domain of the machine is seen");
    assert_eq!(
        fs::read_dir(cache.path().join("labs")).unwrap().count(),
        0,
        "its files stayed"
    );
    assert!(
        !Path::new("/sys/class/net/lab0").exists(),
        "its bridge is the machine's"
    );
}

#[test]
#[ignore = "real: root, programs"]
fn a_lab_is_gone_when_its_maker_is_killed() {
    let cache = tempfile::tempdir().unwrap();
    // A word that only this lab's processes have.
    let word = format!("86400.{}", std::process::id());
    let mut maker = lab(cache.path(), &format!("echo up; sleep {word}"))
        .spawn()
        .unwrap();
    assert_eq!(first_line(&mut maker), "up\n");
    wait_until("its process runs", || processes_with(&word) == 1);
    maker.kill().unwrap();
    maker.wait().unwrap();
    wait_until("its processes are gone", || processes_with(&word) == 0);
    wait_until("its files are gone", || {
        fs::read_dir(cache.path().join("labs")).unwrap().count() == 0
    });
}

#[test]
#[ignore = "real: root, programs"]
fn what_a_lab_left_that_was_killed_whole_is_cleaned_by_the_next() {
    let cache = tempfile::tempdir().unwrap();
    let stale = cache.path().join("labs/1");
    fs::create_dir_all(&stale).unwrap();
    fs::write(stale.join("lock"), "").unwrap();
    assert!(lab(cache.path(), "true").status().unwrap().success());
    assert!(!stale.exists());
}
