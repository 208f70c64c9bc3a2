//! A snapshot a route: the request as it is sent, the status and the body.

use serde_json::{Value, json};

use crate::wire::Answered;
use crate::world::{IMAGE, World, names};

/// Sends a request and compares the exchange with its snapshot.
async fn snapshot(world: &World, name: &str, method: &str, target: &str, body: Value) -> Answered {
    let answered = world.ask(method, target, body.clone()).await;
    let sent = match &body {
        Value::Null => String::new(),
        body => format!("{body}\n"),
    };
    let told = match answered.json() {
        Value::Null => answered.text.clone(),
        json => serde_json::to_string_pretty(&json).unwrap(),
    };
    let exchange = format!("{method} {target}\n{sent}\n{}\n{told}", answered.status);
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, without_ids(&exchange));
    });
    answered
}

/// `text` with uuids and the name of this host replaced: they are never the same.
fn without_ids(text: &str) -> String {
    let host = xcat3_service::Config::default().host();
    let text = text.replace(&format!("\"{host}\""), "\"<host>\"");
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let candidate = rest
            .get(..36)
            .filter(|part| part.parse::<uuid::Uuid>().is_ok());
        let taken = candidate.map_or(first.len_utf8(), str::len);
        match candidate {
            Some(_) => shown.push_str("<uuid>"),
            None => shown.push(first),
        }
        rest = &rest[taken..];
    }
    shown
}

fn node(name: &str, mac: &str) -> Value {
    json!({"name": name, "mgt": "kvm", "netboot": "pxe", "arch": "x86_64",
        "control_info": {"ssh_address": "11.5.102.1", "ssh_username": "root",
            "ssh_virt_type": "virsh", "ssh_password": "hidden"},
        "nics_info": {"nics": [{"mac": mac, "ip": "11.5.102.60", "name": "eth0",
            "primary": "True"}]}})
}

#[tokio::test]
async fn about() {
    let world = World::without_conductor(1).await;
    snapshot(&world, "root", "GET", "/", Value::Null).await;
    let version = snapshot(&world, "version", "GET", "/v1", Value::Null).await;
    let slash = world.expect(200, "GET", "/v1/", Value::Null).await;
    assert_eq!(version.json(), slash);
    snapshot(&world, "no_path", "GET", "/v1/nothing", Value::Null).await;
    snapshot(&world, "no_method", "POST", "/v1/services", json!({})).await;
}

#[tokio::test]
async fn nodes() {
    let world = World::new().await;
    let mut wrong = node("node3", "52:54:00:36:ac:b3");
    wrong["colour"] = "red".into();
    let nodes = [
        node("node1", "52-54-00-36-AC-B1"),
        node("node10", "52:54:00:36:ac:ba"),
        node("node2", "52:54:00:36:ac:b1"),
        wrong,
        json!({"name": "node4", "control_info": null, "nics_info": null}),
    ];
    let path = "/v1/nodes";
    snapshot(
        &world,
        "nodes_create",
        "POST",
        path,
        json!({"nodes": nodes}),
    )
    .await;
    snapshot(&world, "nodes_list", "GET", path, Value::Null).await;
    let descending = "/v1/nodes?sort_key=mgt&sort_dir=desc";
    snapshot(&world, "nodes_list_sorted", "GET", descending, Value::Null).await;
    snapshot(&world, "nodes_show", "GET", "/v1/nodes/node1", Value::Null).await;
    snapshot(
        &world,
        "nodes_show_missing",
        "GET",
        "/v1/nodes/node9",
        Value::Null,
    )
    .await;
    let fields = "/v1/nodes/node1?fields=mgt,deploy";
    snapshot(&world, "nodes_show_fields", "GET", fields, Value::Null).await;
    let both = names(&["node4", "nobody", "node1"]);
    let info = "/v1/nodes/info?fields=nics_info,state";
    snapshot(&world, "nodes_info", "GET", info, both.clone()).await;
    let mut patch = both.clone();
    patch["patches"] = json!([
        {"op": "replace", "path": "/mgt", "value": "ipmi"},
        {"op": "add", "path": "/control_info/bmc_address", "value": "11.0.0.9"},
        {"op": "remove", "path": "/control_info/ssh_password"},
        {"op": "remove", "path": "/control_info/absent"},
        {"op": "add", "path": "/nics_info/nics/-",
            "value": {"mac": "52:54:00:36:ac:b1", "ip": "11.5.102.61"}},
    ]);
    snapshot(&world, "nodes_update", "PATCH", path, patch).await;
    snapshot(
        &world,
        "nodes_show_updated",
        "GET",
        "/v1/nodes/node1",
        Value::Null,
    )
    .await;
    let mut unknown = names(&["node1"]);
    unknown["patches"] = json!([{"op": "add", "path": "/colour", "value": "red"}]);
    snapshot(&world, "nodes_update_unknown", "PATCH", path, unknown).await;
    snapshot(&world, "nodes_delete", "DELETE", path, both).await;
}

