//! What changes by itself or takes its time: readings, states of parts, a shutdown, a restart of the BMC.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use xcat3_sim::bmc::Machines;
use xcat3_sim::bmc::ipmi::{Options, serve_ipmi};
use xcat3_sim::bmc::machine::{MOST_EVENTS, Severity};

use super::{Plant, line, run};

/// Machines with which something happens, by their numbers.
const HOT: usize = 5;
const UNPLUGGED: usize = 7;
const BROKEN: usize = 11;
const OPENED: usize = 13;

fn plant(third: u8, options: Options, make: fn(Machines) -> Machines) -> Plant {
    let base = Ipv4Addr::new(127, 71, third, 1);
    let machines = Arc::new(make(Machines::new(base, 20)));
    let ipmi = serve_ipmi(Arc::clone(&machines), options).unwrap();
    Plant {
        machines,
        ipmi: Some(ipmi),
    }
}

/// What one of FreeIPMI's tools prints, which has to be content.
fn free_ipmi(plant: &Plant, index: usize, tool: &str, words: &[&str]) -> String {
    let cache = tempfile::tempdir().unwrap();
    let host = format!("{}:{}", plant.machines.address(index), plant.port());
    let mut command = Command::new(tool);
    command
        .args(["-D", "LAN_2_0", "-I", "17", "-u", "admin", "-p", "password"])
        .args(["-h", &host])
        .args(words)
        .env("HOME", cache.path());
    let (content, text) = run(&mut command);
    assert!(content, "{tool}: {text}");
    text
}

fn is_in(text: &str, words: &[&str]) -> bool {
    text.lines()
        .any(|line| words.iter().all(|word| line.contains(word)))
}

#[test]
#[ignore = "real: programs"]
fn a_machine_that_gets_too_hot_says_so_everywhere_and_cools_down_again() {
    let plant = plant(0, Options::default(), Machines::varying);
    plant.tell(HOT, "17", &["power", "on"]);
    let chassis = || plant.tell(HOT, "17", &["chassis", "status"]);
    assert!(is_in(&chassis(), &["Cooling/Fan Fault", "false"]));
    plant.machines.advance(Duration::from_secs(600));
    assert!(is_in(&chassis(), &["Cooling/Fan Fault", "true"]));
    let sensors = plant.tell(HOT, "17", &["sdr", "list"]);
    assert!(is_in(&sensors, &["CPU1 Temp", "| cr"]), "{sensors}");
    assert!(is_in(&sensors, &["Inlet Temp", "| ok"]), "{sensors}");
    let sensors = free_ipmi(&plant, HOT, "ipmi-sensors", &["--quiet-cache"]);
    let above = ["CPU1 Temp", "At or Above (>=) Upper Critical Threshold"];
    assert!(is_in(&sensors, &above), "{sensors}");
    let log = plant.tell(HOT, "17", &["sel", "elist"]);
    let high = [
        "Temperature CPU1 Temp",
        "Upper Critical going high",
        "| Asserted",
    ];
    assert!(is_in(&log, &high), "{log}");

    plant.machines.advance(Duration::from_secs(600));
    assert!(is_in(&chassis(), &["Cooling/Fan Fault", "false"]));
    let log = free_ipmi(&plant, HOT, "ipmi-sel", &["--quiet-cache"]);
    assert!(is_in(&log, &["CPU1 Temp", "Upper Critical"]), "{log}");
    let log = plant.tell(HOT, "17", &["sel", "elist"]);
    assert!(is_in(&log, &["CPU1 Temp", "| Deasserted"]), "{log}");
}

#[test]
#[ignore = "real: programs"]
fn parts_fail_and_are_named() {
    for (third, index, at, names, fault, event) in [
        (1, BROKEN, 200, "Drive 2", "Drive Fault", "Drive Fault"),
        (
            2,
            UNPLUGGED,
            650,
            "PS2",
            "Main Power Fault",
            "Power Supply AC lost",
        ),
        (
            3,
            OPENED,
            1810,
            "Intrusion",
            "Chassis Intrusion",
            "General Chassis intrusion",
        ),
    ] {
        let plant = plant(third, Options::default(), Machines::varying);
        let status = || line(&plant.tell(index, "17", &["chassis", "status"]), fault);
        let before = status();
        assert!(
            before.ends_with(": false") || before.ends_with(": inactive"),
            "{before}"
        );
        plant.machines.advance(Duration::from_secs(at));
        let after = status();
        assert!(
            after.ends_with(": true") || after.ends_with(": active"),
            "{after}"
        );
        let sensors = plant.tell(index, "17", &["sdr", "elist"]);
        assert!(is_in(&sensors, &[names, event]), "{sensors}");
        let log = plant.tell(index, "17", &["sel", "elist"]);
        assert!(is_in(&log, &[event, "| Asserted"]), "{log}");
    }
}

