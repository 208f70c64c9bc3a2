//! Many machines at once by FreeIPMI's `ipmipower`, and machines with faults.

use std::net::Ipv4Addr;
use std::process::Command;

use xcat3_sim::bmc::ipmi::{Faults, Options};

use super::{Plant, line, run};

fn ipmipower(plant: &Plant, hosts: &str, what: &[&str]) -> String {
    let mut tool = Command::new("ipmipower");
    tool.args(["-h", &format!("{hosts}:{}", plant.port())])
        .args(["-u", "admin", "-p", "password", "-D", "LAN_2_0"])
        .args(what);
    // It fails where a single host does.
    run(&mut tool).1
}

#[test]
#[ignore = "real: programs"]
fn ipmipower_drives_many_machines_except_those_that_are_dead() {
    let faults: Faults = "black-hole=5%".parse().unwrap();
    let options = Options {
        faults: faults.clone(),
        ..Options::default()
    };
    let plant = Plant::new(Ipv4Addr::new(127, 68, 0, 0), 200, options);
    let patient = ["--session-timeout=15000", "--retransmission-timeout=500"];
    let on = ipmipower(
        &plant,
        "127.68.0.[0-199]",
        &[&patient[..], &["--on"]].concat(),
    );
    let said = ipmipower(
        &plant,
        "127.68.0.[0-199]",
        &[&patient[..], &["--stat"]].concat(),
    );
    let dead = (0..200)
        .filter(|index| faults.is_black_hole(*index))
        .count();
    assert!(dead > 0, "this test needs a dead machine");
    for index in 0..200 {
        let power = plant.machines.machine(index).power;
        let dead = faults.is_black_hole(index);
        assert_eq!(power, !dead, "machine {index}: {on}");
        let said = line(&said, &format!("127.68.0.{index}:"));
        assert_eq!(said.ends_with(": on"), !dead, "{said}");
    }
}

#[test]
#[ignore = "real: programs"]
fn a_network_that_loses_doubles_and_reorders_is_no_obstacle() {
    let options = Options {
        faults: "drop=15%,duplicate=20%,reorder=10%:20ms".parse().unwrap(),
        ..Options::default()
    };
    let plant = Plant::new(Ipv4Addr::new(127, 68, 1, 0), 1, options);
    let patient = ["-C", "17", "-R", "20", "-N", "1"];
    let mut done = false;
    for _ in 0..10 {
        done = done || plant.ipmitool(0, &patient, &["chassis", "power", "on"]).0;
    }
    assert!(done);
    assert!(plant.machines.machine(0).power);
}

#[test]
#[ignore = "real: programs"]
fn a_machine_with_another_password_refuses() {
    let faults: Faults = "wrong-password=50%".parse().unwrap();
    let options = Options {
        faults: faults.clone(),
        ..Options::default()
    };
    let plant = Plant::new(Ipv4Addr::new(127, 68, 2, 0), 20, options);
    let refuses: Vec<bool> = (0..20)
        .map(|index| faults.has_wrong_password(index))
        .collect();
    for wrong in [true, false] {
        let index = refuses
            .iter()
            .position(|refuses| *refuses == wrong)
            .unwrap();
        let (content, text) = plant.ipmitool(index, &["-C", "3"], &["chassis", "status"]);
        assert_eq!(content, !wrong, "{text}");
    }
}

#[test]
#[ignore = "real: programs"]
fn a_bmc_that_restarts_has_no_sessions_and_answers_again() {
    let options = Options {
        faults: "reboot=100%/0%:1s".parse().unwrap(),
        ..Options::default()
    };
    let plant = Plant::new(Ipv4Addr::new(127, 68, 3, 0), 1, options);
    plant.tell(0, "17", &["chassis", "status"]);
    let ipmi = plant.ipmi.as_ref().unwrap();
    assert_eq!(ipmi.sessions(0), 0, "ipmitool closes its session");
    ipmi.forget_sessions(0);
    plant.tell(0, "17", &["chassis", "status"]);
}

fn faulty(third: u8, count: usize, faults: &str) -> Plant {
    let options = Options {
        faults: faults.parse().unwrap(),
        ..Options::default()
    };
    Plant::new(Ipv4Addr::new(127, 68, third, 0), count, options)
}

#[test]
#[ignore = "real: programs"]
fn logins_are_refused_for_the_reason_that_the_fault_names() {
    let status = ["chassis", "status"];
    let once = ["-v", "-C", "17", "-R", "1", "-N", "3"];
    for (third, faults, says) in [
        (4, "cipher=100%", "no matching cipher suite"),
        (5, "cipher=100%:3", "no matching cipher suite"),
        (6, "slots-full=100%", "insufficient resources"),
        (7, "no-privilege=100%:none", "unauthorized role"),
        (8, "no-privilege=100%", "Set Session Privilege Level"),
    ] {
        let plant = faulty(third, 1, faults);
        let (content, text) = plant.ipmitool(0, &once, &status);
        assert!(!content && text.contains(says), "{faults}: {text}");
    }
    let suite3 = faulty(9, 1, "cipher=100%:3");
    suite3.tell(0, "3", &status);
    let user = faulty(10, 1, "no-privilege=100%");
    let (content, text) = user.ipmitool(0, &["-C", "17", "-L", "USER"], &status);
    assert!(content, "{text}");
    let (content, _) = user.ipmitool(0, &["-L", "USER"], &["chassis", "power", "on"]);
    assert!(!content && !user.machines.machine(0).power);
}

#[test]
#[ignore = "real: programs"]
fn an_answer_for_another_session_is_none() {
    let once = ["-C", "17", "-R", "1", "-N", "1"];
    let plant = faulty(11, 1, "other-session=100%");
    let (content, text) = plant.ipmitool(0, &once, &["chassis", "power", "on"]);
    assert!(!content, "{text}");
    assert!(!plant.machines.machine(0).power);
}

#[test]
#[ignore = "real: programs"]
fn lengths_of_inventory_and_records_are_lied_about() {
    let plant = faulty(12, 4, "lying-fru=100%,lying-sdr=100%");
    let raw = |index: usize, words: &str| -> Vec<u8> {
        let words: Vec<&str> = ["raw"].into_iter().chain(words.split(' ')).collect();
        let text = plant.tell(index, "17", &words);
        let bytes = text.split_whitespace();
        bytes
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    };
    assert_eq!(raw(0, "0x0a 0x10 0")[..2], [0xff, 0xff]);
    // Areas are told from byte 8 on: format, length in eighths, kind, the first field.
    let (area, field) = ("0x0a 0x11 0 9 0 1", "0x0a 0x11 0 11 0 1");
    assert_ne!(raw(0, area), [1, 0xff]);
    assert_eq!(raw(1, area), [1, 0xff]);
    assert_eq!(raw(2, field), [1, 0xff]);
    assert_eq!(raw(3, area)[0], 0xff);
    let part = |index, from: &str| {
        let [low, high] = raw(index, "0x0a 0x22")[..] else {
            panic!("a reservation has two bytes")
        };
        raw(index, &format!("0x0a 0x23 {low} {high} 1 0 {from} 1"))
    };
    assert_eq!(part(0, "4")[2], 0xff);
    assert_eq!(part(1, "4")[2], 0);
    assert_eq!(part(2, "47")[2], 0xdf);
    assert_eq!(
        part(3, "0")[..2],
        [1, 0],
        "the record is followed by itself"
    );
    assert_eq!(raw(3, "0x0a 0x20")[1..3], [0xff, 0xff]);
}
