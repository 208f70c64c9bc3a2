//! The manager: the BMC itself, its network interface, its restart and its certificate.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::flavour::{Habits, MediaAt};
use super::resources::{add, collection, head, here, link, text};
use super::words;

/// Restarts that it takes.
const RESETS: [&str; 2] = ["GracefulRestart", "ForceRestart"];
/// Not of the standard: has the simulator show another certificate.
const CHANGE_CERTIFICATE: &str = "Simulator.ChangeCertificate";

/// The manager's resources; `parts` are those of the path behind its id.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    if let ["Actions", action @ ..] = parts {
        return act(face, index, ask, action);
    }
    if !ask.reads() {
        return Answer::not_allowed("GET");
    }
    match parts {
        [] => Answer::document(document(face, index, here(ask))),
        ["NetworkProtocol"] => {
            let path = here(ask);
            let kind = "#ManagerNetworkProtocol.v1_6_1.ManagerNetworkProtocol";
            let mut document = head(path, kind, "NetworkProtocol", "Manager Network Protocol");
            let https = json!({"ProtocolEnabled": face.options.tls});
            add(&mut document, json!({"HTTPS": https}));
            Answer::document(document)
        }
        ["EthernetInterfaces"] => {
            let ids = ["eth0".to_owned()];
            collection(ask, "EthernetInterface", "Ethernet Interfaces", &ids)
        }
        ["EthernetInterfaces", "eth0"] => {
            let kind = "#EthernetInterface.v1_6_0.EthernetInterface";
            let mut document = head(here(ask), kind, "eth0", "Manager Ethernet Interface");
            let machine = face.machine(index);
            add(
                &mut document,
                json!({
                    "MACAddress": machine.bmc_mac,
                    "PermanentMACAddress": machine.bmc_mac,
                    "LinkStatus": "LinkUp",
                    "SpeedMbps": 1000,
                    "InterfaceEnabled": true,
                    "IPv4Addresses": [{
                        "Address": face.machines.address(index).to_string(),
                        "SubnetMask": "255.0.0.0",
                        "AddressOrigin": "Static",
                    }],
                    "Status": {"State": "Enabled", "Health": "OK"},
                }),
            );
            Answer::document(document)
        }
        _ => Answer::not_found(ask.path),
    }
}

fn document(face: &Face, index: usize, path: &str) -> Value {
    let habits = face.habits(index);
    let machine = face.machine(index);
    let mut document = head(path, "#Manager.v1_9_0.Manager", habits.manager, "Manager");
    let mut reset = json!({"target": format!("{path}/Actions/Manager.Reset")});
    if habits.allowable {
        let allowable = json!({"ResetType@Redfish.AllowableValues": RESETS});
        add(&mut reset, allowable);
    }
    add(
        &mut document,
        json!({
            "ManagerType": "BMC",
            "Manufacturer": machine.manufacturer,
            "Model": "Simulated BMC",
            "FirmwareVersion": words::BMC_FIRMWARE,
            "UUID": machine.bmc_uuid,
            "PowerState": "On",
            "Status": {"State": "Enabled", "Health": "OK"},
            "EthernetInterfaces": link(&format!("{path}/EthernetInterfaces")),
            "NetworkProtocol": link(&format!("{path}/NetworkProtocol")),
            "Links": {
                "ManagerForServers": [link(&format!("/redfish/v1/Systems/{}", habits.system))],
                "ManagerForChassis": [link(&format!("/redfish/v1/Chassis/{}", habits.chassis))],
            },
            "Actions": {"#Manager.Reset": reset, "Oem": {format!("#{CHANGE_CERTIFICATE}"): {
                "target": format!("{path}/Actions/Oem/{CHANGE_CERTIFICATE}"),
            }}},
        }),
    );
    add(&mut document, below(path, &habits));
    document
}

fn below(path: &str, habits: &Habits) -> Value {
    let mut below = json!({});
    if habits.manager_logs {
        let logs = link(&format!("{path}/LogServices"));
        add(&mut below, json!({"LogServices": logs}));
    }
    if matches!(habits.media, MediaAt::Manager | MediaAt::Both) {
        let media = link(&format!("{path}/VirtualMedia"));
        add(&mut below, json!({"VirtualMedia": media}));
    }
    below
}

fn act(face: &Arc<Face>, index: usize, ask: &Ask<'_>, action: &[&str]) -> Answer {
    if *ask.method != Method::POST {
        return Answer::not_allowed("POST");
    }
    match action {
        ["Manager.Reset"] => match text(&ask.body, "ResetType") {
            Some(kind) if RESETS.contains(&kind) => {
                face.side(index).sessions.close_all();
                Answer::empty(204)
            }
            Some(_) => Answer::bad_value("ResetType", &ask.body["ResetType"]),
            None => Answer::missing("ResetType"),
        },
        ["Oem", CHANGE_CERTIFICATE] => {
            face.certificates.change(index);
            Answer::empty(204)
        }
        _ => Answer::not_found(ask.path),
    }
}