#[tokio::test]
async fn power_and_boot_device() {
    let world = World::new().await;
    world.enrol(2).await;
    let body = names(&["node2", "nobody", "node1"]);
    let (power, device) = ("/v1/nodes/power", "/v1/nodes/boot_device");
    snapshot(
        &world,
        "power_set",
        "PUT",
        "/v1/nodes/power?target=on",
        names(&["node1"]),
    )
    .await;
    snapshot(&world, "power_show", "GET", power, body.clone()).await;
    let unknown = "/v1/nodes/power?target=fly";
    snapshot(&world, "power_set_unknown", "PUT", unknown, body.clone()).await;
    let net = "/v1/nodes/boot_device?target=net";
    snapshot(&world, "boot_device_set", "PUT", net, names(&["node2"])).await;
    snapshot(&world, "boot_device_show", "GET", device, body.clone()).await;
    let unknown = "/v1/nodes/boot_device?target=tape";
    snapshot(&world, "boot_device_set_unknown", "PUT", unknown, body).await;
}

#[tokio::test]
async fn provision() {
    let world = World::new().await;
    world.enrol(2).await;
    world.make_deployable().await;
    let deploy = format!("/v1/nodes/provision?target=nodeset&osimage={IMAGE}&subnet=c920");
    let both = names(&["node2", "nobody", "node1"]);
    snapshot(&world, "provision_nodeset", "PUT", &deploy, both.clone()).await;
    snapshot(
        &world,
        "provision_nodeset_again",
        "PUT",
        &deploy,
        both.clone(),
    )
    .await;
    let fields = "/v1/nodes/node1?fields=state,osimage";
    snapshot(&world, "provision_deploying", "GET", fields, Value::Null).await;
    let callback = "/v1/nodes/provision/callback?name=node1";
    snapshot(&world, "provision_callback", "PUT", callback, Value::Null).await;
    let nobody = "/v1/nodes/provision/callback?name=nobody";
    snapshot(
        &world,
        "provision_callback_missing",
        "PUT",
        nobody,
        Value::Null,
    )
    .await;
    snapshot(&world, "provision_deployed", "GET", fields, Value::Null).await;
    let undo = "/v1/nodes/provision?target=un_nodeset";
    snapshot(&world, "provision_un_nodeset", "PUT", undo, both.clone()).await;
    let dhcp = "/v1/nodes/provision?target=dhcp";
    snapshot(&world, "provision_dhcp", "PUT", dhcp, both.clone()).await;
    let undo = "/v1/nodes/provision?target=un_dhcp";
    snapshot(&world, "provision_un_dhcp", "PUT", undo, both.clone()).await;
    let unknown = "/v1/nodes/provision?target=wish";
    snapshot(&world, "provision_unknown", "PUT", unknown, both).await;
}

#[tokio::test]
async fn nics() {
    let world = World::new().await;
    world.enrol(2).await;
    let nic = json!({"mac": "5254.0036.ACB2", "node": "node1", "ip": "11.5.102.61",
        "netmask": "255.0.0.0", "name": "eth1", "extra": {"switch": "s1"}});
    snapshot(&world, "nics_create", "POST", "/v1/nics", nic).await;
    snapshot(&world, "nics_list", "GET", "/v1/nics", Value::Null).await;
    let address = "/v1/nics/address?mac=52:54:00:36:AC:B2";
    let found = snapshot(&world, "nics_address", "GET", address, Value::Null).await;
    let missing = "/v1/nics/address?mac=52:54:00:36:AC:FF";
    snapshot(&world, "nics_address_missing", "GET", missing, Value::Null).await;
    let uuid = found.json()["uuid"].as_str().unwrap().to_owned();
    let path = format!("/v1/nics/{uuid}");
    snapshot(&world, "nics_show", "GET", &path, Value::Null).await;
    let fields = format!("{path}?fields=ip,mac");
    snapshot(&world, "nics_show_fields", "GET", &fields, Value::Null).await;
    let of_node = "/v1/nics/node?node_name=node1";
    snapshot(&world, "nics_node", "GET", of_node, Value::Null).await;
    let patches = json!([{"op": "replace", "path": "/node", "value": "node2"},
        {"op": "remove", "path": "/name"}]);
    snapshot(&world, "nics_update", "PATCH", &path, patches).await;
    snapshot(&world, "nics_delete", "DELETE", &path, Value::Null).await;
    snapshot(&world, "nics_show_missing", "GET", &path, Value::Null).await;
}

