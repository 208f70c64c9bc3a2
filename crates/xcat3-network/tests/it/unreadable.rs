//! The service while a row of the store cannot be read.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use xcat3_core::Network;
use xcat3_drivers::install::InstallSettings;
use xcat3_network::{Settings, Startup};
use xcat3_service::bus::InProcess;
use xcat3_service::{Jobs, Slot};
use xcat3_store::Store;

/// Ends a test that hangs.
const GUARD: Duration = Duration::from_secs(60);

/// An object that is nested deeper than the JSON reader accepts.
fn deep(levels: usize) -> Map<String, Value> {
    let value = (0..levels).fold(json!(1), |value, _| json!({ "a": value }));
    Map::from_iter([("a".to_owned(), value)])
}

/// The hosts that do not serve the current revision, with their notes, once `expected` holds for them.
async fn lagging(store: &Store, expected: impl Fn(&[String]) -> bool) -> Vec<String> {
    let waiting = async {
        loop {
            let revision = store.revision().await.expect("a revision");
            let lagging = store.lagging_networks(revision).await.expect("services");
            let services = store.services().await.expect("services");
            if services.iter().any(|service| service.online) && expected(&lagging) {
                return lagging;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let lagging = tokio::time::timeout(GUARD, waiting).await;
    lagging.expect("the service reports in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_row_is_reported_while_the_service_stays_online() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = format!("sqlite:{}", directory.path().join("xcat3.db").display());
    let store = Store::open(&database).await.expect("a store");
    let good = Network::new("good", "203.0.113.0/28".parse().expect("a subnet"));
    store.create_network(&good).await.expect("a network");
    let startup = Startup {
        settings: Settings::default(),
        install: InstallSettings::default(),
        images: directory.path().to_owned(),
        slot: Slot::alone("host1"),
    };
    let jobs = Jobs::new(store.clone(), Arc::new(InProcess::default()));
    let shutdown = CancellationToken::new();
    let service = tokio::spawn(xcat3_network::run(
        startup,
        store.clone(),
        jobs,
        shutdown.clone(),
    ));
    lagging(&store, <[String]>::is_empty).await;
    let mut bad = Network::new("bad", "203.0.113.16/28".parse().expect("a subnet"));
    bad.extra = deep(200);
    store.create_network(&bad).await.expect("a network");
    let hosts = lagging(&store, |hosts| {
        !hosts.is_empty() && hosts[0].contains("cannot read")
    })
    .await;
    assert!(
        hosts[0].starts_with("host1 (cannot read the changes after revision "),
        "{hosts:?}"
    );
    shutdown.cancel();
    service.await.expect("no panic").expect("a clean end");
}
