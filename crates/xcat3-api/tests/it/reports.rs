//! Inventory, sensors, event log, light, BIOS and media: each route has its operation carried out, and
//! answers in all the ways that power does.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xcat3_core::control::{ControlOperation, MediaImage};

use crate::stream::{Stream, asking};
use crate::wire::Wire;
use crate::world::{World, names};

#[tokio::test]
async fn a_report_is_answered_together_streamed_and_as_a_job() {
    let world = World::new().await;
    world.enrol(2).await;
    let target = "/v1/hardware/inventory?nodes=node[1-2],node9";
    let answer = world.expect(200, "GET", target, Value::Null).await;
    let found = |name: &str| json!({"serial": format!("S-{name}")});
    let missing = &answer["nodes"]["node9"];
    assert_eq!(
        answer,
        json!({"nodes": {"node1": found("node1"), "node2": found("node2"), "node9": missing}})
    );
    assert!(missing.is_string(), "{missing}");

    let mut stream = Stream::lines(&world, "GET", target, &json!({})).await;
    let job = stream.job();
    let mut lines = stream.rest().await;
    assert_eq!(lines.len(), 4);
    let end = lines.pop().unwrap();
    assert_eq!((&end["done"], &end["failed"]), (&json!(2), &json!(1)));
    for line in lines.iter().filter(|line| line["node"] != "node9") {
        assert_eq!(
            (&line["outcome"], &line["result"]),
            (&json!("ok"), &json!("ok"))
        );
        assert_eq!(line["report"], found(line["node"].as_str().unwrap()));
    }
    let page = world
        .expect(200, "GET", &format!("/v1/jobs/{job}"), Value::Null)
        .await;
    assert_eq!(page["job"]["operation"], "inventory");
    assert_eq!(page["outcomes"], Value::from(lines));

    let headers = [("Prefer", "respond-async"), ("Idempotency-Key", "k")];
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::to(world.address).await;
        let answer = wire.exchange(&asking("GET", target, &headers, "")).await;
        assert_eq!(answer.status, 202);
        jobs.push(answer.json()["id"].clone());
    }
    assert_eq!(jobs[0], jobs[1]);
    let events = format!("/v1/jobs/{}/events", jobs[0].as_str().unwrap());
    let mut events = Stream::events(&world, &events, &[]).await;
    let mut told = 0;
    while let Some((_, kind, event)) = events.event().await {
        told += usize::from(kind == "outcome" && event["report"].is_object());
    }
    assert_eq!(told, 2);
}

