//! The requests of the prototype's clients, byte by byte as they put them on the wire: the Python
//! client without version prefix, with a `Content-Type` where there is no body, with bodies on GET and
//! DELETE and a stray `&` in queries; the Go client with the prefix, with bodies on GET and DELETE and
//! empty queries. Each client keeps its connection.

use serde_json::{Value, json};

use crate::wire::{Answered, Wire};
use crate::world::{IMAGE, World};

/// A request of the Python client (requests 2.18).
fn python(method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = match (method, body.len()) {
        ("GET", 0) => String::new(),
        (_, length) => format!("Content-Length: {length}\r\n"),
    };
    format!(
        "{method} {target} HTTP/1.1\r\n\
         Host: 127.0.0.1:3010\r\n\
         Connection: keep-alive\r\n\
         Accept-Encoding: gzip, deflate\r\n\
         Accept: application/json\r\n\
         User-Agent: python-requests/2.18.4\r\n\
         Content-Type: application/json\r\n\
         {length}\r\n{body}"
    )
    .into_bytes()
}

/// A request of the Go client (net/http).
fn go(method: &str, target: &str, body: &str) -> Vec<u8> {
    let content = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\nContent-Type: application/json\r\n"),
    };
    format!(
        "{method} {target} HTTP/1.1\r\n\
         Host: 127.0.0.1:3010\r\n\
         User-Agent: Go-http-client/1.1\r\n\
         Accept: application/json\r\n\
         {content}Accept-Encoding: gzip\r\n\r\n{body}"
    )
    .into_bytes()
}

/// One client at work on one connection.
struct Client {
    wire: Wire,
    put: fn(&str, &str, &str) -> Vec<u8>,
}

impl Client {
    async fn answered(&mut self, method: &str, target: &str, body: &str) -> Answered {
        self.wire.exchange(&(self.put)(method, target, body)).await
    }

    async fn asks(&mut self, status: u16, method: &str, target: &str, body: &str) -> Value {
        let answered = self.answered(method, target, body).await;
        assert_eq!(answered.status, status, "{method} {target}: {answered:?}");
        answered.json()
    }
}

#[tokio::test]
async fn the_python_client_works_unchanged() {
    let world = World::new().await;
    world.make_deployable().await;
    let mut client = Client {
        wire: Wire::to(world.address).await,
        put: python,
    };
    let create = r#"{"nodes": [{"mgt": "kvm", "netboot": "pxe", "arch": "x86_64", "name": "node1", "control_info": {"ssh_address": "11.5.102.1", "ssh_username": "root", "ssh_virt_type": "virsh", "ssh_key_filename": "/root/.ssh/id_rsa"}, "nics_info": {"nics": [{"mac": "52:54:00:36:ac:b1", "ip": "11.5.102.60", "name": "eth0", "primary": "True"}]}}, {"mgt": "kvm", "arch": "x86_64", "name": "node2", "control_info": null}]}"#;
    let answer = client.asks(201, "POST", "/nodes", create).await;
    assert_eq!(answer, json!({"nodes": {"node1": "ok", "node2": "ok"}}));
    let answer = client.asks(201, "POST", "/nodes", create).await;
    assert_eq!(answer["nodes"]["node1"], "Error: duplicate name");
    let answer = client.asks(200, "GET", "/nodes", "").await;
    assert_eq!(answer, json!({"nodes": ["node1", "node2"]}));

    let answer = client.asks(200, "GET", "/nodes/node1", "").await;
    assert_eq!(answer["nics_info"]["nics"][0]["primary"], true);
    let answer = client
        .asks(200, "GET", "/nodes/node1?&fields=mgt,name", "")
        .await;
    assert_eq!(answer, json!({"name": "node1", "mgt": "kvm"}));
    let both = r#"{"nodes": [{"name": "node2"}, {"name": "node1"}]}"#;
    let target = "/nodes/info?&fields=nics,name";
    let answer = client.asks(200, "GET", target, both).await;
    assert_eq!(answer["nodes"][0]["name"], "node2");
    assert_eq!(
        answer["nodes"][1]["nics_info"]["nics"][0]["ip"],
        "11.5.102.60"
    );

    let update = r#"{"patches": [{"path": "/control_info/ssh_port", "value": 22, "op": "add"}, {"path": "/type", "op": "remove"}], "nodes": [{"name": "node1"}, {"name": "node3"}]}"#;
    let answer = client.asks(200, "PATCH", "/nodes", update).await;
    assert_eq!(
        answer,
        json!({"nodes": {"node1": "updated", "node3": "Could not be found."}})
    );

    let one = r#"{"nodes": [{"name": "node1"}]}"#;
    for (target, told) in [
        ("on", "on"),
        ("off", "off"),
        ("reboot", "on"),
        ("boot", "on"),
    ] {
        let set = format!("/nodes/power?target={target}");
        assert_eq!(
            client.asks(202, "PUT", &set, one).await["nodes"]["node1"],
            "ok"
        );
        let state = client.asks(200, "GET", "/nodes/power", one).await;
        assert_eq!(state, json!({"nodes": {"node1": told}}));
    }
    client
        .asks(202, "PUT", "/nodes/boot_device?target=net", one)
        .await;
    let device = client.asks(200, "GET", "/nodes/boot_device", one).await;
    assert_eq!(device, json!({"nodes": {"node1": "net"}}));

    let deploy = format!("/nodes/provision?target=nodeset&osimage={IMAGE}&subnet=c920");
    assert_eq!(
        client.asks(202, "PUT", &deploy, one).await["nodes"]["node1"],
        "ok"
    );
    client
        .asks(200, "PUT", "/nodes/provision/callback?name=node1", "")
        .await;
    let node = client
        .asks(200, "GET", "/nodes/node1?&fields=state,name", "")
        .await;
    assert_eq!(node["state"], "deployed");
    let undo = "/nodes/provision?target=un_nodeset";
    assert_eq!(
        client.asks(202, "PUT", undo, one).await["nodes"]["node1"],
        "ok"
    );
    let answer = client.asks(202, "DELETE", "/nodes", both).await;
    assert_eq!(
        answer,
        json!({"nodes": {"node2": "deleted", "node1": "deleted"}})
    );
}

