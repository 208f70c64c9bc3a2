//! Parent and workers as real processes: deaths, signals, configurations that change.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::trial::{Plan, Trial, children, command_line, config, eventually, lives, signal};

#[test]
fn a_parent_and_its_workers_are_told_apart_by_their_command_lines() {
    let trial = Trial::serving("conductor", 2);
    let parent = command_line(trial.child.id());
    assert!(!parent.contains(&"--worker".to_owned()), "{parent:?}");
    for number in 0..2 {
        let worker = command_line(trial.worker(number).unwrap());
        let (same, own) = worker.split_at(parent.len());
        assert_eq!(same, parent);
        assert_eq!(own, ["--worker".to_owned(), number.to_string()]);
    }
    assert_eq!(trial.workers().len(), 2);
    assert!(children(trial.worker(0).unwrap()).is_empty());
    trial.end();
}

#[test]
fn a_worker_that_dies_is_started_again_later_each_time() {
    let trial = Trial::serving("conductor", 2);
    let other = trial.worker(1).unwrap();
    let waits = ["100 ms", "200 ms", "400 ms"];
    for (deaths, wait) in waits.iter().enumerate() {
        let begun = Instant::now();
        let pid = trial.worker(0).unwrap();
        signal(pid, Signal::KILL);
        eventually("another one serves", || {
            let next = trial.worker(0).filter(|next| *next != pid);
            next.filter(|_| trial.noted("start 0 UTC") == deaths + 2)
        });
        let least = Duration::from_millis(100 << deaths);
        assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
        let said = format!("pid={pid}");
        let log = trial.log();
        let line = log
            .lines()
            .find(|line| line.contains("died") && line.contains(&said));
        let line = line.unwrap();
        assert!(line.contains("signal 9 (SIGKILL)"), "{line}");
        assert!(line.contains(&format!("starts in {wait}")), "{line}");
    }
    assert_eq!(trial.worker(1), Some(other));
    let lost = |line: &String| line.starts_with("lost ");
    eventually("the other one hears of the losses", || {
        (trial.journal().iter().filter(|line| lost(line)).count() == 3).then_some(())
    });
    trial.end();
}

#[test]
fn no_worker_outlives_its_parent() {
    let mut trial = Trial::serving("conductor", 3);
    let workers = trial.workers();
    trial.tell("deaf-1");
    trial.signal(Signal::KILL);
    assert_eq!(trial.ended().signal(), Some(9));
    for pid in workers {
        eventually("a worker ends with its parent", || {
            (!lives(pid)).then_some(())
        });
    }
}

#[test]
fn told_to_stop_all_workers_drain() {
    for kind in ["conductor", "api"] {
        let trial = Trial::serving(kind, 3);
        trial.tell("deaf-1");
        trial.signal(Signal::INT);
        for number in [0, 2] {
            let end = format!("end {number} UTC");
            eventually(&end, || (trial.noted(&end) == 1).then_some(()));
        }
        assert!(lives(trial.child.id()));
        trial.untell("deaf-1");
        let mut trial = trial;
        assert_eq!(trial.ended().code(), Some(0), "{}", trial.log());
        assert_eq!(trial.noted("end 1 UTC"), 1);
        assert!(!trial.log().contains("killing"), "{}", trial.log());
    }
}

#[test]
fn a_worker_that_does_not_end_in_time_is_killed_and_no_other() {
    let mut trial = Plan::new("conductor", &config("conductor", 2, "UTC"))
        .told("deaf-0")
        .start();
    trial.until_serving(2);
    let begun = Instant::now();
    trial.signal(Signal::TERM);
    assert_eq!(trial.ended().code(), Some(0));
    // A second to drain, a second of margin.
    assert!(begun.elapsed() >= Duration::from_secs(2));
    let log = trial.log();
    assert!(log.contains("it did not end in time"), "{log}");
    assert_eq!((trial.noted("end 0 UTC"), trial.noted("end 1 UTC")), (0, 1));
}

#[test]
fn told_twice_it_ends_at_once() {
    let mut trial = Plan::new("conductor", &config("conductor", 2, "UTC"))
        .told("deaf-0")
        .start();
    trial.until_serving(2);
    let workers = trial.workers();
    trial.signal(Signal::TERM);
    eventually("it stops", || {
        trial.log().contains("stopping").then_some(())
    });
    trial.signal(Signal::TERM);
    assert_eq!(trial.ended().code(), Some(1));
    for pid in workers {
        eventually("a worker ends", || (!lives(pid)).then_some(()));
    }
}

