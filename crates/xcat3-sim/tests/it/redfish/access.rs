//! Certificates, sessions, passwords, conditions and pages, by curl.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xcat3_sim::bmc::machine::{BootTarget, Severity};
use xcat3_sim::bmc::redfish::{Access, Flavour, Options, Signed};

use super::plant::Plant;

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
const LOGIN: &str = r#"{"UserName":"admin","Password":"password"}"#;

/// The value of a header in what `curl --include` printed.
fn header(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    })
}

#[test]
#[ignore = "real: programs"]
fn thousands_answer_on_one_port_each_as_itself() {
    let plant = Plant::of(2000, Options::default());
    for index in [0, 5, 6, 1999] {
        let root = plant.get(index, "/redfish/v1/");
        assert_eq!(root["UUID"], Value::from(plant.held(index).bmc_uuid));
    }
    let beyond = plant
        .url(1999, "/")
        .replace(&plant.machines.address(1999).to_string(), "127.78.200.200");
    assert!(!plant.curl(&[&beyond]).status.success());
}

#[test]
#[ignore = "real: programs"]
fn certificates_are_of_the_authority_until_one_is_changed() {
    let plant = Plant::of(2, Options::default());
    let shown = |index| {
        let address = plant.machines.address(index);
        plant.face().certificate(index, address).unwrap()
    };
    let pinned = shown(0);
    assert_ne!(pinned, shown(1), "each has its own");
    plant.face().change_certificate(0);
    plant.get(0, "/redfish/v1/");
    assert_ne!(pinned, shown(0));
    let change = "/redfish/v1/Managers/1/Actions/Oem/Simulator.ChangeCertificate";
    let before = shown(1);
    assert_eq!(plant.ask(1, change, &["--data", "{}"]).0, 204);
    assert_ne!(before, shown(1));
}

#[test]
#[ignore = "real: programs"]
fn a_certificate_that_the_machine_signed_itself_is_not_trusted() {
    let options = Options {
        signed: Signed::BySelf,
        ..Options::default()
    };
    let plant = Plant::of(1, options);
    let url = plant.url(0, "/redfish/v1/");
    let output = plant.curl(&[&url]);
    assert_eq!(output.status.code(), Some(60), "curl's code for a bad peer");
    assert!(plant.curl(&["--insecure", &url]).status.success());
}

#[test]
#[ignore = "real: programs"]
fn a_session_is_opened_used_and_closed() {
    let access = Access {
        slots: 1,
        ..Access::default()
    };
    let options = Options {
        access,
        ..Options::default()
    };
    let plant = Plant::of(1, options);
    let url = plant.url(0, SESSIONS);
    let opened = plant.curl(&["--include", "--data", LOGIN, &url]);
    let opened = String::from_utf8(opened.stdout).unwrap();
    assert!(opened.starts_with("HTTP/1.1 201"), "{opened}");
    let token = format!("X-Auth-Token: {}", header(&opened, "x-auth-token").unwrap());
    let location = header(&opened, "location").unwrap();
    let with_token = |path: &str, words: &[&str]| {
        let url = plant.url(0, path);
        let mut all = vec!["--output", "/dev/null", "--write-out", "%{http_code}"];
        all.extend(["--header", &token]);
        all.extend_from_slice(words);
        all.push(&url);
        String::from_utf8(plant.curl(&all).stdout).unwrap()
    };
    assert_eq!(with_token("/redfish/v1/Systems/1", &[]), "200");
    let full = plant.ask(0, SESSIONS, &["--data", LOGIN]);
    assert_eq!(full.0, 503, "{}", full.1);
    assert_eq!(with_token(&location, &["--request", "DELETE"]), "204");
    assert_eq!(with_token("/redfish/v1/Systems/1", &[]), "401");
    assert_eq!(plant.ask(0, SESSIONS, &["--data", LOGIN]).0, 201);
}

#[test]
#[ignore = "real: programs"]
fn wrong_passwords_lock_the_account() {
    let access = Access {
        lockout: Some((3, Duration::from_secs(3600))),
        ..Access::default()
    };
    let options = Options {
        access,
        ..Options::default()
    };
    let plant = Plant::of(2, options);
    let wrong = r#"{"UserName":"admin","Password":"guess"}"#;
    for _ in 0..3 {
        assert_eq!(plant.ask(0, SESSIONS, &["--data", wrong]).0, 401);
    }
    assert_eq!(plant.ask(0, "/redfish/v1/Systems", &[]).0, 401);
    assert_eq!(plant.ask(1, "/redfish/v1/Systems", &[]).0, 200);
}

