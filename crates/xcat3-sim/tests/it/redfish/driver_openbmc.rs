//! The control driver `openbmc` drives machines with Redfish and without; the test looks into the machine.

use serde_json::json;
use xcat3_core::control::{BootDevice, BootOrder, PowerTarget};
use xcat3_core::{ControlOperation, Outcome};
use xcat3_sim::bmc::machine::BootTarget;
use xcat3_sim::bmc::redfish::{Flavour, Interfaces, Options};

use super::driven::Driven;

/// OpenBMC as it was before Redfish, with its own driver.
fn old_openbmc() -> Driven {
    let options = Options {
        interfaces: Interfaces::OpenbmcRest,
        ..Options::default()
    };
    Driven::by("openbmc", 1, options)
}

#[test]
fn openbmc_without_redfish_is_driven_by_its_rest() {
    let driven = old_openbmc();
    for (target, after) in [
        (PowerTarget::On, true),
        (PowerTarget::Reset, true),
        (PowerTarget::Cycle, true),
        (PowerTarget::Off, false),
        (PowerTarget::Boot, true),
    ] {
        driven.done(&ControlOperation::Power(target));
        assert_eq!(driven.plant.held(0).power, after, "{target}");
        let word = if after { "on" } else { "off" };
        assert_eq!(
            driven.ask(0, &ControlOperation::PowerStatus),
            Outcome::Done(word)
        );
    }
    for (device, target) in [
        (BootDevice::Net, BootTarget::Net),
        (BootDevice::Setup, BootTarget::Setup),
        (BootDevice::Disk, BootTarget::Disk),
        (BootDevice::Cdrom, BootTarget::Cdrom),
    ] {
        for persistent in [false, true] {
            let order = BootOrder {
                persistent,
                ..BootOrder::once(device)
            };
            driven.done(&ControlOperation::SetBootDevice(order));
            let held = driven.plant.held(0).boot.unwrap();
            assert_eq!(
                (held.target, held.persistent),
                (target, persistent),
                "{order}"
            );
            let told = driven.ask(0, &ControlOperation::BootDeviceStatus);
            assert_eq!(told, Outcome::Done(device.as_str()), "{order}");
        }
    }
    driven.done(&ControlOperation::Beacon(true));
    assert!(driven.plant.held(0).beacon);
    assert_eq!(
        driven.ask(0, &ControlOperation::BeaconStatus),
        Outcome::Done("on")
    );
    let told = driven.refused(&ControlOperation::Bios);
    assert!(
        told.contains("no way to do 'bios get' where the BMC has no Redfish"),
        "{told}"
    );
}

#[test]
fn reports_of_old_openbmc_are_the_machines() {
    let driven = old_openbmc();
    let held = driven.plant.held(0);
    let told = driven.report(&ControlOperation::Inventory);
    assert_eq!(told["serial"], json!(held.serial), "{told:#}");
    assert_eq!(told["bios_version"], json!(held.bios_version));
    assert_eq!(told["bmc"]["mac"], json!(held.bmc_mac.to_lowercase()));
    assert_eq!(told["nics"].as_array().unwrap().len(), held.macs.len());
    let told = driven.report(&ControlOperation::Sensors);
    for sensor in &held.sensors {
        let sensors = told["sensors"].as_array().unwrap();
        let told = sensors
            .iter()
            .find(|told| told["name"] == json!(sensor.name));
        let value = told.unwrap()["value"].as_f64().unwrap();
        assert!((value - sensor.value).abs() < 0.01, "{told:?}");
    }
    let told = driven.report(&ControlOperation::EventLog);
    assert_eq!(told["events"].as_array().unwrap().len(), held.events.len());
    driven.done(&ControlOperation::ClearEventLog);
    assert!(driven.plant.held(0).events.is_empty());
}

#[test]
fn openbmc_with_redfish_is_driven_by_that() {
    let options = Options {
        flavours: Flavour::Openbmc.into(),
        interfaces: Interfaces::Both,
        ..Options::default()
    };
    let driven = Driven::by("openbmc", 1, options);
    driven.done(&ControlOperation::Power(PowerTarget::On));
    assert!(driven.plant.held(0).power);
    assert!(matches!(
        driven.ask(0, &ControlOperation::Media),
        Outcome::Report(_)
    ));
}