#[test]
fn a_signal_to_the_terminal_is_the_parents_business() {
    let trial = Trial::serving("conductor", 2);
    let group = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(pid.cast_signed());
        rustix::process::getpgid(pid).unwrap()
    };
    let parent = group(trial.child.id());
    assert!(trial.workers().into_iter().all(|pid| group(pid) != parent));
    for pid in trial.workers() {
        signal(pid, Signal::HUP);
    }
    let before = trial.workers();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(trial.workers(), before);
    trial.end();
}

#[test]
fn a_new_configuration_replaces_the_workers_one_by_one() {
    let trial = Trial::serving("conductor", 2);
    let old = trial.workers();
    trial.configure(&config("conductor", 3, "Asia/Tokyo"));
    trial.signal(Signal::HUP);
    trial.until_serving(3);
    let journal = trial.journal();
    let at = |line: &str| journal.iter().position(|noted| noted == line);
    // Nobody takes a place before the one who had it is gone, and they go in turn.
    assert!(at("end 0 UTC") < at("start 0 Asia/Tokyo"), "{journal:?}");
    assert!(at("start 0 Asia/Tokyo") < at("end 1 UTC"), "{journal:?}");
    assert!(at("end 1 UTC") < at("start 1 Asia/Tokyo"), "{journal:?}");
    assert!(old.iter().all(|pid| !lives(*pid)));

    trial.configure(&config("conductor", 1, "UTC"));
    trial.signal(Signal::HUP);
    trial.until_serving(1);
    assert_eq!(trial.noted("end 2 Asia/Tokyo"), 1);
    assert_eq!(trial.workers().len(), 1);
    trial.end();
}

#[test]
fn a_broken_configuration_changes_nothing() {
    let trial = Trial::serving("conductor", 2);
    let before = trial.workers();
    trial.configure("[conductor]\nworkers = 0\n");
    trial.signal(Signal::HUP);
    let wrong = "stays as it was";
    let line = eventually("it says what is wrong", || {
        let log = trial.log();
        log.lines()
            .find(|line| line.contains(wrong))
            .map(str::to_owned)
    });
    assert!(
        line.contains("conf, line 2: 0 is no number of workers"),
        "{line}"
    );
    assert_eq!(trial.workers(), before);
    // Nor does it when a worker dies: it is given what the parent has.
    let died = before[0];
    signal(died, Signal::KILL);
    eventually("another one serves", || {
        let workers = trial.workers();
        (workers.len() == 2 && !workers.contains(&died)).then_some(())
    });
    trial.end();
}

#[test]
fn a_worker_that_hangs_or_is_stopped_is_killed_and_replaced() {
    let trial = Trial::serving("conductor", 2);
    let (stopped, hanging) = (trial.worker(0).unwrap(), trial.worker(1).unwrap());
    signal(stopped, Signal::STOP);
    trial.tell("hang-1");
    eventually("it hangs", || {
        (trial.log().contains("no sign of life")).then_some(())
    });
    trial.untell("hang-1");
    for pid in [stopped, hanging] {
        eventually("it is killed", || (!lives(pid)).then_some(()));
    }
    for number in [0, 1] {
        let started = format!("start {number} UTC");
        eventually("another one starts", || {
            (trial.noted(&started) >= 2).then_some(())
        });
    }
    trial.end();
}

#[test]
fn a_parent_that_was_stopped_does_not_blame_its_workers() {
    let trial = Trial::serving("conductor", 1);
    let worker = trial.worker(0).unwrap();
    let parent = trial.child.id();
    signal(parent, Signal::STOP);
    signal(worker, Signal::STOP);
    // Longer than a worker may be silent.
    std::thread::sleep(Duration::from_secs(5));
    signal(parent, Signal::CONT);
    std::thread::sleep(Duration::from_millis(500));
    signal(worker, Signal::CONT);
    std::thread::sleep(Duration::from_millis(500));
    assert!(lives(worker), "{}", trial.log());
    trial.end();
}

#[test]
fn what_cannot_start_ends_with_a_sentence() {
    let mut trial = Plan::new("conductor", &config("conductor", 2, "UTC"))
        .told("refuse-1")
        .start();
    assert_eq!(trial.ended().code(), Some(1));
    let log = trial.log();
    assert!(
        log.contains("xcat3-trial: it refuses to start, as the test wants"),
        "{log}"
    );
    assert!(log.contains("xcat3-trial: a worker cannot start"), "{log}");
}

