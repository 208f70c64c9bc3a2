//! Deploys that can't be, or can't be yet: the sentence for each.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::wire::{Wire, request};
use crate::world::{IMAGE, World, names};

async fn deploy(world: &World, node: &str, query: &str) -> String {
    let target = format!("/v1/nodes/provision?target=nodeset{query}");
    let answer = world.expect(202, "PUT", &target, names(&[node])).await;
    answer["nodes"][node].as_str().unwrap().to_owned()
}

fn image() -> String {
    format!("&osimage={IMAGE}")
}

#[tokio::test]
async fn what_keeps_a_node_from_being_deployed_is_named() {
    let world = World::new().await;
    world.enrol(1).await;
    world.make_deployable().await;
    let mac = |number: u8| format!("52:54:00:00:01:{number:02x}");
    let nodes = json!({"nodes": [
        {"name": "nicless", "mgt": "kvm", "netboot": "pxe", "arch": "x86_64"},
        {"name": "addressless", "mgt": "kvm", "netboot": "pxe", "arch": "x86_64",
            "nics_info": {"nics": [{"mac": mac(1)}]}},
        {"name": "abroad", "mgt": "kvm", "netboot": "pxe", "arch": "x86_64",
            "nics_info": {"nics": [{"mac": mac(2), "ip": "172.16.0.9"}]}},
        {"name": "power9", "mgt": "kvm", "netboot": "pxe", "arch": "ppc64le",
            "nics_info": {"nics": [{"mac": mac(3), "ip": "11.0.9.9"}]}},
    ]});
    world.expect(201, "POST", "/v1/nodes", nodes).await;
    for (node, query, why) in [
        ("node1", "&osimage=nowhere", "nowhere"),
        ("node1", "", "osimage"),
        ("node1", &format!("{}&subnet=nowhere", image()), "nowhere"),
        ("node1", &format!("{}&network=nowhere", image()), "nowhere"),
        ("nicless", &image(), "nic"),
        ("addressless", &image(), "ip"),
        ("abroad", &image(), "172.16.0.9"),
        ("power9", &image(), "ppc64le"),
    ] {
        let word = deploy(&world, node, query).await;
        assert!(word != "ok" && word.contains(why), "{node}{query}: {word}");
    }
    world
        .expect(202, "DELETE", "/v1/passwds/system", Value::Null)
        .await;
    let word = deploy(&world, "node1", &image()).await;
    assert!(word.contains("system"), "no root password: {word}");
    let shown = world
        .expect(200, "GET", "/v1/nodes/node1?fields=state", Value::Null)
        .await;
    assert_eq!(shown["state"], Value::Null);
}

#[tokio::test]
async fn a_deploy_under_way_keeps_node_and_image() {
    let world = World::new().await;
    world.enrol(1).await;
    world.make_deployable().await;
    let one = names(&["node1"]);
    assert_eq!(deploy(&world, "node1", &image()).await, "ok");
    let again = deploy(&world, "node1", &image()).await;
    assert!(again.contains("being deployed already"), "{again}");
    let answer = world.expect(202, "DELETE", "/v1/nodes", one.clone()).await;
    let why = answer["nodes"]["node1"].as_str().unwrap();
    assert!(why.contains("being deployed"), "{why}");
    let path = format!("/v1/osimages/{IMAGE}");
    let why = world.refused(409, "DELETE", &path, Value::Null).await;
    assert!(why.contains("node1"), "{why}");
    let dhcp = "/v1/nodes/provision?target=dhcp";
    let answer = world.expect(202, "PUT", dhcp, one.clone()).await;
    assert_ne!(answer["nodes"]["node1"], "ok");
    assert_eq!(
        deploy(&world, "node1", &format!("{}&force=true", image())).await,
        "ok"
    );

    let callback = "/v1/nodes/provision/callback?name=node1";
    let action = json!({"action": {"anything": 1}});
    world.expect(200, "PUT", callback, action.clone()).await;
    world.expect(200, "PUT", callback, action).await;
    assert_eq!(
        deploy(&world, "node1", "").await,
        "ok",
        "without osimage it is the last one"
    );
    world
        .expect(
            202,
            "PUT",
            "/v1/nodes/provision?target=un_nodeset",
            one.clone(),
        )
        .await;
    let why = world.refused(409, "PUT", callback, Value::Null).await;
    assert!(
        why.starts_with("node node1: it is not being deployed"),
        "{why}"
    );
    world.expect(202, "DELETE", "/v1/nodes", one).await;
    world.expect(202, "DELETE", &path, Value::Null).await;
}

#[tokio::test]
async fn queries_that_mean_nothing_are_refused() {
    let world = World::new().await;
    for (query, why) in [
        ("", "'' is not a provision target"),
        ("?target=nodest", "'nodest' is not a provision target"),
        ("?target=nodeset&osimge=x", "unknown parameter 'osimge'"),
        ("?target=nodeset&target=dhcp", "given twice: 'target'"),
        ("?target=nodeset&force=maybe", "force 'maybe'"),
        ("?target=un_nodeset&force=true", "force goes with"),
        ("?target=nodeset&subnet=a&network=b", "give one of them"),
    ] {
        let target = format!("/v1/nodes/provision{query}");
        let sentence = world.refused(400, "PUT", &target, names(&["a"])).await;
        assert!(sentence.contains(why), "{query}: {sentence}");
    }
    let sentence = world
        .refused(400, "PUT", "/v1/nodes/provision/callback", Value::Null)
        .await;
    assert!(sentence.contains("'name' is missing"), "{sentence}");
}

