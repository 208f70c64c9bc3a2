//! The computer system: power, boot override, LED, and links to what is below it.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};

use super::answer::Answer;
use super::face::{Ask, Face};
use super::flavour::{Habits, Led, MediaAt};
use super::hardware::summaries;
use super::resources::{add, head, here, link, text};
use super::tasks;
use super::words::{self, Override};
use crate::bmc::machine::RestorePolicy;

/// A system's resource; `parts` are those behind its id.
pub(super) fn answer(face: &Arc<Face>, index: usize, ask: &Ask<'_>, parts: &[&str]) -> Answer {
    let habits = face.habits(index);
    match parts {
        [] if ask.reads() => Answer::document(document(face, index, here(ask))),
        [] if *ask.method == Method::PATCH => patch(face, index, ask, &habits),
        ["SD"] if habits.boot_settings && ask.reads() => {
            Answer::document(settings(face, index, here(ask)))
        }
        ["SD"] if habits.boot_settings && *ask.method == Method::PATCH => {
            set_boot(face, index, &ask.body["Boot"], &habits)
        }
        [] | ["SD"] => Answer::not_allowed("GET, PATCH"),
        ["ResetActionInfo"] if habits.allowable && ask.reads() => {
            Answer::document(action_info(here(ask), &habits))
        }
        ["Actions", "ComputerSystem.Reset"] if *ask.method == Method::POST => {
            reset(face, index, ask, &habits)
        }
        ["Actions", "ComputerSystem.Reset"] => Answer::not_allowed("POST"),
        _ => Answer::not_found(ask.path),
    }
}

fn document(face: &Face, index: usize, path: &str) -> Value {
    let habits = face.habits(index);
    let machine = face.machine(index);
    let mut system = head(
        path,
        "#ComputerSystem.v1_13_0.ComputerSystem",
        habits.system,
        "System",
    );
    let state = if machine.power {
        "Enabled"
    } else {
        "StandbyOffline"
    };
    add(
        &mut system,
        json!({
            "SystemType": "Physical",
            "Manufacturer": machine.manufacturer,
            "Model": machine.model,
            "SerialNumber": machine.serial,
            "PartNumber": machine.part_number,
            "SKU": machine.part_number,
            "AssetTag": machine.asset_tag,
            "UUID": machine.uuid,
            "HostName": format!("node-{index}"),
            "BiosVersion": machine.bios_version,
            "PowerState": if machine.power { "On" } else { "Off" },
            "PowerRestorePolicy": match machine.restore {
                RestorePolicy::Off => "AlwaysOff",
                RestorePolicy::Previous => "LastState",
                RestorePolicy::On => "AlwaysOn",
            },
            "Status": {"State": state, "Health": "OK", "HealthRollup": "OK"},
            "Actions": {"#ComputerSystem.Reset": reset_action(path, &habits)},
            "Links": {
                "Chassis": [link(&format!("/redfish/v1/Chassis/{}", habits.chassis))],
                "ManagedBy": [link(&format!("/redfish/v1/Managers/{}", habits.manager))],
            },
        }),
    );
    let boot = boot(&words::override_of(&machine), &habits);
    add(&mut system, json!({"Boot": boot}));
    add(&mut system, summaries());
    add(&mut system, led(machine.beacon, habits.led));
    add(&mut system, below(path, &habits));
    system
}

fn below(path: &str, habits: &Habits) -> Value {
    let mut names = vec!["Processors", "Memory", "EthernetInterfaces", "SecureBoot"];
    names.push(match habits.storage {
        true => "Storage",
        false => "SimpleStorage",
    });
    if habits.bios.is_some() {
        names.push("Bios");
    }
    if !habits.manager_logs {
        names.push("LogServices");
    }
    if matches!(habits.media, MediaAt::System | MediaAt::Both) {
        names.push("VirtualMedia");
    }
    let links = names.into_iter();
    let links = links.map(|name| (name.to_owned(), link(&format!("{path}/{name}"))));
    let mut below = Value::Object(links.collect());
    if habits.boot_settings {
        let settings = json!({"SettingsObject": link(&format!("{path}/SD"))});
        add(&mut below, json!({"@Redfish.Settings": settings}));
    }
    below
}

fn reset_action(path: &str, habits: &Habits) -> Value {
    let mut action = json!({"target": format!("{path}/Actions/ComputerSystem.Reset")});
    if habits.allowable {
        let more = json!({
            "ResetType@Redfish.AllowableValues": habits.resets,
            "@Redfish.ActionInfo": format!("{path}/ResetActionInfo"),
        });
        add(&mut action, more);
    }
    action
}

fn action_info(path: &str, habits: &Habits) -> Value {
    let mut info = head(
        path,
        "#ActionInfo.v1_1_2.ActionInfo",
        "ResetActionInfo",
        "Reset Action Info",
    );
    let parameter = json!({
        "Name": "ResetType",
        "Required": true,
        "DataType": "String",
        "AllowableValues": habits.resets,
    });
    add(&mut info, json!({"Parameters": [parameter]}));
    info
}

fn boot(set: &Override, habits: &Habits) -> Value {
    let mut boot = json!({
        "BootSourceOverrideEnabled": set.enabled,
        "BootSourceOverrideTarget": set.target,
    });
    if habits.allowable {
        let more = json!({"BootSourceOverrideTarget@Redfish.AllowableValues": habits.targets});
        add(&mut boot, more);
    }
    if habits.boot_mode {
        let more = json!({
            "BootSourceOverrideMode": set.mode,
            "BootSourceOverrideMode@Redfish.AllowableValues": ["Legacy", "UEFI"],
        });
        add(&mut boot, more);
    }
    if habits.targets.contains(&"UefiHttp") {
        add(&mut boot, json!({"HttpBootUri": set.uri}));
    }
    boot
}