#[test]
fn once_it_serves_a_worker_that_cannot_start_is_tried_again() {
    let trial = Trial::serving("conductor", 2);
    trial.tell("refuse-0");
    signal(trial.worker(0).unwrap(), Signal::KILL);
    eventually("it is tried thrice", || {
        (trial.noted("start 0 UTC") > 3).then_some(())
    });
    assert!(trial.log().contains("exit code 78"));
    trial.untell("refuse-0");
    eventually("it serves again", || {
        let log = trial.log();
        let (_, since) = log.rsplit_once("died")?;
        since.contains("it serves").then_some(())
    });
    trial.end();
}

#[test]
fn a_second_parent_of_the_kind_is_refused() {
    let trial = Trial::serving("conductor", 1);
    let second = |kind: &str| {
        let file = trial.state().join(format!("{kind}.conf"));
        std::fs::write(&file, config(kind, 1, "UTC")).unwrap();
        let mut second = Command::new(env!("CARGO_BIN_EXE_xcat3-trial"));
        second
            .args(["--kind", kind, "--config-file"])
            .arg(file)
            .arg("--state-dir")
            .arg(trial.state());
        second
    };
    let output = second("conductor").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let holder = format!(
        "in use by another daemon of xcat3 (process {})",
        trial.child.id()
    );
    assert!(said.contains(&holder), "{said}");
    // A daemon of another kind gets in, and ends when its parent, this test, has seen that.
    let mut other = second("network").spawn().unwrap();
    let lock = trial.state().join("network.lock");
    let pid = other.id().to_string();
    eventually("it is in", || {
        let text = std::fs::read_to_string(&lock).unwrap_or_default();
        (text == pid).then_some(())
    });
    other.kill().unwrap();
    other.wait().unwrap();
    trial.end();
}

#[test]
fn only_a_parent_starts_a_worker() {
    let output = Command::new(env!("CARGO_BIN_EXE_xcat3-trial"))
        .args(["--worker", "0"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("--worker is for the daemon itself"), "{said}");
}

/// Where the workers of an API listen, by the sockets that one of them has.
fn address(trial: &Trial) -> SocketAddr {
    let pid = trial.worker(0).unwrap();
    let listens = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect();
    let port = listens.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = words.get(3) == Some(&"0A")
            && sockets.iter().any(|s| words.get(9) == Some(&s.as_str()));
        let port = words.get(1)?.split_once(':')?.1;
        ours.then(|| u16::from_str_radix(port, 16).unwrap())
    });
    SocketAddr::from(([127, 0, 0, 1], port.expect("a listening socket")))
}

/// Who answers at `address`, and what it says of its configuration.
fn ask(address: SocketAddr) -> (u32, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (pid, zone) = answer.trim().split_once(' ').unwrap();
    (pid.parse().unwrap(), zone.to_owned())
}

#[test]
fn all_workers_answer_at_one_address() {
    let trial = Trial::serving("api", 2);
    let address = address(&trial);
    let (first, second) = (trial.worker(0).unwrap(), trial.worker(1).unwrap());
    // Whoever is able to answers: no connection waits for one who is not.
    for (stopped, answers) in [(first, second), (second, first)] {
        xcat3_backing::stand_still(stopped).unwrap();
        for _ in 0..20 {
            assert_eq!(ask(address).0, answers);
        }
        signal(stopped, Signal::CONT);
    }
    trial.end();
}

#[test]
fn no_connection_is_refused_or_cut_while_workers_are_replaced() {
    let trial = Trial::serving("api", 2);
    let address = address(&trial);
    trial.configure(&config("api", 2, "Asia/Tokyo"));
    trial.signal(Signal::HUP);
    let mut asked = 0;
    eventually("the new ones are among themselves", || {
        let (_, zone) = ask(address);
        asked += 1;
        let replaced = trial.noted("end 0 UTC") + trial.noted("end 1 UTC") == 2;
        (replaced && zone == "Asia/Tokyo").then_some(())
    });
    let journal = trial.journal();
    let at = |line: &str| journal.iter().position(|noted| noted == line);
    assert!(at("start 0 Asia/Tokyo") < at("end 0 UTC"), "{journal:?}");
    assert!(asked > 1);
    trial.end();
}
