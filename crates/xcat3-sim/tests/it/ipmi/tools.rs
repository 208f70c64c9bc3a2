//! `ipmitool`: what it says must equal what the machine holds, and what it sets the machine must have.

use std::net::Ipv4Addr;

use xcat3_sim::bmc::ipmi::{Level, Options};
use xcat3_sim::bmc::machine::{BootOverride, BootTarget, SensorKind};

use super::{Plant, line};

const SUITES: [&str; 2] = ["3", "17"];

fn plant(third: u8) -> Plant {
    Plant::new(Ipv4Addr::new(127, 67, third, 0), 3, Options::default())
}

#[test]
#[ignore = "real: programs"]
fn power_is_told_and_set() {
    let plant = plant(0);
    for suite in SUITES {
        let power = |words: &str| plant.tell(2, suite, &["chassis", "power", words]);
        let status = || {
            line(
                &plant.tell(2, suite, &["chassis", "status"]),
                "System Power",
            )
        };
        assert_eq!(status(), "System Power : off");
        for refused in ["cycle", "reset", "soft"] {
            let words = ["chassis", "power", refused];
            let (content, text) = plant.ipmitool(2, &["-C", suite], &words);
            assert!(!content, "{refused} of a machine that is off: {text}");
        }
        power("on");
        assert!(plant.machines.machine(2).power);
        assert_eq!(status(), "System Power : on");
        for way in ["cycle", "reset"] {
            plant.tell(2, suite, &["chassis", "bootdev", "pxe"]);
            power(way);
            let machine = plant.machines.machine(2);
            assert!(machine.power, "{way}");
            assert!(machine.boot.is_none(), "{way} uses up what holds once");
        }
        power("soft");
        assert!(!plant.machines.machine(2).power);
        power("on");
        power("off");
        assert!(!plant.machines.machine(2).power);
        assert!(!plant.machines.machine(1).power, "another machine");
    }
}

#[test]
#[ignore = "real: programs"]
fn boot_flags_are_the_machines_override() {
    let plant = plant(1);
    for suite in SUITES {
        for (device, target, says) in [
            ("pxe", BootTarget::Net, "Force PXE"),
            (
                "disk",
                BootTarget::Disk,
                "Force Boot from default Hard-Drive",
            ),
            ("cdrom", BootTarget::Cdrom, "Force Boot from CD/DVD"),
            ("bios", BootTarget::Setup, "Force Boot into BIOS Setup"),
        ] {
            plant.tell(
                0,
                suite,
                &["chassis", "bootdev", device, "options=persistent,efiboot"],
            );
            let lasting = BootOverride {
                target,
                persistent: true,
                uefi: true,
            };
            let machine = plant.machines.machine(0).clone();
            assert_eq!(machine.boot, Some(lasting));
            assert!(machine.boot_until.is_none(), "it stays");
            let text = plant.tell(0, suite, &["chassis", "bootparam", "get", "5"]);
            assert!(text.contains(says), "{text}");
            assert!(text.contains("all future boots"), "{text}");
            assert!(text.contains("BIOS EFI boot"), "{text}");

            plant.tell(0, suite, &["chassis", "bootdev", device]);
            let machine = plant.machines.machine(0).clone();
            let once = BootOverride {
                target,
                persistent: false,
                uefi: false,
            };
            assert_eq!(machine.boot, Some(once));
            assert!(machine.boot_until.is_some(), "unused, it is forgotten");
        }
        plant.tell(0, suite, &["chassis", "bootdev", "none"]);
        assert_eq!(plant.machines.machine(0).boot, None);
    }
}

#[test]
#[ignore = "real: programs"]
fn the_led_blinks_for_a_while_or_for_ever() {
    let plant = plant(2);
    for suite in SUITES {
        plant.tell(1, suite, &["chassis", "identify", "200"]);
        let machine = plant.machines.machine(1).clone();
        assert!(machine.beacon && machine.beacon_until.is_some());
        plant.tell(1, suite, &["chassis", "identify", "force"]);
        let machine = plant.machines.machine(1).clone();
        assert!(machine.beacon && machine.beacon_until.is_none());
        plant.tell(1, suite, &["chassis", "identify", "0"]);
        assert!(!plant.machines.machine(1).beacon);
    }
}

