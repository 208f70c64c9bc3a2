//! What can be set and done: transitions of host and chassis, boot settings, the LED, the log.

use serde_json::Value;

use super::objects::{IDENTIFY, ROOT};
use super::{done, failed, not_found};
use crate::bmc::redfish::answer::Answer;
use crate::bmc::redfish::face::Face;
use crate::bmc::redfish::words::{self, Override};

/// `PUT PATH/attr/NAME`.
pub(super) fn set(face: &Face, index: usize, path: &str, name: &str, data: &Value) -> Answer {
    let Some(below) = path.strip_prefix(ROOT) else {
        return not_found(path);
    };
    match (below, name) {
        ("/state/host0", "RequestedHostTransition") => transition(face, index, data, HOST),
        ("/state/chassis0", "RequestedPowerTransition") => transition(face, index, data, CHASSIS),
        ("/state/bmc0", "RequestedBMCTransition") => {
            face.side(index).sessions.close_all();
            done(&Value::Null)
        }
        ("/control/host0/boot", _) => set_boot(face, index, name, data, false),
        ("/control/host0/boot/one_time", _) => set_boot(face, index, name, data, true),
        _ if path == IDENTIFY && name == "Asserted" => match truth(data) {
            Some(lit) => {
                face.machine(index).beacon = lit;
                done(&Value::Null)
            }
            None => bad(data),
        },
        _ => not_found(path),
    }
}

/// `POST PATH/action/NAME`.
pub(super) fn act(face: &Face, index: usize, path: &str, name: &str) -> Answer {
    let mut machine = face.machine(index);
    match path.strip_prefix(ROOT) {
        Some("/logging") if name.eq_ignore_ascii_case("deleteall") => {
            machine.clear_log();
            done(&Value::Null)
        }
        Some(below) if name == "Delete" => {
            let id = below.strip_prefix("/logging/entry/");
            let Some(id) = id.and_then(|id| id.parse::<u32>().ok()) else {
                return not_found(path);
            };
            let before = machine.events.len();
            machine.events.retain(|event| event.id != id);
            if machine.events.len() == before {
                return not_found(path);
            }
            done(&Value::Null)
        }
        _ => not_found(path),
    }
}

/// Prefix of the words, and which reset each is.
type Transitions = (&'static str, &'static [(&'static str, &'static str)]);

const HOST: Transitions = (
    "xyz.openbmc_project.State.Host.Transition.",
    &[
        ("On", "On"),
        ("Off", "GracefulShutdown"),
        ("Reboot", "PowerCycle"),
        ("GracefulWarmReboot", "GracefulRestart"),
        ("ForceWarmReboot", "ForceRestart"),
    ],
);
const CHASSIS: Transitions = (
    "xyz.openbmc_project.State.Chassis.Transition.",
    &[
        ("On", "On"),
        ("Off", "ForceOff"),
        ("PowerCycle", "PowerCycle"),
    ],
);

fn transition(face: &Face, index: usize, data: &Value, (prefix, known): Transitions) -> Answer {
    let word = data.as_str().and_then(|word| word.strip_prefix(prefix));
    let reset = known.iter().find(|(name, _)| Some(*name) == word);
    match reset {
        Some((_, reset)) => {
            words::reset(&mut face.machine(index), reset);
            done(&Value::Null)
        }
        None => bad(data),
    }
}

/// A boot setting: the lasting one, or that of the next boot.
fn set_boot(face: &Face, index: usize, name: &str, data: &Value, once: bool) -> Answer {
    let word = data.as_str().and_then(|word| word.rsplit('.').next());
    let mut machine = face.machine(index);
    let held = words::override_of(&machine);
    let target = match (name, word) {
        ("BootMode", Some("Setup")) => "BiosSetup",
        ("BootMode", Some("Regular" | "Safe")) if held.target == "BiosSetup" => "None",
        ("BootMode", Some("Regular" | "Safe")) => return done(&Value::Null),
        ("BootSource", Some("Network")) => "Pxe",
        ("BootSource", Some("Disk")) => "Hdd",
        ("BootSource", Some("ExternalMedia" | "RemovableMedia")) => "Cd",
        ("BootSource", Some("HTTP")) => "UefiHttp",
        ("BootSource", Some("Default")) if held.target == "BiosSetup" => {
            return done(&Value::Null);
        }
        ("BootSource", Some("Default")) => "None",
        ("Enabled", _) if once => match truth(data) {
            Some(false) if held.enabled == "Once" => "None",
            Some(_) => return done(&Value::Null),
            None => return bad(data),
        },
        ("BootMode" | "BootSource", _) => return bad(data),
        _ => return not_found(name),
    };
    let enabled = match (target, once) {
        ("None", _) => "Disabled",
        (_, true) => "Once",
        (_, false) => "Continuous",
    };
    let set = Override {
        enabled,
        target,
        ..held
    };
    words::set_override(&mut machine, &set);
    done(&Value::Null)
}

fn truth(data: &Value) -> Option<bool> {
    data.as_bool().or_else(|| match data.as_i64() {
        Some(0) => Some(false),
        Some(1) => Some(true),
        _ => None,
    })
}

fn bad(data: &Value) -> Answer {
    let shown: String = data.to_string().chars().take(100).collect();
    let description = format!("xyz.openbmc_project.Common.Error.InvalidArgument: {shown}");
    failed(400, "400 Bad Request", &description)
}
