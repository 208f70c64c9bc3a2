//! What careless or hostile clients send. Every answer is a sentence in the one form of errors, or
//! stands at the node that it is about.

use serde_json::{Value, json};

use crate::wire::{Wire, request};
use crate::world::{World, names};

#[tokio::test]
async fn what_is_no_json_has_its_place() {
    let world = World::without_conductor(1).await;
    for (body, why) in [
        ("{\"nodes\": [\n{\"name\": \"a\",}]}", "line 2, column 14"),
        ("{\"nodes\": [{\"name\": \"a\"}", "line 1"),
        ("nodes", "the body is not JSON"),
        ("\u{0}", "the body is not JSON"),
        ("{} {}", "column"),
        ("", "needs a body"),
        ("   \n", "needs a body"),
        ("[]", "an object with the field 'nodes'"),
        ("[[{\"name\": \"a\"}]]", "an object with the field 'nodes'"),
        ("{}", "missing field 'nodes'"),
        ("{\"nodes\": null}", "a list of objects"),
        ("{\"names\": []}", "unknown field 'names'"),
        ("{\"nodes\": [7]}", "entry 0"),
        ("{\"nodes\": [{\"name\": \"a\"}, {}]}", "entry 1"),
    ] {
        for (method, target) in [
            ("POST", "/v1/nodes"),
            ("DELETE", "/v1/nodes"),
            ("GET", "/v1/nodes/power"),
        ] {
            let answered = world.ask_text(method, target, body).await;
            assert_eq!(answered.status, 400, "{method} {body}: {answered:?}");
            let sentence = answered.sentence();
            assert!(sentence.contains(why), "{method} {body}: {sentence}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_and_absurd_depth_are_refused() {
    let world = World::without_conductor(1).await;
    let mut bytes = request("POST", "/v1/nodes", "{\"nodes\": [{\"name\": \"xx\"}]}");
    let place = bytes.len() - 6;
    bytes[place] = 0xff;
    let answered = Wire::to(world.address).await.exchange(&bytes).await;
    assert_eq!(answered.status, 400);
    assert!(answered.sentence().contains("the body is not JSON"));
    let deep = format!("{{\"nodes\": {}", "[".repeat(1 << 20));
    let answered = world.ask_text("POST", "/v1/nodes", &deep).await;
    assert_eq!(answered.status, 400);
    let answered = world.ask("GET", "/v1/networks/%ff", Value::Null).await;
    assert_eq!(answered.status, 400);
    assert!(answered.sentence().contains("not UTF-8"));
}

#[tokio::test]
async fn one_wrong_node_among_good_ones_fails_alone() {
    let world = World::without_conductor(1).await;
    let nic = |mac: &str| json!({"nics": [{"mac": mac}]});
    let nodes = json!({"nodes": [
        {"name": "good1", "nics_info": nic("52:54:00:00:00:01")},
        {"name": "colour", "colour": "red"},
        {"name": "power"},
        {"name": "under_score"},
        {"name": "mgt", "mgt": "telepathy"},
        {"name": "mac", "nics_info": nic("52:54:00:00:00")},
        {"name": "taken", "nics_info": nic("52-54-00-00-00-01")},
        {"name": "twice"},
        {"name": "twice", "mgt": "kvm"},
        {"name": "port", "control_info": {"ssh_port": "many"}},
        {"name": "slip", "control_info": {"ssh_adress": "h"}},
        {"name": "good2"},
    ]});
    let answer = world.expect(201, "POST", "/v1/nodes", nodes).await;
    let word = |name: &str| answer["nodes"][name].as_str().unwrap().to_owned();
    for (name, why) in [
        ("good1", "ok"),
        ("good2", "ok"),
        ("colour", "no field 'colour'"),
        ("power", "reserved"),
        ("under_score", "not a valid name"),
        ("mgt", "'telepathy'"),
        ("mac", "'52:54:00:00:00'"),
        ("taken", "52:54:00:00:00:01"),
        ("twice", "Error: duplicate name"),
        ("port", "ssh_port 'many'"),
        ("slip", "'ssh_adress'"),
    ] {
        assert!(word(name).contains(why), "{name}: {}", word(name));
    }
    let list = world.expect(200, "GET", "/v1/nodes", Value::Null).await;
    assert_eq!(list, json!({"nodes": ["good1", "good2"]}));
    let again = json!({"nodes": [{"name": "new", "nics_info": nic("52:54:00:00:00:01")}]});
    let answer = world.expect(201, "POST", "/v1/nodes", again).await;
    let why = answer["nodes"]["new"].as_str().unwrap();
    assert_eq!(why, "nic 52:54:00:00:00:01 belongs to node good1 already");
}

#[tokio::test]
async fn an_unknown_node_among_good_ones_fails_alone() {
    let world = World::new().await;
    world.enrol(2).await;
    let mixed = names(&["node2", "nobody", "no body", "power", "node1", "node2"]);
    let answer = world.expect(200, "GET", "/v1/nodes/power", mixed).await;
    let missing = "Could not be found.";
    let expected = json!({"nodes": {"node2": "off", "nobody": missing, "no body": missing,
        "power": missing, "node1": "off"}});
    assert_eq!(
        answer.to_string(),
        expected.to_string(),
        "in the order of the request"
    );
    let answer = world
        .expect(202, "PUT", "/v1/nodes/power?target=on", names(&[]))
        .await;
    assert_eq!(answer, json!({"nodes": {}}));
}

#[tokio::test]
async fn names_of_ten_megabytes_get_a_short_sentence() {
    let world = World::new().await;
    let huge = "x".repeat(10 << 20);
    let one = names(&[&huge, "nobody"]);
    for (method, target) in [
        ("POST", "/v1/nodes"),
        ("GET", "/v1/nodes/power"),
        ("PUT", "/v1/nodes/power?target=on"),
        ("DELETE", "/v1/nodes"),
    ] {
        let answered = world.ask(method, target, one.clone()).await;
        assert!(answered.status < 300, "{answered:?}");
        assert!(answered.text.len() < 500, "{}", answered.text.len());
        assert!(answered.text.contains("has 10485760 "), "{}", answered.text);
    }
    let patch = json!({"nodes": [{"name": "n"}], "patches": [
        {"op": "add", "path": format!("/{huge}"), "value": 1}]});
    let sentence = world.refused(400, "PATCH", "/v1/nodes", patch).await;
    assert!(sentence.len() < 300, "{sentence}");
    let network = json!({"name": huge, "subnet": "10.0.0.0/8"});
    let sentence = world.refused(413, "POST", "/v1/networks", network).await;
    assert!(sentence.contains("larger than 1 MiB"), "{sentence}");
    let name = "x".repeat(60_000);
    let network = json!({"name": name, "subnet": "10.0.0.0/8"});
    let sentence = world.refused(400, "POST", "/v1/networks", network).await;
    assert!(
        sentence.len() < 300 && sentence.contains("60000 characters"),
        "{sentence}"
    );
    let sentence = world
        .refused(404, "GET", &format!("/v1/networks/{name}"), Value::Null)
        .await;
    assert!(sentence.len() < 300, "{sentence}");
}

#[tokio::test]
async fn networks_that_cannot_be_are_refused() {
    let world = World::without_conductor(1).await;
    let network = |name: &str, subnet: &str| json!({"name": name, "subnet": subnet});
    world
        .expect(201, "POST", "/v1/networks", network("first", "10.1.0.0/16"))
        .await;
    for (status, field, value, why) in [
        (
            409,
            "subnet",
            "10.0.0.0/8",
            "overlaps network first (10.1.0.0/16)",
        ),
        (409, "name", "first", "network first exists already"),
        (400, "name", "../etc", "'../etc'"),
        (
            400,
            "dynamic_range",
            "11.0.0.250-11.0.1.5",
            "11.0.0.250-11.0.1.5 is not inside",
        ),
        (400, "dynamic_range", "11.0.0.9-11.0.0.1", "runs backwards"),
        (400, "gateway", "12.0.0.1", "gateway 12.0.0.1"),
        (400, "gateway", "nowhere", "gateway 'nowhere'"),
        (400, "netmask", "255.0.255.0", "255.0.255.0"),
        (400, "speed", "10G", "no field 'speed'"),
    ] {
        let mut body = network("second", "11.0.0.0/24");
        body[field] = value.into();
        let sentence = world.refused(status, "POST", "/v1/networks", body).await;
        assert!(sentence.contains(why), "{field}={value}: {sentence}");
    }
    world
        .expect(
            201,
            "POST",
            "/v1/networks",
            network("second", "11.0.0.0/24"),
        )
        .await;
    let path = "/v1/networks/second";
    for (status, patch, why) in [
        (
            400,
            json!({"op": "add", "path": "/gateway", "value": "12.0.0.1"}),
            "gateway 12.0.0.1",
        ),
        (400, json!({"op": "remove", "path": "/subnet"}), "'subnet'"),
        (
            400,
            json!({"op": "add", "path": "/name", "value": "x"}),
            "can't be changed",
        ),
        (
            400,
            json!({"op": "add", "path": "/colour", "value": "x"}),
            "no field 'colour'",
        ),
        (400, json!({"op": "move", "path": "/domain"}), "'move'"),
        (
            400,
            json!({"op": "add", "path": "/domain"}),
            "needs a value",
        ),
    ] {
        let sentence = world.refused(status, "PATCH", path, json!([patch])).await;
        assert!(sentence.contains(why), "{sentence}");
    }
    let wider = json!([{"op": "add", "path": "/subnet", "value": "10.0.0.0"},
        {"op": "add", "path": "/netmask", "value": "255.0.0.0"}]);
    let sentence = world.refused(409, "PATCH", path, wider).await;
    assert!(sentence.contains("overlaps network first"), "{sentence}");
}

#[tokio::test]
async fn nics_that_cannot_be_are_refused() {
    let world = World::without_conductor(1).await;
    world.enrol(2).await;
    for (status, body, why) in [
        (400, json!({"node": "node1"}), "'mac'"),
        (400, json!({"mac": "52:54:00:00:00:aa"}), "'node'"),
        (
            400,
            json!({"mac": "nonsense", "node": "node1"}),
            "'nonsense'",
        ),
        (
            404,
            json!({"mac": "52:54:00:00:00:aa", "node": "nobody"}),
            "node nobody",
        ),
        (
            409,
            json!({"mac": "52:54:00:00:00:01", "node": "node2"}),
            "belongs to node node1",
        ),
    ] {
        let sentence = world.refused(status, "POST", "/v1/nics", body).await;
        assert!(sentence.contains(why), "{sentence}");
    }
    let target = "/v1/nics/address?mac=nonsense";
    let sentence = world.refused(400, "GET", target, Value::Null).await;
    assert!(sentence.contains("'nonsense'"), "{sentence}");
    let sentence = world
        .refused(404, "GET", "/v1/nics/nonsense", Value::Null)
        .await;
    assert_eq!(sentence, "nic nonsense does not exist");
    let sentence = world
        .refused(404, "GET", "/v1/nics/node?node_name=nobody", Value::Null)
        .await;
    assert!(sentence.contains("nobody"), "{sentence}");
}

#[tokio::test]
async fn queries_that_are_not_understood_are_refused() {
    let world = World::without_conductor(1).await;
    for (target, why) in [
        ("/v1/nodes?sort_key=colour", "'colour'"),
        ("/v1/nodes?sort_dir=up", "'up'"),
        ("/v1/nodes?limit=5", "unknown parameter 'limit'"),
        ("/v1/nodes/a?fields=colour", "no field 'colour'"),
        ("/v1/networks?fields=mgt", "no field 'mgt'"),
        ("/v1/osimages/get_by_id?id=one", "id 'one'"),
        ("/v1/osimages/get_by_id", "id ''"),
        ("/v1/services/hostname", "'name' is missing"),
    ] {
        let sentence = world.refused(400, "GET", target, Value::Null).await;
        assert!(sentence.contains(why), "{target}: {sentence}");
    }
    let target = "/v1/nodes/info?secrets=maybe";
    let sentence = world.refused(400, "GET", target, names(&["a"])).await;
    assert!(sentence.contains("secrets"), "{sentence}");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let world = World::without_conductor(1).await;
    let head = "POST /v1/nodes HTTP/1.1\r\nHost: xcat3\r\nContent-Length: 99999999999\r\n\r\n{";
    let answered = Wire::to(world.address)
        .await
        .exchange(head.as_bytes())
        .await;
    assert_eq!(answered.status, 413);
    assert!(answered.sentence().contains("larger than 256 MiB"));
    let chunked = "DELETE /v1/nodes HTTP/1.1\r\nHost: xcat3\r\nTransfer-Encoding: chunked\r\n\r\n\
        1c\r\n{\"nodes\": [{\"name\": \"gone\"}]\r\n1\r\n}\r\n0\r\n\r\n";
    let answered = Wire::to(world.address)
        .await
        .exchange(chunked.as_bytes())
        .await;
    assert_eq!(
        answered.json(),
        json!({"nodes": {"gone": "Could not be found."}}),
        "{answered:?}"
    );
}
