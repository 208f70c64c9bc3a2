//! Servers come up, keep what they said they stored, and are gone when their maker is.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xcat3_backing::{Nats, Postgres};

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn psql(url: &str, statement: &str) -> Option<String> {
    let output = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--quiet",
            "--dbname",
            url,
        ])
        .args(["--command", statement])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| text.trim().to_owned())
}

/// Whether the process is there and runs.
fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
#[ignore = "real: PostgreSQL"]
fn postgres_keeps_what_it_stored_through_a_kill() {
    let mut postgres = Postgres::start().unwrap();
    let database = postgres.database().unwrap();
    let url = database.url();
    psql(&url, "CREATE TABLE t AS SELECT 7 AS n").unwrap();
    assert_eq!(psql(&url, "SELECT n FROM t").as_deref(), Some("7"));
    assert_eq!(psql(&url, "SHOW fsync").as_deref(), Some("on"));
    let killed = postgres.pid().unwrap();
    postgres.kill();
    assert!(!runs(killed));
    assert_eq!(psql(&url, "SELECT 1"), None, "it is gone");
    postgres.start_again().unwrap();
    assert_eq!(
        psql(&url, "SELECT n FROM t").as_deref(),
        Some("7"),
        "at the same address"
    );
    postgres.stop();
    assert_eq!(psql(&url, "SELECT 1"), None, "it is stopped");
    postgres.start_again().unwrap();
    let other = postgres.database().unwrap();
    assert_eq!(
        psql(&other.url(), "SELECT n FROM t"),
        None,
        "each database is another"
    );
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'xcat3_test_%'";
    assert_eq!(psql(&postgres.url(), left).as_deref(), Some("2"));
    drop((database, other));
    assert_eq!(psql(&postgres.url(), left).as_deref(), Some("0"));
}

#[test]
#[ignore = "real: PostgreSQL"]
fn servers_end_with_a_maker_that_is_killed() {
    let script = "echo \"$XCAT3_TEST_POSTGRES\"; exec sleep 600";
    let mut maker = Command::new(env!("CARGO_BIN_EXE_xcat3-backing"))
        .args(["run", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    let mut output = BufReader::new(maker.stdout.take().unwrap());
    output.read_line(&mut url).unwrap();
    let url = url.trim();
    let data = psql(url, "SHOW data_directory").unwrap();
    let pid = std::fs::read_to_string(Path::new(&data).join("postmaster.pid")).unwrap();
    let pid: i32 = pid.lines().next().unwrap().parse().unwrap();
    let command = psql(url, "SELECT 1").and_then(|_| child_of(maker.id(), "sleep"));
    assert!(runs(pid));
    maker.kill().unwrap();
    maker.wait().unwrap();
    wait_for("the server ends", || !runs(pid));
    wait_for("its directory is removed", || !Path::new(&data).exists());
    if let Some(pid) = command {
        Command::new("kill").arg(pid.to_string()).status().unwrap();
    }
}

/// The child of a process that runs this program.
fn child_of(parent: u32, program: &str) -> Option<i32> {
    let children =
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let is_it = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm"))
            .is_ok_and(|name| name.trim() == program)
    };
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .find(is_it)
}

#[test]
#[ignore = "real: PostgreSQL, NATS"]
fn a_command_gets_its_servers_and_gives_its_code() {
    let script = "psql --quiet --no-psqlrc --dbname \"$XCAT3_TEST_POSTGRES\" --command 'SELECT 1' \
                  >/dev/null && exit 7";
    let status = Command::new(env!("CARGO_BIN_EXE_xcat3-backing"))
        .args(["run", "--", "sh", "-c", script])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
    let usage = Command::new(env!("CARGO_BIN_EXE_xcat3-backing"))
        .stderr(Stdio::null())
        .status();
    assert_eq!(usage.unwrap().code(), Some(2));
}

#[test]
#[ignore = "real: NATS"]
fn nats_comes_and_goes_at_one_address() {
    let greeted = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let mut nats = Nats::prepare().unwrap();
    assert!(!greeted(nats.port()));
    nats.start_again().unwrap();
    let (port, killed) = (nats.port(), nats.pid().unwrap());
    assert!(greeted(port));
    assert!(nats.forget_all().is_err(), "it runs");
    nats.kill();
    assert!(!runs(killed) && !greeted(port));
    nats.forget_all().unwrap();
    nats.start_again().unwrap();
    assert!(greeted(port));
    let last = nats.pid().unwrap();
    drop(nats);
    assert!(!runs(last) && !greeted(port));
}
