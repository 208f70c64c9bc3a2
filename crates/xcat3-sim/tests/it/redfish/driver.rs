//! The control driver `redfish` drives machines of each flavour, with every habit and fault; the test
//! looks into the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use xcat3_core::control::{BootDevice, BootOrder, MediaImage, PowerTarget};
use xcat3_core::{ControlOperation, Node, Outcome};
use xcat3_sim::bmc::machine::BootTarget;
use xcat3_sim::bmc::redfish::{Fault, Flavour, Options};

use super::driven::{Driven, each_flavour};

#[test]
fn power_is_what_was_asked_for() {
    each_flavour(|driven, _| {
        let power = |target| ControlOperation::Power(target);
        let is_on = || driven.plant.held(0).power;
        for (target, after) in [
            (PowerTarget::Off, false),
            (PowerTarget::On, true),
            (PowerTarget::On, true),
            (PowerTarget::Reset, true),
            (PowerTarget::Boot, true),
            (PowerTarget::Cycle, true),
            (PowerTarget::Off, false),
            (PowerTarget::Boot, true),
        ] {
            driven.done(&power(target));
            assert_eq!(is_on(), after, "{target}");
            let word = if after { "on" } else { "off" };
            assert_eq!(
                driven.ask(0, &ControlOperation::PowerStatus),
                Outcome::Done(word)
            );
        }
        driven.done(&power(PowerTarget::Off));
        let sentence = driven.refused(&power(PowerTarget::Reset));
        assert!(sentence.contains("is off"), "{sentence}");
    });
}

#[test]
fn boot_devices_are_what_was_asked_for() {
    each_flavour(|driven, flavour| {
        let habits = flavour.habits();
        for (device, target) in [
            (BootDevice::Net, BootTarget::Net),
            (BootDevice::Disk, BootTarget::Disk),
            (BootDevice::Cdrom, BootTarget::Cdrom),
            (BootDevice::Setup, BootTarget::Setup),
            (BootDevice::Http, BootTarget::Http),
        ] {
            for persistent in [false, true] {
                let order = BootOrder {
                    device,
                    persistent,
                    uefi: persistent && habits.boot_mode,
                };
                let outcome = driven.ask(0, &ControlOperation::SetBootDevice(order));
                if device == BootDevice::Http && !habits.targets.contains(&"UefiHttp") {
                    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
                    continue;
                }
                assert_eq!(outcome, Outcome::OK, "{order}");
                let held = driven.plant.held(0).boot.unwrap();
                assert_eq!(
                    (held.target, held.persistent),
                    (target, persistent),
                    "{order}"
                );
                assert!(held.uefi || !order.uefi, "{order}");
                let told = driven.ask(0, &ControlOperation::BootDeviceStatus);
                assert_eq!(told, Outcome::Done(device.as_str()));
            }
        }
        driven.done(&ControlOperation::SetBootDevice(BootOrder::once(
            BootDevice::Net,
        )));
        driven.done(&ControlOperation::Power(PowerTarget::Boot));
        let none = driven.ask(0, &ControlOperation::BootDeviceStatus);
        assert_eq!(none, Outcome::Done("none"), "once is once");
    });
}

#[test]
fn what_is_booted_by_http_is_the_nodes() {
    let driven = Driven::of(1, Options::default());
    let order = ControlOperation::SetBootDevice(BootOrder::once(BootDevice::Http));
    let uri = json!({"bmc_boot_uri": "http://192.0.2.1/boot.efi"});
    assert_eq!(driven.ask_as(0, &order, &uri), Outcome::OK);
    let held = driven.plant.held(0).http_boot;
    assert_eq!(held.as_deref(), Some("http://192.0.2.1/boot.efi"));
}

#[test]
fn the_inventory_is_the_machines() {
    each_flavour(|driven, _| {
        let told = driven.report(&ControlOperation::Inventory);
        let held = driven.plant.held(0);
        assert_eq!(told["serial"], json!(held.serial), "{told:#}");
        assert_eq!(told["manufacturer"], json!(held.manufacturer));
        assert_eq!(told["model"], json!(held.model));
        assert_eq!(told["uuid"], json!(held.uuid.to_lowercase()));
        assert_eq!(told["bios_version"], json!(held.bios_version));
        let nics = told["nics"].as_array().unwrap();
        let macs: Vec<&str> = nics.iter().filter_map(|nic| nic["mac"].as_str()).collect();
        let held_macs: Vec<String> = held.macs.iter().map(|mac| mac.to_lowercase()).collect();
        assert_eq!(macs, held_macs);
        for part in ["processors", "memory", "drives", "firmware"] {
            let parts = told[part].as_array();
            assert!(
                parts.is_some_and(|parts| !parts.is_empty()),
                "{part}: {told:#}"
            );
        }
        assert_eq!(told["bmc"]["mac"], json!(held.bmc_mac.to_lowercase()));
    });
}

