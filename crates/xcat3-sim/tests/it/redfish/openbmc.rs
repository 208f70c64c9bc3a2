//! The REST that OpenBMC had before Redfish, by curl.

use serde_json::{Value, json};
use xcat3_sim::bmc::machine::BootTarget;
use xcat3_sim::bmc::redfish::{Interfaces, Options};

use super::plant::Plant;

const ROOT: &str = "/xyz/openbmc_project";

fn plant(interfaces: Interfaces) -> Plant {
    Plant::of(
        1,
        Options {
            interfaces,
            ..Options::default()
        },
    )
}

/// Sets an attribute to a word and says with which status that was answered.
fn set(plant: &Plant, path: &str, value: &Value) -> u16 {
    let body = json!({ "data": value }).to_string();
    let path = format!("{ROOT}{path}");
    plant
        .ask(0, &path, &["--request", "PUT", "--data", &body])
        .0
}

fn get(plant: &Plant, path: &str) -> Value {
    let document = plant.get(0, &format!("{ROOT}{path}"));
    assert_eq!(document["status"], "ok", "{document}");
    document["data"].clone()
}

#[test]
#[ignore = "real: programs"]
fn a_cookie_is_the_session_of_rest() {
    let plant = plant(Interfaces::OpenbmcRest);
    let jar = format!("{}.jar", plant.ca());
    let login = plant.url(0, "/login");
    let with = |words: &[&str], url: &str| {
        let mut all = vec!["--cookie", &jar, "--cookie-jar", &jar];
        all.extend_from_slice(words);
        all.push(url);
        let output = plant.curl(&all);
        String::from_utf8(output.stdout).unwrap()
    };
    let wrong = with(&["--data", r#"{"data":["admin","guess"]}"#], &login);
    assert!(wrong.contains("401 Unauthorized"), "{wrong}");
    let state = plant.url(0, &format!("{ROOT}/state/host0"));
    assert!(with(&[], &state).contains("Login required"));
    let right = with(&["--data", r#"{"data":["admin","password"]}"#], &login);
    assert!(right.contains("User 'admin' logged in"), "{right}");
    assert!(with(&[], &state).contains("HostState.Off"));
    with(&["--data", r#"{"data":[]}"#], &plant.url(0, "/logout"));
    assert!(with(&[], &state).contains("Login required"));
    assert_eq!(
        plant.ask(0, "/redfish/v1/", &[]).0,
        404,
        "it is all there is"
    );
}

#[test]
#[ignore = "real: programs"]
fn host_and_chassis_follow_their_transitions() {
    let plant = plant(Interfaces::Both);
    let host = "/state/host0/attr/RequestedHostTransition";
    let on = json!("xyz.openbmc_project.State.Host.Transition.On");
    assert_eq!(set(&plant, host, &on), 200);
    assert!(plant.held(0).power);
    let state = get(&plant, "/state/host0/attr/CurrentHostState");
    assert_eq!(state, "xyz.openbmc_project.State.Host.HostState.Running");
    let system = plant.get(0, "/redfish/v1/Systems/1");
    assert_eq!(system["PowerState"], "On", "Redfish says the same");
    let chassis = "/state/chassis0/attr/RequestedPowerTransition";
    let off = json!("xyz.openbmc_project.State.Chassis.Transition.Off");
    assert_eq!(set(&plant, chassis, &off), 200);
    assert!(!plant.held(0).power);
    assert_eq!(set(&plant, host, &json!("Transition.Sideways")), 400);
}

#[test]
#[ignore = "real: programs"]
fn boot_settings_are_lasting_or_of_the_next_boot() {
    let plant = plant(Interfaces::OpenbmcRest);
    let source = |name: &str| {
        json!(format!(
            "xyz.openbmc_project.Control.Boot.Source.Sources.{name}"
        ))
    };
    let lasting = "/control/host0/boot/attr/BootSource";
    assert_eq!(set(&plant, lasting, &source("Disk")), 200);
    let held = plant.held(0).boot.unwrap();
    assert_eq!((held.target, held.persistent), (BootTarget::Disk, true));
    let once = "/control/host0/boot/one_time";
    assert_eq!(
        set(
            &plant,
            &format!("{once}/attr/BootSource"),
            &source("Network")
        ),
        200
    );
    let held = plant.held(0).boot.unwrap();
    assert_eq!((held.target, held.persistent), (BootTarget::Net, false));
    assert_eq!(get(&plant, once)["BootSource"], source("Network"));
    assert_eq!(get(&plant, once)["Enabled"], true);
    let setup = json!("xyz.openbmc_project.Control.Boot.Mode.Modes.Setup");
    assert_eq!(set(&plant, &format!("{once}/attr/BootMode"), &setup), 200);
    assert_eq!(plant.held(0).boot.unwrap().target, BootTarget::Setup);
}

#[test]
#[ignore = "real: programs"]
fn inventory_sensors_log_and_led_are_the_machines() {
    let plant = plant(Interfaces::OpenbmcRest);
    let held = plant.held(0);
    let inventory = get(&plant, "/inventory/enumerate");
    let system = &inventory["/xyz/openbmc_project/inventory/system"];
    assert_eq!(system["SerialNumber"], Value::from(held.serial));
    let sensors = get(&plant, "/sensors/enumerate");
    let inlet = &sensors["/xyz/openbmc_project/sensors/temperature/Inlet_Temp"];
    let scale = i32::try_from(inlet["Scale"].as_i64().unwrap()).unwrap();
    let value = inlet["Value"].as_f64().unwrap() * 10_f64.powi(scale);
    assert!((value - held.sensors[0].value).abs() < 0.001, "{value}");
    let entries = get(&plant, "/logging/enumerate");
    assert_eq!(entries.as_object().unwrap().len(), held.events.len());
    let delete = format!("{ROOT}/logging/action/DeleteAll");
    assert_eq!(plant.ask(0, &delete, &["--data", r#"{"data":[]}"#]).0, 200);
    assert!(plant.held(0).events.is_empty());
    let led = "/led/groups/enclosure_identify/attr/Asserted";
    assert_eq!(set(&plant, led, &json!(true)), 200);
    assert!(plant.held(0).beacon);
    let groups = get(&plant, "/led/groups/");
    assert_eq!(
        groups,
        json!([format!("{ROOT}/led/groups/enclosure_identify")])
    );
}
