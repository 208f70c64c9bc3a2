//! No secret leaves: not by an answer, not by an error, not by the log.

use serde_json::{Value, json};

use crate::world::{World, log, names};

const SECRET: &str = "correct-horse-battery";

#[tokio::test]
async fn no_answer_and_no_line_of_the_log_has_a_secret() {
    let world = World::new().await;
    let control = json!({"ssh_address": "h", "ssh_password": SECRET, "ssh_key_contents": SECRET,
        "bmc_password": SECRET, "api_token": SECRET});
    let node = json!({"name": "node1", "mgt": "kvm", "control_info": control,
        "console_info": {"bmc_password": SECRET},
        "nics_info": {"nics": [{"mac": "52:54:00:00:00:01", "extra": {"wifi_secret": SECRET}}]}});
    let passwd = json!({"key": "system", "password": SECRET});
    let network = json!({"name": "n", "subnet": "10.0.0.0/8", "extra": {"snmp_password": SECRET}});
    let one = names(&["node1"]);
    let patch = |path: &str| {
        let mut patch = one.clone();
        patch["patches"] = json!([{"op": "add", "path": path, "value": SECRET}]);
        patch
    };
    let patched = json!([{"op": "add", "path": "/password", "value": SECRET}]);
    for (method, target, body) in [
        ("POST", "/v1/nodes", json!({"nodes": [node]})),
        ("POST", "/v1/passwds", passwd.clone()),
        ("POST", "/v1/passwds", passwd),
        (
            "POST",
            "/v1/passwds",
            json!({"key": "k", "password": [SECRET]}),
        ),
        ("POST", "/v1/passwds", json!(SECRET)),
        ("POST", "/v1/networks", network),
        ("POST", "/v1/nodes", json!({"nodes": SECRET})),
        ("POST", "/v1/nodes", json!({"nodes": [SECRET]})),
        (
            "POST",
            "/v1/nodes",
            json!({"nodes": [{"name": "a", "control_info": SECRET}]}),
        ),
        ("PATCH", "/v1/nodes", patch("/control_info/ssh_password")),
        ("PATCH", "/v1/nodes", patch("/control_info")),
        ("PATCH", "/v1/nodes", patch("/nics_info")),
        ("PATCH", "/v1/passwds/system", patched),
        ("GET", "/v1/nodes/node1", Value::Null),
        ("GET", "/v1/nodes/info", one.clone()),
        (
            "GET",
            "/v1/nodes/info?fields=control_info,console_info,nics_info,deploy",
            one.clone(),
        ),
        ("GET", "/v1/nics/address?mac=525400000001", Value::Null),
        ("GET", "/v1/nics/node?node_name=node1", Value::Null),
        ("GET", "/v1/networks/n", Value::Null),
        ("GET", "/v1/passwds/system", Value::Null),
        ("GET", "/v1/passwds?fields=password", Value::Null),
        ("PUT", "/v1/nodes/power?target=on", one.clone()),
    ] {
        let answer = world.ask(method, target, body).await;
        assert!(
            !answer.text.contains(SECRET),
            "{method} {target}: {}",
            answer.text
        );
        assert!(answer.status < 500, "{method} {target}: {answer:?}");
    }
    let export = "/v1/nodes/info?secrets=true";
    let exported = world.expect(200, "GET", export, one).await;
    assert_eq!(exported["nodes"][0]["control_info"]["ssh_password"], SECRET);
    assert_eq!(exported["nodes"][0]["console_info"]["bmc_password"], SECRET);
    let log = log();
    assert!(log.contains("/v1/nodes/info"), "the log was read");
    assert!(!log.contains(SECRET));
}

#[tokio::test]
async fn a_mask_that_is_sent_back_is_no_password() {
    let world = World::without_conductor(1).await;
    let control = json!({"ssh_address": "h", "ssh_password": SECRET});
    let node = json!({"name": "node1", "mgt": "kvm", "control_info": control});
    world
        .expect(201, "POST", "/v1/nodes", json!({"nodes": [node]}))
        .await;
    let one = names(&["node1"]);
    let masked = world
        .expect(200, "GET", "/v1/nodes/node1", Value::Null)
        .await;
    let mut patch = one.clone();
    patch["patches"] =
        json!([{"op": "replace", "path": "/control_info", "value": masked["control_info"]}]);
    world.expect(200, "PATCH", "/v1/nodes", patch).await;
    let export = "/v1/nodes/info?secrets=true&fields=control_info";
    let exported = world.expect(200, "GET", export, one.clone()).await;
    assert_eq!(exported["nodes"][0]["control_info"]["ssh_password"], SECRET);

    world.expect(202, "DELETE", "/v1/nodes", one.clone()).await;
    world
        .expect(201, "POST", "/v1/nodes", json!({"nodes": [masked]}))
        .await;
    let exported = world.expect(200, "GET", export, one).await;
    assert_eq!(
        exported["nodes"][0]["control_info"],
        json!({"ssh_address": "h"})
    );
}