#[test]
fn sensors_and_events_are_the_machines() {
    each_flavour(|driven, _| {
        let told = driven.report(&ControlOperation::Sensors);
        let held = driven.plant.held(0);
        let sensors = told["sensors"].as_array().unwrap();
        for sensor in &held.sensors {
            let is_it = |told: &&Value| told["name"] == json!(sensor.name);
            let told = sensors.iter().find(is_it);
            let told = told.unwrap_or_else(|| panic!("{}: {sensors:#?}", sensor.name));
            let value = told["value"].as_f64().unwrap();
            assert!((value - sensor.value).abs() < 0.01, "{told}");
            assert!(
                told["unit"].is_string() && told["kind"].is_string(),
                "{told}"
            );
        }
        let told = driven.report(&ControlOperation::EventLog);
        let events = told["events"].as_array().unwrap();
        let messages: Vec<&str> = events
            .iter()
            .filter_map(|event| event["message"].as_str())
            .collect();
        let held: Vec<&str> = held
            .events
            .iter()
            .map(|event| event.message.as_str())
            .collect();
        assert_eq!(messages, held, "{told:#}");
        driven.done(&ControlOperation::ClearEventLog);
        assert!(
            driven.plant.held(0).events.len() <= 1,
            "the emptying may be an event"
        );
    });
}

#[test]
fn the_light_is_as_it_was_switched() {
    each_flavour(|driven, _| {
        for (on, word) in [(true, "on"), (false, "off")] {
            driven.done(&ControlOperation::Beacon(on));
            assert_eq!(driven.plant.held(0).beacon, on);
            let told = driven.ask(0, &ControlOperation::BeaconStatus);
            assert_eq!(told, Outcome::Done(word));
        }
    });
}

#[test]
fn bios_attributes_count_from_the_next_boot_on() {
    each_flavour(|driven, flavour| {
        if flavour.habits().bios.is_none() {
            let sentence = driven.refused(&ControlOperation::Bios);
            assert!(sentence.contains("BIOS attributes"), "{sentence}");
            return;
        }
        let held = driven.plant.held(0).bios;
        let told = driven.report(&ControlOperation::Bios);
        assert_eq!(told["attributes"], json!(held));
        let (name, present) = held.iter().find(|(_, value)| value.is_number()).unwrap();
        let wanted = present.as_i64().unwrap() + 1;
        let changes = BTreeMap::from([(name.clone(), wanted.to_string())]);
        driven.done(&ControlOperation::SetBios(changes));
        let told = driven.report(&ControlOperation::Bios);
        assert_eq!(told["pending"], json!({name: wanted}));
        driven.done(&ControlOperation::Power(PowerTarget::Boot));
        assert_eq!(driven.plant.held(0).bios[name], json!(wanted));
        let wrong = BTreeMap::from([("NoSuchThing".to_owned(), "1".to_owned())]);
        let sentence = driven.refused(&ControlOperation::SetBios(wrong));
        assert!(
            sentence.contains("no BIOS attribute 'NoSuchThing'"),
            "{sentence}"
        );
    });
}

#[test]
fn virtual_media_are_inserted_booted_and_ejected() {
    each_flavour(|driven, flavour| {
        let outcome = driven.ask(0, &ControlOperation::Media);
        let Outcome::Report(_) = outcome else {
            assert!(
                driven.plant.held(0).media.is_empty() || flavour == Flavour::Early,
                "{outcome:?}"
            );
            return;
        };
        let image = |url: &str, boot| {
            let url = url.to_owned();
            ControlOperation::InsertMedia(MediaImage { url, boot })
        };
        let inserted = || -> Vec<String> {
            let slots = driven.plant.held(0).media;
            slots.into_iter().filter_map(|slot| slot.image).collect()
        };
        driven.done(&image("http://192.0.2.1/one.iso", false));
        assert_eq!(inserted(), ["http://192.0.2.1/one.iso"]);
        driven.done(&image("http://192.0.2.1/two.iso", true));
        assert_eq!(inserted(), ["http://192.0.2.1/two.iso"]);
        let boot = driven.plant.held(0).boot.unwrap();
        assert_eq!((boot.target, boot.persistent), (BootTarget::Cdrom, false));
        let told = driven.report(&ControlOperation::Media);
        let slots = told["slots"].as_array().unwrap();
        assert!(
            slots
                .iter()
                .any(|slot| slot["image"] == "http://192.0.2.1/two.iso"),
            "{told:#}"
        );
        driven.done(&ControlOperation::EjectMedia);
        assert!(inserted().is_empty());
    });
}

