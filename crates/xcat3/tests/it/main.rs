//! The program `xcat3` against a server that answers as the v1 contract says: what it asks, what it
//! prints, how it ends. The end-to-end tests of xcat3-sim run it against the real API.

mod discovered;
mod fake;
mod hardware;
mod jobs;

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

/// What the server was asked, one line a request, and what it answers to all of them.
struct Script {
    asked: Mutex<Vec<String>>,
    status: StatusCode,
    answer: Value,
}

struct Server {
    url: String,
    script: Arc<Script>,
    runtime: tokio::runtime::Runtime,
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    body: Bytes,
) -> (StatusCode, String) {
    let asked = format!("{method} {uri} {}", String::from_utf8_lossy(&body));
    script
        .asked
        .lock()
        .unwrap()
        .push(asked.trim_end().to_owned());
    (script.status, script.answer.to_string())
}

fn server(status: u16, document: Value) -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    let script = Arc::new(Script {
        asked: Mutex::default(),
        status,
        answer: document,
    });
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(script.clone());
    runtime.spawn(async move { axum::serve(listener, app).await });
    Server {
        url,
        script,
        runtime,
    }
}

impl Server {
    fn run(&self, arguments: &[&str]) -> Output {
        xcat3(&self.url, arguments)
    }

    fn asked(self) -> Vec<String> {
        self.runtime.shutdown_background();
        self.script.asked.lock().unwrap().clone()
    }
}

fn xcat3(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3"));
    command
        .env("XCAT3_URL", url)
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_create_of_the_readme_sends_the_document_of_the_contract() {
    let server = server(201, json!({"nodes": {"xcat3test1": "ok"}}));
    let output = server.run(&[
        "create",
        "xcat3test1",
        "--control",
        "ssh_username=root,ssh_virt_type=virsh,ssh_address=11.5.102.1,ssh_key_filename=/root/.ssh/id_rsa",
        "--nic",
        "mac=52:54:00:36:ac:b1,ip=11.5.102.60,name=eth0,primary=True",
        "mgt=kvm",
        "netboot=pxe",
        "arch=x86_64",
    ]);
    assert_eq!(stdout(&output), "xcat3test1: ok\n\nSuccess: 1  Total: 1\n");
    assert_eq!(output.status.code(), Some(0));
    let asked = server.asked();
    let (line, body) = asked[0].split_once('{').unwrap();
    assert_eq!(line, "POST /v1/nodes ");
    let body: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
    let expected = json!({"nodes": [{
        "mgt": "kvm", "netboot": "pxe", "arch": "x86_64", "name": "xcat3test1",
        "control_info": {"ssh_username": "root", "ssh_virt_type": "virsh",
            "ssh_address": "11.5.102.1", "ssh_key_filename": "/root/.ssh/id_rsa"},
        "nics_info": {"nics": [{"mac": "52:54:00:36:ac:b1", "ip": "11.5.102.60", "name": "eth0",
            "primary": true}]},
    }]});
    assert_eq!(body, expected);
}

#[test]
fn outcomes_come_in_natural_order_and_a_failure_is_exit_code_1() {
    let outcomes =
        json!({"nodes": {"node10": "on", "node2": "off", "node1": "Could not be found."}});
    let server = server(200, outcomes);
    let output = server.run(&["power", "node[1,2,10]"]);
    let expected = "node1: Could not be found.\nnode2: off\nnode10: on\n\nSuccess: 2  Total: 3\n";
    assert_eq!(stdout(&output), expected);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        server.asked(),
        ["GET /v1/nodes/power?nodes=node%5B1%2C2%2C10%5D"]
    );
}

#[test]
fn each_operation_asks_its_route() {
    let cases: [(&[&str], &str); 10] = [
        (&["power", "a", "on"], "PUT /v1/nodes/power?target=on"),
        (
            &["set-power", "a", "reboot"],
            "PUT /v1/nodes/power?target=boot",
        ),
        (&["bootdev", "a"], "GET /v1/nodes/boot_device"),
        (
            &["bootdev", "a", "net"],
            "PUT /v1/nodes/boot_device?target=net",
        ),
        (
            &["deploy", "a", "--osimage", "i", "--network", "n"],
            "PUT /v1/nodes/provision?target=nodeset&osimage=i&subnet=n",
        ),
        (
            &["deploy", "a", "--delete"],
            "PUT /v1/nodes/provision?target=un_nodeset",
        ),
        (
            &["deploy", "a", "--state", "dhcp", "-d"],
            "PUT /v1/nodes/provision?target=un_dhcp",
        ),
        (&["delete", "a"], "DELETE /v1/nodes"),
        (
            &["export", "a", "--secrets"],
            "GET /v1/nodes/info?secrets=true",
        ),
        (
            &["show", "a", "--fields", "control,mgt"],
            "GET /v1/nodes/info?fields=control_info%2Cmgt",
        ),
    ];
    for (arguments, request) in cases {
        let server = server(200, json!({"nodes": {"a": "ok"}}));
        server.run(arguments);
        let asked = server.asked();
        let separator = if request.contains('?') { '&' } else { '?' };
        assert_eq!(
            asked,
            [format!("{request}{separator}nodes=a")],
            "{arguments:?}"
        );
    }
}

