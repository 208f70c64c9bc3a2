//! Each fault as curl meets it.

use std::time::{Duration, Instant};

use xcat3_sim::bmc::redfish::{Fault, Options};

use super::plant::Plant;

const SYSTEM: &str = "/redfish/v1/Systems/1";
/// What curl ends with.
const RECEIVE_ERROR: [i32; 2] = [52, 56];
const TIMED_OUT: i32 = 28;
const PARTIAL: [i32; 2] = [18, 56];

#[test]
#[ignore = "real: programs"]
fn each_fault_is_what_it_says() {
    let plant = Plant::of(1, Options::default());
    let face = plant.face();
    let url = plant.url(0, SYSTEM);
    let curl = |words: &[&str]| {
        let mut all = vec!["--user", "admin:password", "--include"];
        all.extend_from_slice(words);
        all.push(&url);
        let output = plant.curl(&all);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().unwrap_or(-1), text)
    };

    face.set_faults(0, vec![Fault::BlackHole]);
    assert_eq!(curl(&["--max-time", "1"]).0, TIMED_OUT);
    face.set_faults(0, vec![Fault::Refuse]);
    assert_ne!(curl(&[]).0, 0);
    face.set_faults(0, vec![Fault::Reset]);
    let code = curl(&[]).0;
    assert!(RECEIVE_ERROR.contains(&code), "{code}");
    face.set_faults(0, vec![Fault::Error]);
    assert!(curl(&[]).1.starts_with("HTTP/1.1 500"));
    face.set_faults(0, vec![Fault::Busy]);
    let busy = curl(&[]).1;
    assert!(busy.starts_with("HTTP/1.1 503") && busy.contains("retry-after: 1"));
    face.set_faults(0, vec![Fault::Redirect("https://127.9.9.9".to_owned())]);
    let redirect = curl(&[]).1;
    assert!(redirect.contains("location: https://127.9.9.9/redfish/v1/Systems/1"));
    face.set_faults(0, vec![Fault::Truncated]);
    let (code, text) = curl(&[]);
    assert!(
        PARTIAL.contains(&code) && text.contains("@odata.id"),
        "{code} {text}"
    );
    face.set_faults(0, vec![Fault::ContentType]);
    assert!(curl(&[]).1.contains("content-type: text/html"));
    face.set_faults(0, vec![Fault::Html]);
    assert!(curl(&[]).1.contains("<html>"));
    face.set_faults(0, Vec::new());
    assert!(curl(&[]).1.starts_with("HTTP/1.1 200"));
}

#[test]
#[ignore = "real: programs"]
fn slow_machines_are_slow_and_others_are_not() {
    let plant = Plant::of(2, Options::default());
    let slow = Duration::from_secs(2);
    plant.face().set_faults(0, vec![Fault::Slow(slow)]);
    let started = Instant::now();
    plant.get(0, SYSTEM);
    assert!(started.elapsed() >= slow);
    let drip = Duration::from_millis(10);
    plant.face().set_faults(1, vec![Fault::Drip(drip)]);
    let started = Instant::now();
    let document = plant.get(1, SYSTEM).to_string();
    let pieces = u32::try_from(document.len() / 7).unwrap();
    assert!(started.elapsed() >= drip * (pieces / 2), "{pieces} pieces");
}

#[test]
#[ignore = "real: programs"]
fn a_huge_document_is_sent_without_being_held() {
    let plant = Plant::of(1, Options::default());
    plant.face().set_faults(0, vec![Fault::Huge(20_000_000)]);
    let url = plant.url(0, SYSTEM);
    let output = plant.curl(&[
        "--user",
        "admin:password",
        "--output",
        "/dev/null",
        "--write-out",
        "%{size_download}",
        &url,
    ]);
    let size: u64 = String::from_utf8(output.stdout).unwrap().parse().unwrap();
    assert!(size > 20_000_000, "{size}");
    plant.face().set_faults(0, vec![Fault::HugeHeaders]);
    let output = plant.curl(&["--user", "admin:password", "--include", &url]);
    let refused = !output.status.success() || output.stdout.len() > 1_000_000;
    assert!(refused, "{} bytes", output.stdout.len());
}

#[test]
#[ignore = "real: programs"]
fn a_loop_leads_back() {
    let plant = Plant::of(1, Options::default());
    plant.face().set_faults(0, vec![Fault::Loop]);
    let path = "/redfish/v1/Systems";
    let collection = plant.get(0, path);
    assert_eq!(collection["Members@odata.nextLink"], path);
}

#[test]
#[ignore = "real: programs"]
fn another_certificate_at_each_connection() {
    let plant = Plant::of(1, Options::default());
    plant.face().set_faults(0, vec![Fault::Certificate]);
    let address = plant.machines.address(0);
    let shown = || plant.face().certificate(0, address).unwrap();
    plant.get(0, SYSTEM);
    let first = shown();
    plant.get(0, SYSTEM);
    assert_ne!(first, shown());
}

#[test]
#[ignore = "real: programs"]
fn a_password_of_its_own_and_sessions_that_are_forgotten() {
    let plant = Plant::of(2, Options::default());
    plant.face().set_faults(0, vec![Fault::WrongPassword]);
    assert_eq!(plant.ask(0, SYSTEM, &[]).0, 401);
    assert_eq!(plant.ask(1, SYSTEM, &[]).0, 200);
    plant.face().set_faults(1, vec![Fault::ReadOnly]);
    let tag = ["--request", "PATCH", "--data", r#"{"AssetTag":"a"}"#];
    assert_eq!(plant.ask(1, SYSTEM, &tag).0, 403);
    plant.face().set_faults(1, vec![Fault::Forget]);
    let login = r#"{"UserName":"admin","Password":"password"}"#;
    let sessions = "/redfish/v1/SessionService/Sessions";
    assert_eq!(plant.ask(1, sessions, &["--data", login]).0, 201);
    let left = plant.get(1, sessions);
    assert_eq!(left["Members@odata.count"], 0);
}
