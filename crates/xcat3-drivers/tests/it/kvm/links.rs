//! Connections: one a hypervisor, kept, and made anew when lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use xcat3_core::{BootDevice, BootOrder, Outcome};
use xcat3_drivers::control::ControlOperation::{BootDeviceStatus, PowerStatus, SetBootDevice};

use super::lab::LAB;
use super::{Driver, changed, node};

#[tokio::test]
#[ignore = "real: root, programs"]
async fn thirty_nodes_share_one_connection() {
    let macs: Vec<String> = (0..30).map(|i| format!("52:54:00:06:00:{i:02x}")).collect();
    let nodes: Vec<_> = macs
        .iter()
        .enumerate()
        .map(|(place, mac)| {
            LAB.define(
                &format!("thirty{place}"),
                "<boot dev='hd'/>",
                "",
                &[mac.as_str()],
            );
            let node = node(&format!("thirty{place}"), &[mac.as_str()]);
            changed(&node, &json!({"ssh_port": LAB.counted_port}))
        })
        .collect();
    let driver = Driver::new();
    let deadline = Duration::from_secs(50);
    let all = |outcomes: Vec<(String, Outcome, Duration)>, word: &str| {
        assert!(
            outcomes
                .iter()
                .all(|(_, outcome, _)| outcome.as_str() == word),
            "{outcomes:?}"
        );
    };
    let (first, again) = tokio::join!(
        driver.timed(PowerStatus, &nodes, deadline),
        driver.timed(BootDeviceStatus, &nodes, deadline),
    );
    all(first, "off");
    all(again, "disk");
    all(
        driver
            .timed(
                SetBootDevice(BootOrder::once(BootDevice::Net)),
                &nodes,
                deadline,
            )
            .await,
        "ok",
    );
    all(
        driver.timed(BootDeviceStatus, &nodes, deadline).await,
        "net",
    );
    let log = std::fs::read_to_string(LAB.file("counted.log")).unwrap();
    assert_eq!(log.matches("Connection from 127.0.0.1").count(), 1, "{log}");
    assert_eq!(
        log.matches("Accepted publickey for root").count(),
        1,
        "{log}"
    );
}

/// A way to the lab's ssh server that can be cut and blocked.
struct Wire {
    port: u16,
    made: Arc<AtomicUsize>,
    blocked: Arc<AtomicBool>,
    cut: broadcast::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Wire {
    async fn lay() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (made, blocked) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (cut, _) = broadcast::channel(1);
        let (count, is_blocked, cutting) = (Arc::clone(&made), Arc::clone(&blocked), cut.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(("127.0.0.1", LAB.port)).await.unwrap();
                let (mut cut, blocked) = (cutting.subscribe(), Arc::clone(&is_blocked));
                tokio::spawn(async move {
                    tokio::select! {
                        _ = cut.recv() => {}
                        () = carry(near, far, &blocked) => {}
                    }
                });
            }
        });
        Self {
            port,
            made,
            blocked,
            cut,
            accepting,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, blocked: &AtomicBool) {
    let (mut out, mut back) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let (target, data) = tokio::select! {
            read = near.read(&mut out) => (&mut far, &out[..read.unwrap_or(0)]),
            read = far.read(&mut back) => (&mut near, &back[..read.unwrap_or(0)]),
        };
        if data.is_empty() {
            return;
        }
        while blocked.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if target.write_all(data).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_lost_connection_is_made_anew_and_a_dead_one_is_not_waited_for_twice() {
    LAB.define("wire", "", "", &["52:54:00:06:01:01"]);
    let wire = Wire::lay().await;
    let driver = Driver::with(|config| {
        config.command_deadline = Duration::from_secs(2);
        config.connect_deadline = Duration::from_secs(3);
    });
    let node = changed(
        &node("wire", &["52:54:00:06:01:01"]),
        &json!({"ssh_port": wire.port}),
    );
    for _ in 0..2 {
        assert_eq!(driver.ask(PowerStatus, &node).await, "off");
    }
    assert_eq!(wire.made.load(Ordering::SeqCst), 1);

    wire.cut.send(()).unwrap();
    assert_eq!(driver.ask(PowerStatus, &node).await, "off");
    assert_eq!(wire.made.load(Ordering::SeqCst), 2);

    // The old connection is found dead, then a new one does not come to be.
    wire.blocked.store(true, Ordering::SeqCst);
    let words = ["did not complete the ssh handshake within 3 s"];
    driver.fails(PowerStatus, &node, &words).await;
    assert_eq!(wire.made.load(Ordering::SeqCst), 3);
    wire.blocked.store(false, Ordering::SeqCst);
    assert_eq!(driver.ask(PowerStatus, &node).await, "off");
    assert_eq!(wire.made.load(Ordering::SeqCst), 4);
}