#[tokio::test]
async fn the_python_client_manages_the_other_resources() {
    let world = World::new().await;
    world.enrol(1).await;
    let mut client = Client {
        wire: Wire::to(world.address).await,
        put: python,
    };
    let network = r#"{"subnet": "11.0.0.0", "netmask": "255.0.0.0", "gateway": "11.0.0.101", "nameservers": "11.0.0.101", "dynamic_range": "11.4.40.111-11.4.40.113", "name": "c920"}"#;
    let answer = client.asks(201, "POST", "/networks", network).await;
    assert_eq!(answer, json!({"network": {"c920": "ok"}}));
    let answer = client.asks(200, "GET", "/networks", "").await;
    assert_eq!(answer, json!({"networks": [{"name": "c920"}]}));
    let target = "/networks/c920?&fields=gateway,name";
    let answer = client.asks(200, "GET", target, "").await;
    assert_eq!(answer, json!({"name": "c920", "gateway": "11.0.0.101"}));
    let patch = r#"[{"path": "/gateway", "value": "11.0.0.1", "op": "add"}]"#;
    let answer = client.asks(200, "PATCH", "/networks/c920", patch).await;
    assert_eq!(answer["gateway"], "11.0.0.1");
    let gone = client.answered("DELETE", "/networks/c920", "").await;
    assert_eq!((gone.status, gone.text.as_str()), (202, ""));

    let nic = r#"{"node": "node1", "mac": "42:87:0a:05:00:00", "name": "eth1"}"#;
    let answer = client.asks(201, "POST", "/nics", nic).await;
    assert_eq!(answer, json!({"42:87:0a:05:00:00": "ok"}));
    let nic = client
        .asks(200, "GET", "/nics/address?mac=42:87:0A:05:00:00", "")
        .await;
    let path = format!("/nics/{}", nic["uuid"].as_str().unwrap());
    let answer = client
        .asks(200, "GET", &format!("{path}?&fields=ip,uuid"), "")
        .await;
    assert_eq!(answer, json!({"uuid": nic["uuid"], "ip": null}));
    let patch = r#"[{"path": "/ip", "value": "11.0.0.9", "op": "add"}]"#;
    assert_eq!(
        client.asks(200, "PATCH", &path, patch).await["ip"],
        "11.0.0.9"
    );
    let gone = client.answered("DELETE", &path, "").await;
    assert_eq!((gone.status, gone.text.as_str()), (202, ""));

    let passwd = r#"{"username": "root", "password": "cluster", "key": "system"}"#;
    let answer = client.asks(201, "POST", "/passwds", passwd).await;
    assert_eq!(answer, json!({"passwd": {"system": "ok"}}));
    let answer = client.asks(200, "GET", "/passwds", "").await;
    assert_eq!(answer, json!({"passwds": [{"key": "system"}]}));
    let answer = client.asks(200, "GET", "/services", "").await;
    assert_eq!(answer["services"].as_array().unwrap().len(), 2);
    let refused = client.answered("GET", "/nodes/nobody", "").await;
    assert_eq!(refused.status, 404);
    assert_eq!(refused.sentence(), "node nobody does not exist");
}

