//! Hypervisors that can't be driven, and why.

use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use xcat3_core::Node;
use xcat3_core::Outcome;
use xcat3_drivers::control::ControlOperation::PowerStatus;

use super::lab::LAB;
use super::{Driver, changed, node};

const MAC: &str = "52:54:00:05:00:01";

fn at(port: u16) -> Node {
    changed(&node("refused", &[MAC]), &json!({"ssh_port": port}))
}

fn host_key(name: &str) -> String {
    let text = std::fs::read_to_string(LAB.file(&format!("{name}.pub"))).unwrap();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn what_is_missing_on_the_hypervisor_is_named() {
    let driver = Driver::new();
    let words = ["virsh is not installed there"];
    driver
        .fails(PowerStatus, &at(LAB.port_without_virsh), &words)
        .await;
    let words = ["libvirtd does not run there", "libvirt-sock"];
    driver
        .fails(PowerStatus, &at(LAB.port_without_libvirtd), &words)
        .await;
    let guest = changed(&at(LAB.port), &json!({"ssh_username": "guest"}));
    let words = [
        "it refused to run a command",
        "This account is currently not available",
    ];
    driver.fails(PowerStatus, &guest, &words).await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_port_where_nobody_listens_and_a_name_that_nobody_has() {
    let driver = Driver::new();
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let place = format!("hypervisor 127.0.0.1:{port}: connection refused");
    driver.fails(PowerStatus, &at(port), &[&place]).await;
    let nowhere = changed(&at(port), &json!({"ssh_address": "host.invalid"}));
    driver
        .fails(
            PowerStatus,
            &nowhere,
            &["hypervisor host.invalid:", "cannot connect"],
        )
        .await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn something_else_than_an_ssh_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
            .await
            .unwrap();
    });
    driver_short()
        .fails(PowerStatus, &at(port), &["the ssh handshake failed"])
        .await;
    serving.await.unwrap();
}

fn driver_short() -> Driver {
    Driver::with(|config| config.connect_deadline = Duration::from_secs(2))
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_host_that_answers_nothing_costs_one_deadline() {
    // Nobody accepts; the kernel completes connections until the backlog is full.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let driver = driver_short();
    let words = ["did not complete the ssh handshake within 2 s"];
    driver.fails(PowerStatus, &at(address.port()), &words).await;

    let mut kept = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(Ok(stream)) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        kept.push(stream);
    }
    driver
        .fails(
            PowerStatus,
            &at(address.port()),
            &["no connection within 2 s"],
        )
        .await;

    // Two requests at once wait for one attempt, not for one after the other.
    let start = std::time::Instant::now();
    let node = at(address.port());
    let (one, two) = tokio::join!(
        driver.ask(PowerStatus, &node),
        driver.ask(PowerStatus, &node)
    );
    assert_eq!(one, two);
    assert!(
        start.elapsed() < Duration::from_millis(3500),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_black_hole_delays_nobody_and_the_deadline_holds() {
    LAB.define("healthy", "", "", &["52:54:00:05:00:02"]);
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let driver = Driver::with(|config| config.connect_deadline = Duration::from_secs(60));
    let bad = at(hole.local_addr().unwrap().port());
    let mut good = node("healthy", &["52:54:00:05:00:02"]);
    good.name = "good".parse().unwrap();
    let deadline = Duration::from_secs(6);
    let outcomes = driver.timed(PowerStatus, &[bad, good], deadline).await;
    let (name, outcome, when) = &outcomes[0];
    assert_eq!((name.as_str(), outcome), ("good", &Outcome::Done("off")));
    assert!(*when < Duration::from_secs(5), "{when:?}");
    let (name, outcome, when) = &outcomes[1];
    assert_eq!(name, "refused");
    assert!(
        outcome.as_str().contains("not done within 6 s"),
        "{outcome}"
    );
    assert!(
        (deadline..deadline + Duration::from_secs(2)).contains(when),
        "{when:?}"
    );
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_new_host_is_remembered_and_a_changed_key_is_refused() {
    let driver = Driver::new();
    let place = format!("[127.0.0.1]:{}", LAB.port);
    driver
        .fails(PowerStatus, &at(LAB.port), &["no domain has"])
        .await;
    let known = std::fs::read_to_string(&driver.known_hosts).unwrap();
    assert_eq!(known, format!("{place} {}\n", host_key("host_ed25519")));

    let driver = Driver::new();
    let wrong = format!("# keys\n{place} {}\n", host_key("stranger"));
    std::fs::write(&driver.known_hosts, &wrong).unwrap();
    let file = driver.known_hosts.display().to_string();
    let words = ["HOST KEY CHANGED", "SHA256:", "line 2", &file];
    driver.fails(PowerStatus, &at(LAB.port), &words).await;
    assert_eq!(std::fs::read_to_string(&driver.known_hosts).unwrap(), wrong);
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn an_unknown_host_is_refused_where_trust_must_be_given_by_hand() {
    let driver = Driver::with(|config| config.trust_on_first_use = false);
    let key = host_key("host_ed25519");
    let words = ["trust on first use is off", "SHA256:", &key];
    driver.fails(PowerStatus, &at(LAB.port), &words).await;
    assert!(!driver.known_hosts.exists());

    // A server has several keys: it is asked for one of those that are known.
    let place = format!("[127.0.0.1]:{}", LAB.port);
    std::fs::write(
        &driver.known_hosts,
        format!("{place} {}\n", host_key("host_ecdsa")),
    )
    .unwrap();
    driver
        .fails(PowerStatus, &at(LAB.port), &["no domain has"])
        .await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_revoked_key_and_a_file_that_cannot_be_read_are_refused() {
    let driver = Driver::new();
    let revoked = format!("@revoked * {}\n", host_key("host_ed25519"));
    std::fs::write(&driver.known_hosts, revoked).unwrap();
    driver
        .fails(PowerStatus, &at(LAB.port), &["is revoked by line 1"])
        .await;

    let driver = Driver::new();
    std::fs::create_dir(&driver.known_hosts).unwrap();
    driver
        .fails(
            PowerStatus,
            &at(LAB.port),
            &["its host key cannot be checked"],
        )
        .await;
}