#[tokio::test]
async fn a_network_that_cannot_be_served_says_why() {
    use xcat3_core::ServiceKind;
    use xcat3_store::ServiceReport;

    let world = World::without_conductor(1).await;
    let report = ServiceReport {
        hostname: "net1".into(),
        kind: ServiceKind::Network,
        worker: 0,
        workers: 1,
        instance: uuid::Uuid::new_v4(),
        served: Some(1_000_000),
        note: Some(
            "network other: no interface\n\
             network c920: cannot serve DHCP on eth0: permission denied binding UDP port 67"
                .into(),
        ),
    };
    world.store.heartbeat(&report).await.unwrap();
    let network = json!({"name": "c920", "subnet": "11.0.0.0/8"});
    let answer = world.expect(201, "POST", "/v1/networks", network).await;
    let word = answer["network"]["c920"].as_str().unwrap();
    let expected = "it is defined, but not served: net1: cannot serve DHCP on eth0: permission \
        denied binding UDP port 67";
    assert_eq!(word, expected);
    let network = json!({"name": "fine", "subnet": "12.0.0.0/8"});
    let answer = world.expect(201, "POST", "/v1/networks", network).await;
    assert_eq!(answer, json!({"network": {"fine": "ok"}}));
}

#[tokio::test]
async fn a_network_service_that_lags_is_named() {
    use xcat3_api::{Api, router};
    use xcat3_core::ServiceKind;
    use xcat3_service::{Jobs, bus::InProcess};
    use xcat3_store::ServiceReport;

    let world = World::without_conductor(1).await;
    let report = ServiceReport {
        hostname: "net1".into(),
        kind: ServiceKind::Network,
        worker: 0,
        workers: 1,
        instance: uuid::Uuid::new_v4(),
        served: Some(0),
        note: None,
    };
    world.store.heartbeat(&report).await.unwrap();
    let api = Api {
        store: world.store.clone(),
        jobs: Jobs::new(world.store.clone(), Arc::new(InProcess::default())),
        answer_within: Duration::from_secs(1),
        serve_within: Duration::from_millis(100),
        shutdown: world.shutdown.clone(),
    };
    let listener = xcat3_api::bind("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router::router(api)).await });
    let body = json!({"name": "c920", "subnet": "11.0.0.0/8"}).to_string();
    let mut wire = Wire::to(address).await;
    let answered = wire.exchange(&request("POST", "/v1/networks", &body)).await;
    assert_eq!(answered.status, 201);
    let json = answered.json();
    let word = json["network"]["c920"].as_str().unwrap();
    assert!(
        word.starts_with("it is defined, but not served: ") && word.contains("net1"),
        "{word}"
    );
    let list = world.expect(200, "GET", "/v1/networks", Value::Null).await;
    assert_eq!(list["networks"][0]["name"], "c920");
    let patch = json!([{"op": "add", "path": "/domain", "value": "cluster"}]).to_string();
    let started = std::time::Instant::now();
    let request = request("PATCH", "/v1/networks/c920", &patch);
    let answered = wire.exchange(&request).await;
    assert_eq!(answered.json()["domain"], "cluster");
    assert!(
        started.elapsed() >= Duration::from_millis(100),
        "a change waits to be served as well"
    );
    serving.abort();
}

#[tokio::test]
async fn a_node_that_is_held_is_locked() {
    let world = World::new().await;
    world.enrol(2).await;
    let held = ["node1".parse().unwrap()];
    let minute = Duration::from_secs(60);
    world
        .store
        .reserve(&held, "conductor9", "a test", minute)
        .await
        .unwrap();
    let both = names(&["node1", "node2"]);
    let mut patch = both.clone();
    patch["patches"] = json!([{"op": "add", "path": "/type", "value": "x"}]);
    for (status, method, target, body, free) in [
        (202, "PUT", "/v1/nodes/power?target=on", both.clone(), "ok"),
        (200, "PATCH", "/v1/nodes", patch, "updated"),
        (202, "DELETE", "/v1/nodes", both.clone(), "deleted"),
    ] {
        let answer = world.expect(status, method, target, body).await;
        let expected = json!({"nodes": {"node1": "Locked temporarily", "node2": free}});
        assert_eq!(answer, expected, "{method} {target}");
    }
    let answer = world
        .expect(200, "GET", "/v1/nodes/power", names(&["node1"]))
        .await;
    assert_eq!(
        answer["nodes"]["node1"], "off",
        "asking needs no reservation"
    );
    let shown = world
        .expect(200, "GET", "/v1/nodes/node1", Value::Null)
        .await;
    assert!(
        shown["reservation"]
            .as_str()
            .unwrap()
            .contains("conductor9"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_database_that_is_away_is_told_without_internals() {
    let world = World::without_conductor(1).await;
    world.store.close().await;
    for (method, target, body) in [
        ("GET", "/v1/nodes", Value::Null),
        ("PUT", "/v1/nodes/power?target=on", names(&["node1"])),
        (
            "POST",
            "/v1/networks",
            json!({"name": "n", "subnet": "10.0.0.0/8"}),
        ),
    ] {
        let answered = world.ask(method, target, body).await;
        assert_eq!(
            (answered.status, answered.header("retry-after")),
            (503, "2")
        );
        let sentence = answered.sentence();
        assert_eq!(sentence, "the database can't be used now; try again later");
    }
}