#[test]
fn lists_print_what_the_prototype_printed() {
    let nodes = server(200, json!({"nodes": ["node10", "node9"]}));
    assert_eq!(
        stdout(&nodes.run(&["list"])),
        "node9 (node)\nnode10 (node)\n"
    );
    let missing = nodes.run(&["list", "node[9-11]"]);
    assert_eq!(stdout(&missing), "node9 (node)\nnode10 (node)\n");
    assert!(stderr(&missing).contains("node11: Could not be found."));
    assert_eq!(missing.status.code(), Some(1));
    let images = server(200, json!({"images": [{"name": "rhels7.3-x86_64"}]}));
    assert_eq!(
        stdout(&images.run(&["osimage", "list"])),
        "rhels7.3-x86_64 (osimage)\n"
    );
    let none = server(200, json!({"networks": []}));
    assert_eq!(
        stdout(&none.run(&["network-list"])),
        "Could not find any resource.\n"
    );
}

#[test]
fn a_refusal_is_its_sentence_and_nothing_else() {
    let error = json!({"error_message": {"faultcode": "Client",
        "faultstring": "dynamic_range 1.2.3.4-1.2.3.5 is not inside subnet 10.0.0.0/8",
        "debuginfo": null}});
    let server = server(400, error);
    let output = server.run(&["network-create", "n", "subnet=10.0.0.0"]);
    let sentence = "xcat3: dynamic_range 1.2.3.4-1.2.3.5 is not inside subnet 10.0.0.0/8\n";
    assert_eq!(stderr(&output), sentence);
    assert_eq!(stdout(&output), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_can_not_be_reached_or_understood_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let refused = xcat3(&url, &["list"]);
    assert!(stderr(&refused).contains(&url) && stderr(&refused).contains("Is xcat3d running"));
    assert_eq!(refused.status.code(), Some(1));
    let range = xcat3(&url, &["power", "node[3-1]", "on"]);
    assert!(
        stderr(&range).contains("runs backwards"),
        "{}",
        stderr(&range)
    );
    let usage = xcat3(&url, &["power", "node1", "sideways"]);
    assert_eq!(usage.status.code(), Some(2));
    let address = xcat3("ftp://x", &["list"]);
    assert!(
        stderr(&address).contains("'ftp://x'"),
        "{}",
        stderr(&address)
    );
}

#[test]
fn an_export_can_be_imported_and_only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("nodes.json");
    let path = file.to_str().unwrap();
    let record = json!({"nodes": [{"name": "n1", "mgt": "kvm", "state": null,
        "control_info": {"ssh_password": "********", "ssh_address": "h"}}]});
    let source = server(200, record);
    let exported = source.run(&["export", "n1", "-o", path]);
    assert_eq!(stdout(&exported), format!("Exported 1 nodes to {path}.\n"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let target = server(201, json!({"nodes": {"n1": "ok"}}));
    assert_eq!(target.run(&["import", path]).status.code(), Some(0));
    let asked = target.asked();
    let body = r#"{"nodes":[{"name":"n1","mgt":"kvm","control_info":{"ssh_address":"h"}}]}"#;
    assert_eq!(asked, [format!("POST /v1/nodes {body}")]);
}

#[test]
fn a_deploy_is_followed_to_its_end() {
    // The first answer is to the deploy, the others to the looks at the node.
    let ended = json!({"nodes": [{"name": "a", "state": "failed",
        "deploy": {"failure": "nothing was heard for 60 minutes"}}], });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let route = move |method: Method| {
        let ended = ended.to_string();
        async move {
            if method == Method::PUT {
                json!({"nodes": {"a": "ok"}}).to_string()
            } else {
                ended
            }
        }
    };
    runtime.spawn(async move { axum::serve(listener, Router::new().fallback(route)).await });
    let output = xcat3(&url, &["deploy", "a", "--osimage", "i", "--wait"]);
    runtime.shutdown_background();
    let expected = "a: failed: nothing was heard for 60 minutes\n\nSuccess: 0  Total: 1\n";
    assert_eq!(stdout(&output), expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_password_can_come_from_standard_input() {
    let server = server(201, json!({"passwd": {"system": "ok"}}));
    let mut command = Command::new(env!("CARGO_BIN_EXE_xcat3"));
    command.args(["passwd-create", "system", "password=-"]);
    command
        .env("XCAT3_URL", &server.url)
        .stdin(std::process::Stdio::piped());
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"a secret\n").unwrap();
    assert_eq!(stdout(&child.wait_with_output().unwrap()), "system: ok\n");
    let body = r#"{"password":"a secret","key":"system"}"#;
    assert_eq!(server.asked(), [format!("POST /v1/passwds {body}")]);
}

#[test]
fn completions_and_man_pages_are_made_from_the_same_definition() {
    let bash = xcat3("http://localhost:1", &["completion", "bash"]);
    assert!(stdout(&bash).contains("network-create"));
    let directory = tempfile::tempdir().unwrap();
    let man = xcat3(
        "http://localhost:1",
        &["man", directory.path().to_str().unwrap()],
    );
    assert_eq!(man.status.code(), Some(0));
    assert!(directory.path().join("xcat3-deploy.1").exists());
}