#[test]
#[ignore = "real: programs"]
fn sensors_are_told_with_units_and_thresholds() {
    let plant = plant(3);
    for suite in SUITES {
        let text = plant.tell(2, suite, &["sensor"]);
        for sensor in &plant.machines.machine(2).sensors {
            let unit = match sensor.kind {
                SensorKind::Temperature => "degrees C",
                SensorKind::Fan => "RPM",
                SensorKind::Voltage => "Volts",
                SensorKind::Power => "Watts",
            };
            let said = line(&text, sensor.name);
            let columns: Vec<&str> = said.split('|').map(str::trim).collect();
            assert_eq!(columns[1], format!("{:.3}", sensor.value), "{said}");
            assert_eq!(columns[2..4], [unit, "ok"], "{said}");
            let upper = sensor
                .upper
                .map_or("na".to_owned(), |upper| format!("{upper:.3}"));
            assert_eq!(columns[8], upper, "{said}");
        }
        plant.machines.machine(2).sensors[0].value = 46.0;
        let hot = line(&plant.tell(2, suite, &["sensor"]), "Inlet Temp");
        assert!(hot.contains("| 46.000 | degrees C | cr |"), "{hot}");
        plant.machines.machine(2).sensors[0].value = 24.0;
    }
}

#[test]
#[ignore = "real: programs"]
fn the_inventory_and_the_numbers_are_the_machines() {
    let plant = plant(4);
    let machine = plant.machines.machine(1).clone();
    for suite in SUITES {
        let text = plant.tell(1, suite, &["fru", "print", "0"]);
        for (begin, value) in [
            ("Product Manufacturer", &machine.manufacturer),
            ("Product Name", &machine.model),
            ("Product Part Number", &machine.part_number),
            ("Product Version", &machine.bios_version),
            ("Product Serial", &machine.serial),
            ("Board Serial", &machine.serial),
            ("Chassis Serial", &machine.serial),
        ] {
            assert_eq!(line(&text, begin), format!("{begin} : {value}"));
        }
        let text = plant.tell(1, suite, &["mc", "guid"]);
        assert!(
            line(&text, "System GUID").ends_with(&machine.uuid),
            "{text}"
        );
        let text = plant.tell(1, suite, &["lan", "print", "1"]);
        assert_eq!(line(&text, "IP Address  "), "IP Address : 127.67.4.1");
        let mac = format!("MAC Address : {}", machine.bmc_mac);
        assert_eq!(line(&text, "MAC Address"), mac);
        let text = plant.tell(1, suite, &["mc", "info"]);
        assert_eq!(line(&text, "IPMI Version"), "IPMI Version : 2.0");
        let text = plant.tell(1, suite, &["user", "list", "1"]);
        assert!(line(&text, "2").ends_with("ADMINISTRATOR"), "{text}");
        let text = plant.tell(1, suite, &["session", "info", "active"]);
        assert!(
            text.contains("privilege level               : ADMINISTRATOR"),
            "{text}"
        );
    }
}

#[test]
#[ignore = "real: programs"]
fn the_log_is_told_and_cleared() {
    let plant = plant(5);
    for (index, suite) in SUITES.into_iter().enumerate() {
        let count = plant.machines.machine(index).events.len();
        let text = plant.tell(index, suite, &["sel", "list"]);
        assert_eq!(text.lines().count(), count, "{text}");
        assert!(text.contains("Power Supply AC lost | Deasserted"), "{text}");
        let text = plant.tell(index, suite, &["sel", "info"]);
        assert_eq!(line(&text, "Entries"), format!("Entries : {count}"));
        plant.tell(index, suite, &["sel", "clear"]);
        assert!(plant.machines.machine(index).events.is_empty());
        assert!(
            plant
                .tell(index, suite, &["sel", "list"])
                .contains("no entries")
        );
    }
}

#[test]
#[ignore = "real: programs"]
fn who_may_only_read_sets_nothing_and_unknown_commands_are_called_so() {
    let options = Options {
        level: Level::Operator,
        ..Options::default()
    };
    let plant = Plant::new(Ipv4Addr::new(127, 67, 6, 0), 1, options);
    let (content, text) = plant.ipmitool(0, &["-C", "17"], &["chassis", "status"]);
    assert!(!content, "an operator is no administrator: {text}");
    let user = ["-C", "17", "-L", "USER"];
    let (content, text) = plant.ipmitool(0, &user, &["chassis", "status"]);
    assert!(content, "{text}");
    let (content, text) = plant.ipmitool(0, &user, &["chassis", "power", "on"]);
    assert!(
        !content && text.contains("Insufficient privilege"),
        "{text}"
    );
    assert!(!plant.machines.machine(0).power);
    let operator = ["-C", "17", "-L", "OPERATOR"];
    let (content, text) = plant.ipmitool(0, &operator, &["chassis", "power", "on"]);
    assert!(content, "{text}");
    assert!(plant.machines.machine(0).power);
    let (content, text) = plant.ipmitool(0, &operator, &["raw", "0x06", "0x99"]);
    assert!(!content && text.contains("rsp=0xc1"), "{text}");
}
