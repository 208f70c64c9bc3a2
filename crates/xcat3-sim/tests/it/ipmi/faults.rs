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