#[test]
#[ignore = "real: programs"]
fn a_change_that_demands_an_etag_is_refused_without_the_right_one() {
    let plant = Plant::of(
        1,
        Options {
            flavours: Flavour::Xcc.into(),
            ..Options::default()
        },
    );
    let system = "/redfish/v1/Systems/1";
    let patch = |words: &[&str]| {
        let body = r#"{"AssetTag":"a1"}"#;
        let mut all = vec!["--request", "PATCH", "--data", body];
        all.extend_from_slice(words);
        plant.ask(0, system, &all).0
    };
    assert_eq!(patch(&[]), 428);
    let old = plant.get(0, system)["@odata.etag"].clone();
    let condition = format!("If-Match: {}", old.as_str().unwrap());
    assert_eq!(patch(&["--header", &condition]), 204);
    assert_eq!(plant.held(0).asset_tag, "a1");
    assert_eq!(patch(&["--header", &condition]), 412);
}

#[test]
#[ignore = "real: programs"]
fn a_long_log_comes_in_pages() {
    let plant = Plant::of(
        1,
        Options {
            page: 7,
            ..Options::default()
        },
    );
    for number in 0..30 {
        let mut machine = plant.machines.machine(0);
        machine.event(Severity::Warning, "test", &format!("event {number}"));
    }
    let mut next = Some("/redfish/v1/Systems/1/LogServices/SEL/Entries".to_owned());
    let (mut seen, mut pages) = (HashSet::new(), 0);
    while let Some(path) = next {
        let page = plant.get(0, &path);
        assert_eq!(page["Members@odata.count"], json!(33));
        for member in page["Members"].as_array().unwrap() {
            assert!(seen.insert(member["Id"].to_string()), "{member} came twice");
        }
        next = page["Members@odata.nextLink"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((seen.len(), pages), (33, 5));
    let clear = "/redfish/v1/Systems/1/LogServices/SEL/Actions/LogService.ClearLog";
    assert_eq!(plant.ask(0, clear, &["--data", "{}"]).0, 204);
    assert!(plant.held(0).events.is_empty());
}

#[test]
#[ignore = "real: programs"]
fn a_collection_is_told_with_its_members_by_who_can_do_that() {
    let flavours = "standard,supermicro,megarac".parse().unwrap();
    let plant = Plant::of(
        3,
        Options {
            flavours,
            ..Options::default()
        },
    );
    let system = plant.get(0, "/redfish/v1/Systems/1");
    for query in ["$expand=.", "%24expand=*", "$expand=.($levels=1)"] {
        let (status, all) = plant.ask(0, &format!("/redfish/v1/Systems?{query}"), &["--globoff"]);
        let member = &all["Members"][0];
        assert_eq!((status, &all["Members@odata.count"]), (200, &json!(1)));
        for name in ["@odata.id", "PowerState", "Boot", "SerialNumber"] {
            assert_eq!(member[name], system[name], "{query}: {name}");
        }
    }
    let asked = "/redfish/v1/Systems?$expand=.";
    let reference = json!([{"@odata.id": "/redfish/v1/Systems/1"}]);
    assert_eq!(plant.get(1, asked)["Members"], reference);
    assert_eq!(plant.ask(2, asked, &[]).0, 501);
    assert_eq!(
        plant.ask(0, "/redfish/v1/Systems?$expand=Members", &[]).0,
        400
    );
}

#[test]
#[ignore = "real: programs"]
fn a_reset_by_task_is_done_when_its_monitor_says_so() {
    let plant = Plant::of(
        1,
        Options {
            flavours: Flavour::Idrac.into(),
            task_time: Duration::from_millis(200),
            ..Options::default()
        },
    );
    let reset = "/redfish/v1/Systems/System.Embedded.1/Actions/ComputerSystem.Reset";
    let on = r#"{"ResetType":"On"}"#;
    let (status, task) = plant.ask(0, reset, &["--data", on]);
    assert_eq!(status, 202, "{task}");
    let monitor = task["TaskMonitor"].as_str().unwrap();
    let started = Instant::now();
    while plant.ask(0, monitor, &[]).0 == 202 {
        assert!(started.elapsed() < Duration::from_secs(30), "still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(plant.held(0).power);
    let task = plant.get(0, task["@odata.id"].as_str().unwrap());
    assert_eq!(task["TaskState"], "Completed");
}

#[test]
#[ignore = "real: programs"]
fn boot_overrides_are_taken_as_the_flavour_takes_them() {
    let set = |plant: &Plant, path: &str, boot: Value| {
        let body = json!({ "Boot": boot }).to_string();
        let words = [
            "--request",
            "PATCH",
            "--data",
            &body,
            "--header",
            "If-Match: *",
        ];
        plant.ask(0, path, &words).0
    };
    let of = |flavour: Flavour| {
        Plant::of(
            1,
            Options {
                flavours: flavour.into(),
                ..Options::default()
            },
        )
    };
    let (system, uri) = ("/redfish/v1/Systems/1", "http://10.0.0.1/boot.efi");
    let http = json!({"BootSourceOverrideTarget": "UefiHttp", "HttpBootUri": uri});
    let plant = of(Flavour::Standard);
    assert_eq!(set(&plant, system, http), 204);
    let held = plant.held(0);
    assert_eq!(held.boot.unwrap().target, BootTarget::Http);
    assert_eq!(held.http_boot.as_deref(), Some(uri));
    let disabled = json!({"BootSourceOverrideEnabled": "Disabled"});
    assert_eq!(set(&plant, system, disabled), 204);
    assert!(plant.held(0).boot.is_none());
    let unknown = json!({"BootSourceOverrideTarget": "Tape"});
    assert_eq!(set(&plant, system, unknown), 400);

    let pxe = json!({"BootSourceOverrideTarget": "Pxe"});
    let with_mode = json!({"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideMode": "UEFI"});
    let plant = of(Flavour::Supermicro);
    assert_eq!(set(&plant, system, pxe.clone()), 400, "a mode is demanded");
    assert_eq!(set(&plant, system, with_mode.clone()), 204);
    let plant = of(Flavour::Early);
    assert_eq!(set(&plant, system, with_mode), 400, "there is no mode");
    assert_eq!(set(&plant, system, pxe.clone()), 204);
    let plant = of(Flavour::Megarac);
    assert_eq!(set(&plant, "/redfish/v1/Systems/Self", pxe.clone()), 400);
    assert_eq!(set(&plant, "/redfish/v1/Systems/Self/SD", pxe), 204);
    assert_eq!(plant.held(0).boot.unwrap().target, BootTarget::Net);
}

#[test]
#[ignore = "real: programs"]
fn media_without_actions_take_a_change_of_their_image() {
    let plant = Plant::of(
        1,
        Options {
            flavours: Flavour::Xcc.into(),
            ..Options::default()
        },
    );
    let medium = "/redfish/v1/Managers/1/VirtualMedia/CD1";
    assert!(plant.get(0, medium).get("Actions").is_none());
    let put = |image: Value| {
        let body = json!({"Image": image, "Inserted": !image.is_null()}).to_string();
        let words = [
            "--request",
            "PATCH",
            "--data",
            &body,
            "--header",
            "If-Match: *",
        ];
        plant.ask(0, medium, &words).0
    };
    assert_eq!(put(json!("http://10.0.0.1/x.iso")), 204);
    assert_eq!(plant.get(0, medium)["Inserted"], true);
    assert_eq!(put(json!("gopher://x")), 400);
    assert_eq!(put(Value::Null), 204);
    assert_eq!(plant.held(0).media[0].image, None);
}

#[test]
#[ignore = "real: programs"]
fn power_may_take_its_time() {
    let plant = Plant::of(
        1,
        Options {
            power_time: Duration::from_millis(300),
            ..Options::default()
        },
    );
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    let started = Instant::now();
    let on = r#"{"ResetType":"On"}"#;
    assert_eq!(plant.ask(0, reset, &["--data", on]).0, 204);
    while plant.get(0, "/redfish/v1/Systems/1")["PowerState"] != "On" {
        assert!(started.elapsed() < Duration::from_secs(30), "still off");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(started.elapsed() >= Duration::from_millis(300));
}

/// Every link that a machine gives leads to a document, whatever its flavour.
#[test]
#[ignore = "real: programs"]
fn no_link_is_dead() {
    for flavour in Flavour::ALL {
        let plant = Plant::of(
            1,
            Options {
                flavours: flavour.into(),
                ..Options::default()
            },
        );
        let mut waiting = vec!["/redfish/v1/".to_owned()];
        let mut seen = HashSet::new();
        while let Some(path) = waiting.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let document = plant.get(0, &path);
            links(&document, &mut waiting);
        }
        assert!(seen.len() > 15, "{}: {seen:?}", flavour.name());
    }
}

fn links(document: &Value, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(path) if name == "@odata.id" && !path.contains('#') => {
                        found.push(path.to_owned());
                    }
                    _ => links(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| links(value, found)),
        _ => {}
    }
}
