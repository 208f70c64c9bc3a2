use serde_json::json;

use super::*;

fn printed(kind: Kind, total: usize, verbose: bool, reports: &[(&str, Value)]) -> String {
    let mut all = Reports::new(kind, total, verbose, false);
    let mut text = String::new();
    for (node, report) in reports {
        text.push_str(&all.take(node, report));
    }
    text + &all.end()
}

fn many(count: usize, report: impl Fn(usize) -> Value) -> Vec<(String, Value)> {
    (1..=count).map(|n| (format!("n{n}"), report(n))).collect()
}

fn borrowed(reports: &[(String, Value)]) -> Vec<(&str, Value)> {
    reports
        .iter()
        .map(|(n, r)| (n.as_str(), r.clone()))
        .collect()
}

fn machine(serial: &str, bios: &str) -> Value {
    json!({"manufacturer": "ACME", "model": "R1", "serial": serial, "bios_version": bios,
        "bmc": {"firmware": "2.1"}, "memory_mib": 524_288,
        "processors": [{"name": "CPU1", "model": "X", "cores": 64}, {"name": "CPU2", "model": "X", "cores": 64}],
        "drives": [{"name": "0", "bytes": 3_840_755_982_336u64, "protocol": "NVMe", "media": "SSD", "serial": serial}],
        "nics": [{"name": "a", "mac": "02:00:00:00:00:01"}, {"name": "b"}]})
}

#[test]
fn an_inventory_is_a_line_a_machine() {
    let reports = [
        ("n10", machine("S10", "1.0")),
        ("n2", json!({"serial": "S2"})),
    ];
    let text = printed(Kind::Inventory, 2, false, &reports);
    assert_eq!(
        text,
        "NODE  MODEL    SERIAL  BIOS  BMC  PROCESSORS     MEMORY   DRIVES            NICS\n\
         n2    -        S2      -     -    -              -        -                 -\n\
         n10   ACME R1  S10     1.0   2.1  2x X 64 cores  512 GiB  3.84 TB NVMe SSD  02:00:00:00:00:01 +1\n"
    );
}

#[test]
fn like_machines_are_one_line() {
    let reports = many(1_000, |n| {
        machine(&format!("S{n}"), if n == 7 { "0.9" } else { "1.0" })
    });
    let text = printed(Kind::Inventory, 1_000, false, &borrowed(&reports));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].ends_with("NODES") && !lines[0].contains("SERIAL"));
    assert!(
        lines[1].contains("  1.0   ") && lines[1].ends_with("  n[1-6,8-1000]"),
        "{text}"
    );
    assert!(
        lines[2].contains("  0.9   ") && lines[2].ends_with("  n7"),
        "{text}"
    );
}

