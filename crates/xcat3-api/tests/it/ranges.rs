//! `?nodes=<range>` in the place of names in the body.

use serde_json::{Value, json};

use crate::world::{World, names};

#[tokio::test]
async fn every_request_that_takes_names_takes_a_range() {
    let world = World::new().await;
    world.enrol(5).await;
    world.make_deployable().await;
    let list = world
        .expect(
            200,
            "GET",
            "/v1/nodes?nodes=node[4-9,2]&sort_dir=desc",
            Value::Null,
        )
        .await;
    assert_eq!(list, json!({"nodes": ["node5", "node4", "node2"]}));
    let info = world
        .expect(
            200,
            "GET",
            "/nodes/info?fields=mgt&nodes=node3,node1",
            Value::Null,
        )
        .await;
    let expected =
        json!({"nodes": [{"name": "node3", "mgt": "kvm"}, {"name": "node1", "mgt": "kvm"}]});
    assert_eq!(info, expected);
    for (status, method, target, word) in [
        (202, "PUT", "power?target=on&", "ok"),
        (200, "GET", "power?", "on"),
        (202, "PUT", "boot_device?target=net&", "ok"),
        (200, "GET", "boot_device?", "net"),
        (202, "PUT", "provision?target=dhcp&", "ok"),
        (202, "PUT", "provision?target=un_dhcp&", "ok"),
    ] {
        let target = format!("/v1/nodes/{target}nodes=node%5B2-3%5D,node9,-node3,node1");
        let answer = world.expect(status, method, &target, Value::Null).await;
        let expected =
            json!({"nodes": {"node2": word, "node9": "Could not be found.", "node1": word}});
        assert_eq!(
            answer.to_string(),
            expected.to_string(),
            "{method} {target}"
        );
    }
    let patches = json!({"patches": [{"op": "add", "path": "/type", "value": "x"}]});
    let target = "/v1/nodes?nodes=node[5-6]";
    let answer = world.expect(200, "PATCH", target, patches).await;
    let expected = json!({"nodes": {"node5": "updated", "node6": "Could not be found."}});
    assert_eq!(answer, expected);
    let answer = world.expect(202, "DELETE", target, json!({})).await;
    assert_eq!(answer["nodes"]["node5"], "deleted");
    let list = world
        .expect(200, "GET", "/v1/nodes?nodes=node[1-9]", Value::Null)
        .await;
    assert_eq!(list["nodes"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_no_range_or_names_twice_is_refused() {
    let world = World::without_conductor(1).await;
    world.enrol(1).await;
    for (range, why) in [
        ("node[1-", "unmatched or nested bracket"),
        ("node[9-1]", "runs backwards"),
        ("", "empty part"),
        ("node1,-node1", "names no node"),
        ("a%20b", "'a b' is not a valid name"),
        ("n[1-9999999]", "more than 1048576 nodes"),
    ] {
        for (method, target) in [
            ("GET", "/v1/nodes"),
            ("GET", "/v1/nodes/info"),
            ("GET", "/v1/nodes/power"),
            ("DELETE", "/v1/nodes"),
        ] {
            let target = format!("{target}?nodes={range}");
            let sentence = world.refused(400, method, &target, Value::Null).await;
            assert!(sentence.contains(why), "{method} {target}: {sentence}");
        }
    }
    let mut patch = names(&["node1"]);
    patch["patches"] = json!([]);
    for (method, path, body) in [
        ("GET", "/v1/nodes/info?", names(&["node1"])),
        ("PUT", "/v1/nodes/power?target=on&", names(&["node1"])),
        ("DELETE", "/v1/nodes?", names(&[])),
        ("PATCH", "/v1/nodes?", patch),
    ] {
        let target = format!("{path}nodes=node1");
        let sentence = world.refused(400, method, &target, body).await;
        assert!(sentence.contains("are named twice"), "{method}: {sentence}");
    }
    let twice = "/v1/nodes/power?nodes=node1&nodes=node2";
    let sentence = world.refused(400, "GET", twice, Value::Null).await;
    assert!(sentence.contains("given twice: 'nodes'"), "{sentence}");
    let unknown = "/v1/nodes/power?nodes=node1&oops=1";
    let sentence = world.refused(400, "GET", unknown, Value::Null).await;
    assert!(sentence.contains("unknown parameter 'oops'"), "{sentence}");
    let patches = json!({"patches": []});
    let sentence = world.refused(400, "PATCH", "/v1/nodes", patches).await;
    assert!(sentence.contains("missing field 'nodes'"), "{sentence}");
    let one = "/v1/nodes/node1?nodes=node1";
    let sentence = world.refused(400, "GET", one, Value::Null).await;
    assert!(sentence.contains("unknown parameter 'nodes'"), "{sentence}");
}