/// The LED in the properties that the flavour has.
pub(super) fn led(lit: bool, habit: Led) -> Value {
    let indicator = if lit { "Blinking" } else { "Off" };
    match habit {
        Led::Indicator => json!({"IndicatorLED": indicator}),
        Led::Location => json!({"LocationIndicatorActive": lit}),
        Led::Both => json!({"IndicatorLED": indicator, "LocationIndicatorActive": lit}),
    }
}

/// The LED as a request sets it; nothing where the request does not.
///
/// # Errors
/// The flavour has no such property, or no such value of it.
pub(super) fn led_set(name: &str, value: &Value, habit: Led) -> Result<bool, Box<Answer>> {
    let known = match name {
        "IndicatorLED" => habit != Led::Location,
        _ => habit != Led::Indicator,
    };
    if !known {
        return Err(Box::new(Answer::unknown_property(name)));
    }
    match (name, value.as_str(), value.as_bool()) {
        ("IndicatorLED", Some("Lit" | "Blinking"), _) => Ok(true),
        ("IndicatorLED", Some("Off"), _) => Ok(false),
        ("LocationIndicatorActive", _, Some(lit)) => Ok(lit),
        _ => Err(Box::new(Answer::bad_value(name, value))),
    }
}

fn settings(face: &Face, index: usize, path: &str) -> Value {
    let habits = face.habits(index);
    let machine = face.machine(index);
    let mut settings = head(
        path,
        "#ComputerSystem.v1_13_0.ComputerSystem",
        "SD",
        "Settings",
    );
    let boot = boot(&words::override_of(&machine), &habits);
    add(&mut settings, json!({"Boot": boot}));
    settings
}

fn patch(face: &Arc<Face>, index: usize, ask: &Ask<'_>, habits: &Habits) -> Answer {
    let Some(fields) = ask.body.as_object() else {
        return Answer::missing("Boot");
    };
    for (name, value) in fields {
        let answer = match name.as_str() {
            "Boot" if habits.boot_settings => Answer::unknown_property("Boot"),
            "Boot" => set_boot(face, index, value, habits),
            "IndicatorLED" | "LocationIndicatorActive" => match led_set(name, value, habits.led) {
                Ok(lit) => {
                    face.machine(index).beacon = lit;
                    continue;
                }
                Err(answer) => *answer,
            },
            "AssetTag" => match value.as_str() {
                Some(tag) if tag.len() <= 63 => {
                    face.machine(index).asset_tag = tag.to_owned();
                    continue;
                }
                _ => Answer::bad_value(name, value),
            },
            _ => Answer::unknown_property(name),
        };
        if !answer.is_success() {
            return answer;
        }
    }
    Answer::empty(204)
}

fn set_boot(face: &Face, index: usize, boot: &Value, habits: &Habits) -> Answer {
    if !boot.is_object() {
        return Answer::missing("Boot");
    }
    let mut machine = face.machine(index);
    let mut set = words::override_of(&machine);
    if let Some(target) = boot.get("BootSourceOverrideTarget") {
        let wanted = target.as_str().unwrap_or_default();
        let Some(known) = habits.targets.iter().find(|known| **known == wanted) else {
            return Answer::bad_value("BootSourceOverrideTarget", target);
        };
        if habits.mode_demanded && text(boot, "BootSourceOverrideMode").is_none() {
            return Answer::missing("BootSourceOverrideMode");
        }
        set.target = known;
        if boot.get("BootSourceOverrideEnabled").is_none() && set.enabled == "Disabled" {
            set.enabled = "Once";
        }
    }
    if let Some(enabled) = boot.get("BootSourceOverrideEnabled") {
        set.enabled = match enabled.as_str() {
            Some("Once") => "Once",
            Some("Continuous") => "Continuous",
            Some("Disabled") => "Disabled",
            _ => return Answer::bad_value("BootSourceOverrideEnabled", enabled),
        };
    }
    if let Some(mode) = boot.get("BootSourceOverrideMode") {
        set.mode = match mode.as_str() {
            _ if !habits.boot_mode => return Answer::unknown_property("BootSourceOverrideMode"),
            Some("UEFI") => "UEFI",
            Some("Legacy") => "Legacy",
            _ => return Answer::bad_value("BootSourceOverrideMode", mode),
        };
    }
    if let Some(uri) = boot.get("HttpBootUri") {
        set.uri = uri.as_str().map(str::to_owned);
    }
    words::set_override(&mut machine, &set);
    Answer::empty(204)
}

fn reset(face: &Arc<Face>, index: usize, ask: &Ask<'_>, habits: &Habits) -> Answer {
    let Some(kind) = text(&ask.body, "ResetType") else {
        return Answer::missing("ResetType");
    };
    let Some(kind) = habits.resets.iter().find(|one| **one == kind) else {
        return Answer::bad_value("ResetType", &ask.body["ResetType"]);
    };
    if let Err(sentence) = words::may_reset(&face.machine(index), kind) {
        return Answer::conflict(sentence);
    }
    if habits.reset_task || face.options.tasks {
        return tasks::begin(face, index, "Reset", move |face| {
            words::reset(&mut face.machine(index), kind);
        });
    }
    let power_time = face.options.power_time;
    if power_time.is_zero() {
        words::reset(&mut face.machine(index), kind);
    } else {
        face.later(power_time, move |face| {
            words::reset(&mut face.machine(index), kind);
        });
    }
    Answer::empty(204)
}
