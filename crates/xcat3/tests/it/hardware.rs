//! Commands on hardware: what they ask, and how reports are told as they come.

use serde_json::{Value, json};

use crate::fake::{Answer, Fake, JOB, Step, end};
use crate::{server, stderr, stdout, xcat3};

#[test]
fn each_command_asks_its_route() {
    let media = r#"{"url":"cifs://u:p@h/a.iso","boot":true}"#;
    let bios = r#"{"attributes":{"Mode":"Uefi","Tag":"a=b"}}"#;
    let cases: [(&[&str], &str, &str); 16] = [
        (
            &["power", "a", "cycle"],
            "PUT /v1/nodes/power?target=cycle&",
            "",
        ),
        (
            &["power", "a", "soft"],
            "PUT /v1/nodes/power?target=soft&",
            "",
        ),
        (
            &["bootdev", "a", "http"],
            "PUT /v1/nodes/boot_device?target=http&",
            "",
        ),
        (
            &["bootdev", "a", "setup", "--persistent", "--uefi"],
            "PUT /v1/nodes/boot_device?target=setup&persistent=true&uefi=true&",
            "",
        ),
        (&["inventory", "a"], "GET /v1/hardware/inventory?", ""),
        (
            &["sensors", "a", "--kind", "fan"],
            "GET /v1/hardware/sensors?",
            "",
        ),
        (&["eventlog", "a"], "GET /v1/hardware/eventlog?", ""),
        (
            &["eventlog", "a", "clear"],
            "DELETE /v1/hardware/eventlog?",
            "",
        ),
        (&["beacon", "a"], "GET /v1/hardware/beacon?", ""),
        (
            &["beacon", "a", "off"],
            "PUT /v1/hardware/beacon?target=off&",
            "",
        ),
        (&["bios", "a"], "GET /v1/hardware/bios?", ""),
        (&["bios", "a", "get", "Mode"], "GET /v1/hardware/bios?", ""),
        (
            &["bios", "a", "set", "Mode=Uefi", "Tag=a=b"],
            "PUT /v1/hardware/bios?",
            bios,
        ),
        (&["media", "a"], "GET /v1/hardware/media?", ""),
        (
            &["media", "a", "insert", "cifs://u:p@h/a.iso", "--boot"],
            "PUT /v1/hardware/media?",
            media,
        ),
        (&["media", "a", "eject"], "DELETE /v1/hardware/media?", ""),
    ];
    for (arguments, request, body) in cases {
        let server = server(200, json!({"nodes": {"a": "ok"}}));
        let output = server.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        let asked = format!("{request}nodes=a {body}");
        assert_eq!(server.asked(), [asked.trim_end()], "{arguments:?}");
    }
}