#[tokio::test]
async fn each_change_is_ordered_as_it_was_asked_for() {
    let world = World::new().await;
    world.enrol(1).await;
    let bios = json!({"nodes": [{"name": "node1"}], "attributes": {"SMT": "Off", "Cores": 4}});
    let range = json!({"attributes": {"SMT": "On"}});
    let cifs = json!({"nodes": [{"name": "node1"}], "url": "cifs://u:p@h/a.iso", "boot": true});
    for (method, target, body) in [
        ("PUT", "/v1/hardware/beacon?target=on", names(&["node1"])),
        (
            "PUT",
            "/hardware/beacon?target=off&nodes=node1",
            Value::Null,
        ),
        ("DELETE", "/v1/hardware/eventlog", names(&["node1"])),
        ("PUT", "/v1/hardware/bios", bios),
        ("PUT", "/v1/hardware/bios?nodes=node1&batch=1", range),
        (
            "PUT",
            "/v1/hardware/media?url=http%3A%2F%2Fh%2Fa.iso&nodes=node1",
            Value::Null,
        ),
        (
            "PUT",
            "/v1/hardware/media?url=nfs://h/a.iso&boot=true",
            names(&["node1"]),
        ),
        ("PUT", "/v1/hardware/media", cifs),
        ("DELETE", "/v1/hardware/media?nodes=node1", json!({})),
    ] {
        let answer = world.expect(202, method, target, body).await;
        assert_eq!(answer, json!({"nodes": {"node1": "ok"}}), "{target}");
    }
    let attributes = |list: &[(&str, &str)]| {
        let owned = list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        ControlOperation::SetBios(owned.collect::<BTreeMap<_, _>>())
    };
    let image = |url: &str, boot| {
        ControlOperation::InsertMedia(MediaImage {
            url: url.to_owned(),
            boot,
        })
    };
    assert_eq!(
        *world.machines.told.lock().unwrap(),
        [
            ControlOperation::Beacon(true),
            ControlOperation::Beacon(false),
            ControlOperation::ClearEventLog,
            attributes(&[("Cores", "4"), ("SMT", "Off")]),
            attributes(&[("SMT", "On")]),
            image("http://h/a.iso", false),
            image("nfs://h/a.iso", true),
            image("cifs://u:p@h/a.iso", true),
            ControlOperation::EjectMedia,
        ]
    );
    let light = world
        .expect(200, "GET", "/v1/hardware/beacon", names(&["node1"]))
        .await;
    assert_eq!(light, json!({"nodes": {"node1": "off"}}));
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_in_a_sentence() {
    let world = World::without_conductor(1).await;
    let node = || json!({"nodes": [{"name": "a"}]});
    let with = |key: &str, value: Value| {
        let mut body = node();
        body[key] = value;
        body
    };
    for (method, target, body, why) in [
        (
            "PUT",
            "/v1/nodes/power?target=sideways",
            node(),
            "use one of on, off, boot, reset, cycle, soft",
        ),
        (
            "PUT",
            "/v1/nodes/boot_device?target=tape",
            node(),
            "use one of net, disk, cdrom, setup, http",
        ),
        (
            "PUT",
            "/v1/nodes/boot_device?target=net&uefi=1",
            node(),
            "uefi '1' is neither true nor false",
        ),
        (
            "PUT",
            "/v1/hardware/beacon?target=blink",
            node(),
            "use on or off",
        ),
        ("PUT", "/v1/hardware/beacon", node(), "'target' is missing"),
        ("PUT", "/v1/hardware/media", node(), "'url' is missing"),
        (
            "PUT",
            "/v1/hardware/media?url=ftp://u:hidden@h/a",
            node(),
            "use http://, https://, nfs:// or cifs://",
        ),
        (
            "PUT",
            "/v1/hardware/media?url=http://u:hidden@/a",
            node(),
            "names no host",
        ),
        (
            "PUT",
            "/v1/hardware/media?url=http://h/a&boot=2",
            node(),
            "boot '2' is neither",
        ),
        (
            "PUT",
            "/v1/hardware/media?url=http://h/a",
            with("url", json!("http://h/b")),
            "twice",
        ),
        (
            "PUT",
            "/v1/hardware/media?url=http://h/a&nodes=a",
            node(),
            "named twice",
        ),
        (
            "PUT",
            "/v1/hardware/media?url=http://h/a",
            Value::Null,
            "missing field 'nodes'",
        ),
        ("PUT", "/v1/hardware/bios", node(), "sets no BIOS attribute"),
        (
            "PUT",
            "/v1/hardware/bios",
            with("attributes", json!({"a": ["hidden"]})),
            "attribute a must be a text, not a list",
        ),
        (
            "PUT",
            "/v1/hardware/bios",
            with("attributes", json!("hidden")),
            "expected an object of attributes",
        ),
        (
            "PUT",
            "/v1/hardware/bios",
            with("values", json!({})),
            "unknown field 'values'",
        ),
        (
            "PUT",
            "/v1/hardware/bios?target=x",
            node(),
            "unknown parameter 'target'",
        ),
        (
            "GET",
            "/v1/hardware/sensors?kind=fan",
            node(),
            "unknown parameter 'kind'",
        ),
        (
            "GET",
            "/v1/hardware/inventory",
            Value::Null,
            "names the nodes",
        ),
    ] {
        let sentence = world.refused(400, method, target, body).await;
        assert!(sentence.contains(why), "{method} {target}: {sentence}");
        assert!(!sentence.contains("hidden"), "{sentence}");
    }
}
