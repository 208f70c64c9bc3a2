//! One request on very many nodes.

use std::time::Instant;

use serde_json::{Value, json};

use crate::world::World;

const COUNT: usize = 65_536;

#[tokio::test(flavor = "multi_thread")]
async fn one_request_takes_65536_nodes_and_answers_in_its_order() {
    let world = World::without_conductor(1).await;
    // An order that is neither that of the names nor that of the addresses.
    let order: Vec<usize> = (0..COUNT).map(|place| place * 40_503 % COUNT).collect();
    let node = |number: &usize| {
        let mac = format!(
            "52:54:00:{:02x}:{:02x}:{:02x}",
            number >> 16,
            number >> 8 & 255,
            number & 255
        );
        json!({"name": format!("node{number}"), "mgt": "kvm", "arch": "x86_64",
            "nics_info": {"nics": [{"mac": mac}]}})
    };
    let nodes: Vec<Value> = order.iter().map(node).collect();
    let started = Instant::now();
    let answer = world
        .expect(201, "POST", "/v1/nodes", json!({"nodes": nodes}))
        .await;
    let created = started.elapsed();
    let words = answer["nodes"].as_object().unwrap();
    let expected = order.iter().map(|number| format!("node{number}"));
    assert!(
        words.keys().cloned().eq(expected),
        "the order of the request"
    );
    assert!(words.values().all(|word| word == "ok"));

    let named: Vec<Value> = order
        .iter()
        .map(|n| json!({"name": format!("node{n}")}))
        .collect();
    let mut body = json!({"nodes": named});
    let info = world
        .expect(200, "GET", "/v1/nodes/info?fields=mgt", body.clone())
        .await;
    let names = info["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["name"].as_str().unwrap());
    assert!(names.eq(order.iter().map(|number| format!("node{number}"))));
    body["patches"] = json!([{"op": "add", "path": "/type", "value": "compute"}]);
    let answer = world.expect(200, "PATCH", "/v1/nodes", body.clone()).await;
    assert!(
        answer["nodes"]
            .as_object()
            .unwrap()
            .values()
            .all(|word| word == "updated")
    );
    body.as_object_mut().unwrap().remove("patches");
    let answer = world.expect(202, "DELETE", "/v1/nodes", body).await;
    assert!(
        answer["nodes"]
            .as_object()
            .unwrap()
            .values()
            .all(|word| word == "deleted")
    );
    assert!(
        created.as_secs() < 60,
        "unoptimised and on a busy machine: {created:?}"
    );
}
