//! Machines that boot without being known: listed until they are enrolled or forgotten.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use xcat3_core::DiscoveredMachine;

use crate::stream::Stream;
use crate::world::World;

fn machine(mac: &str, first_ms: i64) -> DiscoveredMachine {
    DiscoveredMachine {
        mac: mac.parse().unwrap(),
        network: "c920".to_owned(),
        ip: Some("11.4.40.111".parse().unwrap()),
        vendor_class: Some("PXEClient:Arch:00007".to_owned()),
        architecture: Some(7),
        uuid: "4c4c4544-0031-3510-8052-b4c04f4e3732".parse().ok(),
        first_ms,
        last_ms: first_ms + 5,
    }
}

#[tokio::test]
async fn discovered_machines_are_listed_until_they_are_enrolled_or_forgotten() {
    let world = World::without_conductor(1).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let macs = [
        "52:54:00:00:01:03",
        "52:54:00:00:01:02",
        "52:54:00:00:00:01",
    ];
    let all: Vec<DiscoveredMachine> = (0..)
        .zip(macs)
        .map(|(n, mac)| machine(mac, now + n))
        .collect();
    world.store.record_discovered(&all).await.unwrap();
    let answer = world
        .expect(200, "GET", "/v1/discovered", Value::Null)
        .await;
    let listed = answer["discovered"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(
        listed[0],
        json!({"mac": macs[0], "network": "c920", "ip": "11.4.40.111",
            "vendor_class": "PXEClient:Arch:00007", "architecture": 7, "firmware": "UEFI x86_64",
            "arch": "x86_64", "uuid": "4c4c4544-0031-3510-8052-b4c04f4e3732", "first_ms": now,
            "last_ms": now + 5})
    );
    // node1 has the last one's nic.
    world.enrol(1).await;
    let left = async || {
        let answer = world.expect(200, "GET", "/discovered", Value::Null).await;
        let listed = answer["discovered"].as_array().unwrap().clone();
        let macs = listed
            .iter()
            .map(|machine| machine["mac"].as_str().unwrap().to_owned());
        macs.collect::<Vec<String>>()
    };
    assert_eq!(left().await, macs[..2]);
    let target = "/v1/discovered?mac=525400000103,52-54-00-00-00-ff";
    let answer = world.expect(202, "DELETE", target, Value::Null).await;
    assert_eq!(answer, json!({"forgotten": 1}));
    assert_eq!(left().await, macs[1..2]);
    let wrong = world
        .refused(400, "DELETE", "/v1/discovered?mac=node1", Value::Null)
        .await;
    assert!(wrong.contains("'node1' is not a MAC address"), "{wrong}");
    let many = format!("/v1/discovered?mac={}", vec![macs[0]; 1_001].join(","));
    let wrong = world.refused(400, "DELETE", &many, Value::Null).await;
    assert!(wrong.contains("more than 1000"), "{wrong}");
    world
        .expect(202, "DELETE", "/v1/discovered", Value::Null)
        .await;
    assert!(left().await.is_empty());
}

#[tokio::test]
async fn bmcs_are_looked_for_by_a_conductor() {
    let world = World::new().await;
    let passwd = json!({"key": "bmc", "username": "admin", "password": "hidden"});
    world.expect(201, "POST", "/v1/passwds", passwd).await;
    let target = "/v1/discover?mgt=ipmi&port=6230&addresses=10.0.0.0/24,10.0.1.10,-10.0.0.20";
    let mut stream = Stream::lines(&world, "GET", target, &Value::Null).await;
    let job = stream.job();
    let mut lines = stream.rest().await;
    let end = lines.pop().unwrap();
    assert_eq!((&end["nodes"], &end["done"]), (&json!(254), &json!(254)));
    let (found, silent): (Vec<Value>, Vec<Value>) = lines
        .into_iter()
        .partition(|line| line["report"].is_object());
    assert_eq!((found.len(), silent.len()), (25, 229));
    assert!(
        silent
            .iter()
            .all(|line| line["outcome"] == "ok" && line["result"] == "silent")
    );
    let first = found
        .iter()
        .find(|line| line["node"] == "10-0-1-10")
        .unwrap();
    let report = json!({"address": "10.0.1.10", "port": 6230, "serial": "admin"});
    assert_eq!(first["report"], report);
    let page = world
        .expect(200, "GET", &format!("/v1/jobs/{job}?limit=0"), Value::Null)
        .await;
    assert_eq!(page["job"]["operation"], "discover --mgt ipmi --port 6230");

    let target = "/discover?mgt=ipmi&addresses=10.0.0.9-10";
    let together = world.expect(200, "GET", target, Value::Null).await;
    assert_eq!(together["nodes"]["10-0-0-9"], "silent");
    assert_eq!(together["nodes"]["10-0-0-10"]["address"], "10.0.0.10");
    // The conductor of this test knows no Redfish.
    let target = "/v1/discover?mgt=redfish&addresses=10.0.0.9";
    let together = world.expect(200, "GET", target, Value::Null).await;
    let why = together["nodes"]["10-0-0-9"].as_str().unwrap();
    assert!(why.contains("no control driver 'redfish'"), "{why}");
}

#[tokio::test]
async fn where_nobody_can_look_is_refused_in_a_sentence() {
    let world = World::without_conductor(1).await;
    for (query, why) in [
        ("mgt=ipmi", "'addresses' is missing"),
        ("addresses=10.0.0.1", "'mgt' is missing"),
        ("mgt=kvm&addresses=10.0.0.1", "use ipmi or redfish"),
        ("mgt=ipmi&addresses=node1", "'node1' is no address"),
        ("mgt=ipmi&addresses=10.0.0.0/8", "more than 65536 addresses"),
        ("mgt=ipmi&addresses=fd00::1", "IPv6"),
        ("mgt=ipmi&addresses=10.0.0.1&port=0", "port '0'"),
        (
            "mgt=ipmi&addresses=10.0.0.1&nodes=node1",
            "'nodes' means nothing",
        ),
        ("mgt=ipmi&addresses=10.0.0.1&batch=x", "batch 'x'"),
    ] {
        let target = format!("/v1/discover?{query}");
        let sentence = world.refused(400, "GET", &target, Value::Null).await;
        assert!(sentence.contains(why), "{query}: {sentence}");
    }
}