#[test]
fn what_makes_no_sense_is_not_asked() {
    for (arguments, why) in [
        (&["bootdev", "a", "--uefi"][..], "go with a device to set"),
        (&["bios", "a", "get", "Mode=Uefi"], "bios NODES set Mode="),
        (&["bios", "a", "set"], "NAME=VALUE"),
        (&["bios", "a", "set", "Mode"], "'Mode' is not NAME=VALUE"),
        (&["bios", "a", "set", "M=1", "M=2"], "M is set twice"),
        (&["media", "a", "insert"], "the address of an image"),
        (&["media", "a", "eject", "http://h/a"], "goes with insert"),
        (&["media", "a", "--boot"], "--boot goes with insert"),
    ] {
        let server = server(200, json!({}));
        let output = server.run(arguments);
        assert!(
            stderr(&output).contains(why),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_ne!(output.status.code(), Some(0));
        assert_eq!(server.asked(), [""; 0]);
    }
}

fn report(number: usize, report: &Value) -> Step {
    numbered(number, number, report)
}

fn numbered(sequence: usize, node: usize, report: &Value) -> Step {
    Step::Say(format!(
        "{{\"sequence\":{sequence},\"node\":\"n{node}\",\"outcome\":\"ok\",\"result\":\"ok\",\"report\":{report}}}\n"
    ))
}

fn failure(sequence: usize, node: usize) -> Step {
    Step::Say(format!(
        "{{\"sequence\":{sequence},\"node\":\"n{node}\",\"outcome\":\"failed\",\"result\":\"no\\u001b[2J answer\"}}\n"
    ))
}

#[test]
fn reports_are_a_table_then_what_failed_then_the_counts() {
    let fan = |speed: u32| json!({"sensors": [{"name": "FAN1", "kind": "fan", "value": speed, "unit": "RPM", "health": "ok"}]});
    let lines = move |_: &_, _| {
        let steps = vec![
            numbered(1, 2, &fan(11_000)),
            failure(2, 3),
            numbered(3, 1, &fan(900)),
            end("done", 2, 1, 0),
        ];
        Answer::lines(steps)
    };
    let server = Fake::start(lines);
    let output = xcat3(&server.url, &["sensors", "n[1-3]"]);
    assert_eq!(
        stdout(&output),
        "NODE  SENSOR  KIND  READING    HEALTH\n\
         n1    FAN1    fan   900 RPM    ok\n\
         n2    FAN1    fan   11000 RPM  ok\n\
         n3: no\\u001b[2J answer\n\nSuccess: 2  Total: 3\n"
    );
    assert_eq!(output.status.code(), Some(1));
    let json = xcat3(&server.url, &["--json", "sensors", "n[1-3]"]);
    let told: Vec<Value> = stdout(&json)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(told.len(), 4);
    assert_eq!(told[0]["report"], fan(11_000));
}

#[test]
fn a_job_that_reports_is_followed_with_its_reports() {
    let job = json!({"job": {"id": JOB, "operation": "bios get", "state": "done", "nodes": 70, "done": 70,
        "failed": 0, "left_alone": 0, "batch": null, "max_failures": null, "created_ms": 1,
        "finished_ms": 2}, "outcomes": [], "next": null});
    let server = Fake::start(move |asked, _| {
        if asked.line.contains("/events") {
            let mode = |n| json!({"attributes": {"Mode": if n == 70 { "Legacy" } else { "Uefi" }}});
            let steps = (1..=70).map(|n| report(n, &mode(n)));
            let steps = steps.chain([end("done", 70, 0, 0)]);
            Answer::events(steps.map(crate::fake::event).collect())
        } else {
            Answer::json(200, &job)
        }
    });
    let output = xcat3(&server.url, &["job", JOB, "--follow"]);
    assert_eq!(
        stdout(&output),
        "ATTRIBUTE  VALUE   NEXT BOOT  NODES\n\
         Mode       Uefi    -          n[1-69]\n\
         Mode       Legacy  -          n70\n\
         \nSuccess: 70  Total: 70\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_report_may_be_as_long_as_they_get() {
    let message = "x".repeat(1_000_000);
    let server = Fake::start(move |_, _| {
        let log = json!({"events": [{"id": "1", "message": message}]});
        Answer::lines(vec![report(1, &log), end("done", 1, 0, 0)])
    });
    let output = xcat3(&server.url, &["eventlog", "n1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).len() > 1_000_000);
}

#[test]
fn no_control_character_of_a_json_line_reaches_a_terminal() {
    let server = Fake::start(|_, _| {
        let log = json!({"events": [{"id": "1", "message": "a\u{9b}31m\u{202e}\u{7f}"}]});
        Answer::lines(vec![report(1, &log), end("done", 1, 0, 0)])
    });
    let output = xcat3(&server.url, &["--json", "eventlog", "n1"]);
    let text = stdout(&output);
    assert!(text.contains(r"a\u009b31m\u202e\u007f"), "{text}");
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        line["report"]["events"][0]["message"],
        "a\u{9b}31m\u{202e}\u{7f}"
    );
}
