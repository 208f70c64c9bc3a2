//! What outlives the process.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use xcat3_core::OsImage;
use xcat3_core::osimage::{BootFile, ImageContent};
use xcat3_store::Store;

use crate::program::{Running, start, state};

const IMAGE: &str = "debian12-x86_64";

/// Puts an image into the store as an import does.
fn import(state: &Path) {
    let mut image = OsImage::new(IMAGE, "debian", "12", "x86_64");
    image.content = Some(ImageContent {
        iso: format!("{IMAGE}.iso"),
        iso_size: 1,
        iso_sha256: String::new(),
        codename: Some("bookworm".into()),
        kernel: Some(BootFile::Iso("linux".into())),
        initrd: Some(BootFile::Iso("initrd.gz".into())),
    });
    let url = format!("sqlite:{}", state.join("xcat3.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&url).await.unwrap();
        store.create_osimage(&image).await.unwrap();
        store.close().await;
    });
}

/// Declares a node and all that its deploy needs. No interface of this host is in its network.
fn declare(running: &Running) {
    let network = json!({"name": "net", "subnet": "198.51.100.0", "netmask": "255.255.255.0"});
    assert_eq!(running.request("POST", "/v1/networks", &network).0, 201);
    let passwd = json!({"key": "system", "username": "root", "password": "$6$saltsalt$hash"});
    assert_eq!(running.request("POST", "/v1/passwds", &passwd).0, 201);
    let nic = json!({"mac": "52:54:00:00:00:01", "ip": "198.51.100.7", "primary": true});
    let node = json!({"name": "node1", "mgt": "kvm", "netboot": "pxe", "arch": "x86_64",
        "nics_info": {"nics": [nic]}});
    let (status, answer) = running.request("POST", "/v1/nodes", &json!({"nodes": [node]}));
    assert_eq!(
        (status, answer["nodes"]["node1"].as_str()),
        (201, Some("ok")),
        "{answer}"
    );
}

fn node1() -> Value {
    json!({"nodes": [{"name": "node1"}]})
}

fn node_state(running: &Running) -> Value {
    running.request("GET", "/v1/nodes/node1", &Value::Null).1["state"].clone()
}

#[test]
fn a_deploy_outlives_a_kill_and_the_callback_still_ends_it() {
    let state = state();
    let running = start(state.path());
    declare(&running);
    import(state.path());
    let deploy = format!("/v1/nodes/provision?target=nodeset&osimage={IMAGE}");
    let (status, answer) = running.request("PUT", &deploy, &node1());
    assert_eq!(
        (status, answer["nodes"]["node1"].as_str()),
        (202, Some("ok")),
        "{answer}"
    );
    assert_eq!(running.end(Signal::KILL).0, None);

    let running = start(state.path());
    assert_eq!(node_state(&running), "deploying");
    let (status, answer) = running.request(
        "PUT",
        "/v1/nodes/provision/callback?name=node1",
        &Value::Null,
    );
    assert_eq!(status, 200, "{answer}");
    assert_eq!(node_state(&running), "deployed");
    let (code, said) = running.end(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
}

fn online_services(running: &Running) -> Vec<String> {
    let (_, answer) = running.request("GET", "/v1/services", &Value::Null);
    let services = answer["services"].as_array().unwrap().iter();
    let mut online: Vec<String> = services
        .filter(|service| service["online"] == true)
        .filter_map(|service| service["type"].as_str().map(str::to_owned))
        .collect();
    online.sort_unstable();
    online
}

#[test]
fn all_services_report_for_duty() {
    let state = state();
    let running = start(state.path());
    let begun = Instant::now();
    let mut online = Vec::new();
    while online != ["api", "conductor", "network"] {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "online: {online:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
        online = online_services(&running);
    }
    assert_eq!(running.end(Signal::TERM).0, Some(0));
}