#[tokio::test]
async fn networks() {
    let world = World::without_conductor(1).await;
    let network = json!({"name": "c920", "subnet": "11.0.0.0", "netmask": "255.0.0.0",
        "gateway": "11.0.0.101", "nameservers": "11.0.0.101,11.0.0.102",
        "dynamic_range": "11.4.40.111-11.4.40.113"});
    let (list, path) = ("/v1/networks", "/v1/networks/c920");
    snapshot(&world, "networks_create", "POST", list, network.clone()).await;
    snapshot(&world, "networks_create_again", "POST", list, network).await;
    snapshot(&world, "networks_list", "GET", list, Value::Null).await;
    snapshot(&world, "networks_show", "GET", path, Value::Null).await;
    let fields = "/v1/networks/c920?&fields=gateway,name";
    snapshot(&world, "networks_show_fields", "GET", fields, Value::Null).await;
    let patches = json!([{"op": "add", "path": "/domain", "value": "cluster.net"},
        {"op": "remove", "path": "/gateway"}]);
    snapshot(&world, "networks_update", "PATCH", path, patches.clone()).await;
    snapshot(&world, "networks_delete", "DELETE", path, Value::Null).await;
    snapshot(&world, "networks_show_missing", "GET", path, Value::Null).await;
    snapshot(&world, "networks_update_missing", "PATCH", path, patches).await;
    snapshot(
        &world,
        "networks_delete_missing",
        "DELETE",
        path,
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn osimages() {
    let world = World::without_conductor(1).await;
    let image = json!({"name": "rhels7.3-x86_64", "distro": "rhels", "ver": "7.3",
        "arch": "x86_64", "profile": "compute", "orig_name": "RHEL-7.3.iso"});
    let (list, path) = ("/v1/osimages", "/v1/osimages/rhels7.3-x86_64");
    snapshot(&world, "osimages_create", "POST", list, image).await;
    snapshot(&world, "osimages_list", "GET", list, Value::Null).await;
    snapshot(&world, "osimages_show", "GET", path, Value::Null).await;
    let by_id = "/v1/osimages/get_by_id?id=1";
    snapshot(&world, "osimages_by_id", "GET", by_id, Value::Null).await;
    let by_id = "/v1/osimages/get_by_id?id=77";
    snapshot(&world, "osimages_by_id_missing", "GET", by_id, Value::Null).await;
    let patches = json!([{"op": "replace", "path": "/profile", "value": "login"}]);
    snapshot(&world, "osimages_update", "PATCH", path, patches).await;
    let patches = json!([{"op": "replace", "path": "/arch", "value": "ppc64le"}]);
    snapshot(&world, "osimages_update_refused", "PATCH", path, patches).await;
    snapshot(&world, "osimages_delete", "DELETE", path, Value::Null).await;
    snapshot(&world, "osimages_show_missing", "GET", path, Value::Null).await;
}

#[tokio::test]
async fn passwds() {
    let world = World::without_conductor(1).await;
    let passwd = json!({"key": "system", "username": "root", "password": "hidden",
        "crypt_method": "sha512"});
    let (list, path) = ("/v1/passwds", "/v1/passwds/system");
    snapshot(&world, "passwds_create", "POST", list, passwd).await;
    snapshot(&world, "passwds_list", "GET", list, Value::Null).await;
    snapshot(&world, "passwds_show", "GET", path, Value::Null).await;
    let patches = json!([{"op": "add", "path": "/crypt_method", "value": "yescrypt"}]);
    snapshot(&world, "passwds_update", "PATCH", path, patches).await;
    snapshot(&world, "passwds_delete", "DELETE", path, Value::Null).await;
    snapshot(&world, "passwds_show_missing", "GET", path, Value::Null).await;
}

#[tokio::test]
async fn services() {
    let world = World::new().await;
    let of_host = "/v1/services/hostname?name=conductor1";
    snapshot(&world, "services_list", "GET", "/v1/services", Value::Null).await;
    snapshot(&world, "services_hostname", "GET", of_host, Value::Null).await;
    let nobody = "/v1/services/hostname?name=nobody";
    snapshot(
        &world,
        "services_hostname_missing",
        "GET",
        nobody,
        Value::Null,
    )
    .await;
}