#[test]
fn each_fault_is_a_sentence_on_its_node_alone() {
    let faults = [
        (Fault::Refuse, ""),
        (Fault::Reset, ""),
        (Fault::Error, "was refused with 500"),
        (
            Fault::Redirect("https://127.255.255.254".to_owned()),
            "another host",
        ),
        (Fault::Huge(100_000_000), "longer than 8 MiB"),
        (Fault::Truncated, ""),
        (Fault::Html, "is not JSON"),
        (Fault::HugeHeaders, "is not HTTP"),
        (Fault::WrongPassword, "rejects the user or the password"),
        (Fault::BlackHole, ""),
    ];
    let driven = Driven::of(faults.len() + 2, Options::default());
    for (index, (fault, _)) in faults.iter().enumerate() {
        driven.plant.face().set_faults(index, vec![fault.clone()]);
    }
    let drip = faults.len();
    driven
        .plant
        .face()
        .set_faults(drip, vec![Fault::ContentType]);
    let nodes: Vec<Node> = (0..faults.len() + 2)
        .map(|index| driven.node(index, &json!({})))
        .collect();
    let outcomes = driven.all(
        &ControlOperation::PowerStatus,
        &nodes,
        Duration::from_secs(20),
    );
    assert_eq!(outcomes.len(), nodes.len());
    for (index, (fault, sentence)) in faults.iter().enumerate() {
        match &outcomes[&format!("n{index}")] {
            Outcome::Failed(told) => assert!(told.contains(sentence), "{fault:?}: {told}"),
            other => panic!("{fault:?}: {other:?}"),
        }
    }
    for index in [drip, drip + 1] {
        assert!(outcomes[&format!("n{index}")].is_done(), "{outcomes:?}");
    }
}

#[test]
fn who_may_only_read_is_told_so() {
    let driven = Driven::of(1, Options::default());
    driven.plant.face().set_faults(0, vec![Fault::ReadOnly]);
    assert!(driven.ask(0, &ControlOperation::PowerStatus).is_done());
    let told = driven.refused(&ControlOperation::Beacon(true));
    assert!(
        told.contains("was refused with 403: There are insufficient privileges"),
        "{told}"
    );
}

#[test]
fn a_session_that_the_bmc_forgot_is_made_anew() {
    let driven = Driven::of(1, Options::default());
    let state = || driven.ask(0, &ControlOperation::PowerStatus);
    assert!(state().is_done());
    driven.plant.face().forget_sessions(0);
    assert!(state().is_done());
}

#[test]
fn a_certificate_is_trusted_on_first_use_and_refused_when_it_changes() {
    let driven = Driven::of(1, Options::default());
    let address = driven.plant.machines.address(0);
    let certificate = driven.plant.face().certificate(0, address).unwrap();
    let pin = xcat3_redfish::Fingerprint::from_certificate(&certificate);
    let by = |trust: &str| {
        let more = json!({"bmc_tls": trust});
        driven.ask_as(0, &ControlOperation::PowerStatus, &more)
    };
    let pinned = format!("pin:{pin}");
    for trust in ["first-use", &pinned, "insecure", "verify"] {
        assert!(by(trust).is_done(), "{trust}: {:?}", by(trust));
    }
    driven.plant.face().change_certificate(0);
    for (trust, sentence) in [
        ("first-use", "has changed"),
        (&*pinned, "is not the one pinned"),
    ] {
        match by(trust) {
            Outcome::Failed(told) => assert!(told.contains(sentence), "{told}"),
            other => panic!("{trust}: {other:?}"),
        }
    }
    assert!(by("insecure").is_done() && by("verify").is_done());
}
