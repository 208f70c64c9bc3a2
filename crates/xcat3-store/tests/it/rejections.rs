//! Credentials that BMCs rejected.

use serde_json::Value;
use xcat3_core::{BmcRejection, Node};
use xcat3_store::Store;

use crate::fixture::{name, node};

fn with_bmc(name: &str, address: &str) -> Node {
    let mut node = node(name, &[]);
    let address = Value::from(address);
    node.declared
        .control_info
        .insert("bmc_address".into(), address);
    node
}

fn rejection(host: &str, login: i64) -> BmcRejection {
    BmcRejection {
        host: host.to_owned(),
        login,
        reason: "no such user".to_owned(),
        at_ms: 0,
    }
}

async fn logins(store: &Store, nodes: &[Node]) -> Vec<i64> {
    let found = store.bmc_rejections(nodes).await.unwrap();
    assert!(
        found
            .iter()
            .all(|found| found.at_ms > 0 && found.reason == "no such user")
    );
    let mut logins: Vec<i64> = found.iter().map(|found| found.login).collect();
    logins.sort_unstable();
    logins
}

pub async fn what_a_bmc_rejected_is_known_to_all_who_ask_it(store: Store) {
    let nodes = [
        with_bmc("a", "10.0.0.1"),
        with_bmc("b", "BMC.lab"),
        node("c", &[]),
    ];
    store.create_nodes(&nodes).await.unwrap();
    let before = store.revision().await.unwrap();
    let new = [
        rejection("10.0.0.1", i64::MIN),
        rejection("10.0.0.1", 7),
        rejection("10.0.0.1", 7),
        rejection("bmc.lab", i64::MAX),
        rejection("elsewhere", 1),
    ];
    let new: Vec<&BmcRejection> = new.iter().collect();
    store.record_bmc_rejections(&new).await.unwrap();
    store.record_bmc_rejections(&new).await.unwrap();
    store.record_bmc_rejections(&[]).await.unwrap();
    assert_eq!(logins(&store, &nodes).await, [i64::MIN, 7, i64::MAX]);
    assert_eq!(logins(&store, &nodes[2..]).await, [0; 0]);
    assert_eq!(store.revision().await.unwrap(), before);
}

pub async fn what_an_operator_writes_is_tried_again(store: Store) {
    let nodes = [
        with_bmc("a", "10.0.0.1"),
        with_bmc("b", "10.0.0.2"),
        with_bmc("c", "10.0.0.3"),
    ];
    store.create_nodes(&nodes).await.unwrap();
    let new = [1, 2, 3].map(|number| rejection(&format!("10.0.0.{number}"), number));
    store.record_bmc_rejections(&new.each_ref()).await.unwrap();
    let names = ["a", "b", "c"].map(name);
    let mut change = |node: &mut Node| {
        match node.name.as_str() {
            "a" => drop(
                node.declared
                    .control_info
                    .insert("bmc_password".into(), "new".into()),
            ),
            "b" => node.declared.arch = Some("aarch64".to_owned()),
            // What was there before is right now: somebody has mended the account.
            _ => {}
        }
        Ok(())
    };
    store.update_nodes(&names, &mut change).await.unwrap();
    assert_eq!(logins(&store, &nodes).await, [2]);
}