#[test]
fn all_of_a_machine_is_below_its_name() {
    let mut machine = machine("S1", "1.0");
    machine["boards"] =
        json!([{"name": "Builtin", "product": "B\u{1b}[2J", "fields": [["Extra", "x"]]}]);
    machine["secure_boot"] = json!({"enabled": false, "mode": "SetupMode"});
    let text = printed(Kind::Inventory, 1, true, &[("n1", machine)]);
    for line in [
        "n1:",
        "  Serial: S1",
        "  BMC: 2.1",
        "  Secure Boot: off, SetupMode",
        "  Memory: 512 GiB",
        "  Processor CPU1: X 64 cores",
        "  Drive 0: 3.84 TB NVMe SSD, S1",
        "  Nic a: 02:00:00:00:00:01",
        r"  Board Builtin: B\u001b[2J",
        "    Extra: x",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn sensors_are_rows_with_readings_of_a_kind() {
    let sensors = json!({"sensors": [
        {"name": "CPU1 Temp", "kind": "temperature", "value": 42.0, "unit": "degrees C", "health": "ok"},
        {"name": "FAN1", "kind": "fan", "value": 0.12345, "unit": "RPM", "health": "critical"},
        {"name": "PSU1", "state": "Presence detected", "health": "unknown"},
    ], "notes": ["sensor 4: no reading"]});
    let all = printed(Kind::Sensors(None), 1, false, &[("n1", sensors.clone())]);
    assert_eq!(
        all,
        "NODE  SENSOR     KIND         READING            HEALTH\n\
         n1    CPU1 Temp  temperature  42 degrees C       ok\n\
         n1    FAN1       fan          0.123 RPM          critical\n\
         n1    PSU1       -            Presence detected  -\n\
         \nn1: note: sensor 4: no reading\n"
    );
    let fans = Kind::Sensors(Some("FAN".to_owned()));
    let text = printed(fans, 1, false, &[("n1", sensors)]);
    assert!(text.contains("FAN1") && !text.contains("CPU1"), "{text}");
    let none = Kind::Sensors(Some("smell".to_owned()));
    let reports = many(100, |_| json!({"sensors": []}));
    let text = printed(none, 100, false, &borrowed(&reports));
    assert_eq!(text, "n[1-100]: no sensors of the kind 'smell'\n");
}

#[test]
fn very_many_sensors_are_told_as_they_come() {
    let mut reports = Reports::new(Kind::Sensors(None), 1_000, false, false);
    let fan = json!({"sensors": [{"name": "FAN1", "value": 7, "health": "ok"}]});
    assert_eq!(reports.take("n1", &fan).lines().count(), 2);
    assert_eq!(reports.take("n2", &fan).lines().count(), 1);
    assert_eq!(reports.end(), "");
}

#[test]
fn an_event_cannot_forge_a_line() {
    let log = json!({"events": [{"id": "1", "time": "2026-01-02T03:04:05Z", "severity": "warning",
        "source": "FAN1", "message": "low\nn2  2  all is well\u{9b}31m"}]});
    let text = printed(
        Kind::EventLog,
        2,
        false,
        &[("n1", log), ("n3", json!({"events": []}))],
    );
    assert_eq!(
        text,
        "NODE  ID  TIME                  SEVERITY  SOURCE  MESSAGE\n\
         n1    1   2026-01-02T03:04:05Z  warning   FAN1    low\\u000an2  2  all is well\\u009b31m\n\
         \nn3: no events\n"
    );
}

#[test]
fn nodes_with_the_same_value_of_an_attribute_share_a_line() {
    let reports = many(1_000, |n| {
        json!({"attributes": {"Mode": if n <= 2 { "Legacy" } else { "Uefi" }, "Cores": 4,
            "Asset": format!("A{n}")}, "pending": {"Mode": "Uefi"}})
    });
    let text = printed(Kind::Bios(Vec::new()), 1_000, false, &borrowed(&reports));
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["ATTRIBUTE", "VALUE", "NEXT", "BOOT", "NODES"]);
    assert_eq!(
        lines[21][..4],
        ["Asset", "(980", "other", "values)"],
        "{text}"
    );
    assert_eq!(lines[22], ["Cores", "4", "-", "n[1-1000]"]);
    assert_eq!(lines[23], ["Mode", "Uefi", "Uefi", "n[3-1000]"]);
    assert_eq!(lines[24], ["Mode", "Legacy", "Uefi", "n[1-2]"]);
    assert_eq!(lines.len(), 25);
    let wanted = Kind::Bios(vec!["Mode".to_owned(), "No\u{7}".to_owned()]);
    let text = printed(wanted, 1, false, &borrowed(&reports[..1]));
    assert_eq!(
        text,
        "NODE  ATTRIBUTE  VALUE   NEXT BOOT\nn1    Mode       Legacy  Uefi\n\n\
         n1: no BIOS attribute 'No\\u0007'\n"
    );
}

#[test]
fn drives_that_hold_the_same_are_one_line() {
    let reports = many(100, |n| {
        json!({"slots": [{"name": "CD", "kinds": ["CD", "DVD"], "inserted": n > 1,
            "image": "http://h/a.iso"}]})
    });
    let text = printed(Kind::Media, 100, false, &borrowed(&reports));
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(lines[1], ["CD", "CD,DVD", "http://h/a.iso", "n[2-100]"]);
    assert_eq!(lines[2], ["CD", "CD,DVD", "-", "n1"]);
}

#[test]
fn what_is_no_report_is_said() {
    let text = printed(
        Kind::Sensors(None),
        1,
        false,
        &[("n1", json!({"sensors": "none"}))],
    );
    assert_eq!(text, "n1: its report can't be understood\n");
}