#[test]
#[ignore = "real: programs"]
fn a_shutdown_takes_its_time_and_is_overtaken_by_who_switches() {
    let plant = plant(4, Options::default(), |machines| {
        machines.with_soft_time(Duration::from_secs(3600))
    });
    let power = |index: usize, word: &str| plant.tell(index, "17", &["power", word]);
    power(0, "on");
    power(0, "soft");
    assert_eq!(power(0, "status").trim(), "Chassis Power is on");
    power(0, "off");
    assert_eq!(power(0, "status").trim(), "Chassis Power is off");

    let plant = self::plant(5, Options::default(), |machines| {
        machines.with_soft_time(Duration::from_millis(300))
    });
    plant.tell(0, "17", &["power", "on"]);
    plant.tell(0, "17", &["power", "soft"]);
    let until = Instant::now() + Duration::from_secs(30);
    while plant.tell(0, "17", &["power", "status"]).trim() != "Chassis Power is off" {
        assert!(Instant::now() < until, "it does not shut down");
    }
    let log = plant.tell(0, "17", &["sel", "elist"]);
    assert!(
        is_in(&log, &["System ACPI Power State", "S4/S5: soft-off"]),
        "{log}"
    );
}

#[test]
#[ignore = "real: programs"]
fn a_bmc_that_is_told_to_restart_is_silent_for_as_long() {
    let restarting = |time| Options {
        restart_time: time,
        ..Options::default()
    };
    let long = plant(6, restarting(Duration::from_secs(3600)), |machines| {
        machines
    });
    long.tell(0, "17", &["mc", "reset", "cold"]);
    let (content, text) = long.ipmitool(0, &["-C", "17", "-N", "1", "-R", "1"], &["mc", "info"]);
    assert!(!content, "{text}");
    long.tell(1, "17", &["mc", "info"]);

    let short = plant(7, restarting(Duration::from_millis(300)), |machines| {
        machines
    });
    short.tell(0, "17", &["power", "on"]);
    free_ipmi(&short, 0, "bmc-device", &["--cold-reset"]);
    let until = Instant::now() + Duration::from_secs(60);
    while !short.ipmitool(0, &["-C", "17"], &["mc", "info"]).0 {
        assert!(Instant::now() < until, "it does not come back");
    }
    let status = short.tell(0, "17", &["power", "status"]);
    assert_eq!(status.trim(), "Chassis Power is on", "the machine runs on");
}

#[test]
#[ignore = "real: programs"]
fn policy_and_cause_of_a_restart_are_kept() {
    let plant = plant(8, Options::default(), |machines| machines);
    for (word, says) in [
        ("always-on", "always-on"),
        ("always-off", "always-off"),
        ("previous", "previous"),
    ] {
        plant.tell(0, "17", &["chassis", "policy", word]);
        let status = plant.tell(0, "17", &["chassis", "status"]);
        assert_eq!(
            line(&status, "Power Restore Policy"),
            format!("Power Restore Policy : {says}")
        );
    }
    let cause = || plant.tell(0, "17", &["chassis", "restart_cause"]);
    assert!(cause().contains("unknown"));
    plant.tell(0, "17", &["power", "on"]);
    assert!(
        cause().contains("chassis power control command"),
        "{}",
        cause()
    );
    let hours = plant.tell(0, "17", &["chassis", "poh"]);
    assert!(hours.contains("POH Counter"), "{hours}");
    let status = free_ipmi(&plant, 0, "ipmi-chassis", &["--get-chassis-status"]);
    assert!(is_in(&status, &["System Power", "on"]), "{status}");
    let fru = free_ipmi(&plant, 0, "ipmi-fru", &[]);
    assert!(
        is_in(&fru, &["FRU Product Serial Number", "SIM0000000"]),
        "{fru}"
    );
    let info = free_ipmi(&plant, 0, "bmc-info", &[]);
    assert!(is_in(&info, &["SEL Device", "supported"]), "{info}");
}

#[test]
#[ignore = "real: programs"]
fn a_full_log_loses_its_oldest_events_and_says_so() {
    let plant = plant(9, Options::default(), |machines| machines);
    for number in 0..MOST_EVENTS {
        let mut machine = plant.machines.machine(0);
        machine.event(Severity::Warning, "test", &format!("event {number}"));
    }
    let info = plant.tell(0, "17", &["sel", "info"]);
    assert_eq!(line(&info, "Entries"), format!("Entries : {MOST_EVENTS}"));
    assert_eq!(line(&info, "Overflow"), "Overflow : true");
    let first = || {
        let log = plant.tell(0, "17", &["sel", "list", "first", "1"]);
        log.split_whitespace().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first(), "4", "the three from the factory are gone");
    plant.tell(0, "17", &["sel", "delete", "4"]);
    assert_eq!(first(), "5");
    plant.tell(0, "17", &["sel", "clear"]);
    let info = plant.tell(0, "17", &["sel", "info"]);
    assert_eq!(line(&info, "Entries"), "Entries : 0");
    assert_eq!(line(&info, "Overflow"), "Overflow : false");
}
