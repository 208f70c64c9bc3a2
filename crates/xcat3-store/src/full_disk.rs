//! A full disk, as SQLite can play it: a database that may not grow. In the crate because only here
//! the limit can be set on the connection that writes.

use serde_json::json;
use sqlx::AssertSqlSafe;
use xcat3_core::{ControlOperation, Network, Node, Operation};

use crate::database::Database;
use crate::{NewJob, NodeSort, Store, StoreError};

async fn limit(store: &Store, pages: u64) {
    let statement = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    let Database::Sqlite(database) = &store.database else {
        panic!("only SQLite has such a limit");
    };
    sqlx::query(statement)
        .execute(&database.writer)
        .await
        .unwrap();
}

fn heavy(count: usize) -> Vec<Node> {
    let heavy = |number| {
        let mut node = Node::new(format!("node{number}").parse().unwrap());
        node.declared
            .control_info
            .insert("ballast".into(), json!("x".repeat(2_000)));
        node
    };
    (0..count).map(heavy).collect()
}

async fn fills_up(store: Store) {
    store.create_nodes(&heavy(10)).await.unwrap();
    let before = store.changes_since(0).await.unwrap();
    // SQLite takes the present size where the limit is below it.
    limit(&store, 1).await;
    let mut nodes = heavy(4_000);
    nodes.drain(..10);
    let error = store.create_nodes(&nodes).await.unwrap_err();
    assert!(matches!(error, StoreError::DiskFull), "{error}");
    assert!(error.to_string().contains("disk") && error.to_string().contains("full"));
    assert_eq!(
        store.changes_since(0).await.unwrap(),
        before,
        "nothing of it was stored"
    );

    // What there is can still be read, and once there is room all goes on.
    assert_eq!(
        store.node_names(NodeSort::default()).await.unwrap().len(),
        10
    );
    limit(&store, 1_000_000).await;
    let outcomes = store.create_nodes(&nodes).await.unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_done()));
    let names = store.node_names(NodeSort::default()).await.unwrap();
    assert_eq!(names.len(), 4_000);
    store
        .create_job(&NewJob::new(
            &Operation::Control(ControlOperation::PowerStatus),
            &names,
            1_000,
        ))
        .await
        .unwrap();
    store
        .create_network(&Network::new("net", "10.0.0.0/24".parse().unwrap()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_nothing_behind() {
    let directory = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite:{}/xcat3.db", directory.path().display());
    fills_up(Store::open(&url).await.unwrap()).await;
}