#[tokio::test]
async fn the_go_client_works_unchanged() {
    let world = World::new().await;
    world.make_deployable().await;
    let mut client = Client {
        wire: Wire::to(world.address).await,
        put: go,
    };
    let create = r#"{"nodes":[{"arch":"x86_64","control_info":{"ssh_address":"11.5.102.1","ssh_username":"root","ssh_virt_type":"virsh"},"mgt":"kvm","name":"node1","netboot":"pxe","nics_info":{"nics":[{"ip":"11.5.102.60","mac":"52:54:00:36:ac:b1","name":"eth0","primary":true}]}}]}"#;
    let answer = client.asks(201, "POST", "/v1/nodes", create).await;
    assert_eq!(answer, json!({"nodes": {"node1": "ok"}}));
    assert_eq!(
        client.asks(200, "GET", "/v1/nodes", "").await["nodes"][0],
        "node1"
    );
    let shown = client.asks(200, "GET", "/v1/nodes/node1?", "").await;
    assert_eq!(shown["name"], "node1");
    let one = r#"{"nodes":[{"name":"node1"}]}"#;
    let export =
        "/v1/nodes/info?fields=name%2Cmgt%2Cnetboot%2Ctype%2Carch%2Cnics_info%2Ccontrol_info";
    let exported = client.asks(200, "GET", export, one).await;
    assert_eq!(exported["nodes"][0].as_object().unwrap().len(), 7);
    let update = r#"{"nodes":[{"name":"node1"}],"patches":[{"op":"add","path":"/control_info/bmc_address","value":"11.0.0.0"},{"op":"remove","path":"/control_info/bmc_password"}]}"#;
    let answer = client.asks(200, "PATCH", "/v1/nodes", update).await;
    assert_eq!(answer["nodes"]["node1"], "updated");
    client
        .asks(202, "PUT", "/v1/nodes/power?target=on", one)
        .await;
    assert_eq!(
        client.asks(200, "GET", "/v1/nodes/power", one).await["nodes"]["node1"],
        "on"
    );
    client
        .asks(202, "PUT", "/v1/nodes/boot_device?target=disk", one)
        .await;
    let deploy = format!("/v1/nodes/provision?osimage={IMAGE}&target=nodeset");
    assert_eq!(
        client.asks(202, "PUT", &deploy, one).await["nodes"]["node1"],
        "ok"
    );
    let undo = format!("/v1/nodes/provision?osimage={IMAGE}&target=un_nodeset");
    assert_eq!(
        client.asks(202, "PUT", &undo, one).await["nodes"]["node1"],
        "ok"
    );
    assert_eq!(
        client.asks(202, "DELETE", "/v1/nodes", one).await["nodes"]["node1"],
        "deleted"
    );

    // An export can be imported as it is.
    let import = exported.to_string();
    let answer = client.asks(201, "POST", "/v1/nodes", &import).await;
    assert_eq!(answer, json!({"nodes": {"node1": "ok"}}));

    let shown = client
        .asks(200, "GET", "/v1/networks/c920?fields=gateway%2Cname", "")
        .await;
    assert_eq!(shown, json!({"name": "c920", "gateway": null}));
    let mac = "/v1/nics/address?fields=mac%2Cuuid&mac=52%3A54%3A00%3A36%3Aac%3Ab1";
    let nic = client.asks(200, "GET", mac, "").await;
    assert_eq!(nic["mac"], "52:54:00:36:ac:b1");
    let services = client
        .asks(200, "GET", "/v1/services/hostname?name=conductor1", "")
        .await;
    assert_eq!(services["services"][0]["type"], "conductor");
}
