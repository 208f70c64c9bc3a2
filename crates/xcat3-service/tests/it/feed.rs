//! Changes of the store are heard by other processes: each has a handle of its own on the store, and
//! they have the bus in common.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;
use xcat3_core::{Network, ServiceKind};
use xcat3_service::bus::{InProcess, Topic};
use xcat3_service::feed::{self, Follower};
use xcat3_service::{Bus, served};
use xcat3_store::{ServiceReport, Store};

const SOON: Duration = Duration::from_secs(30);
/// How often something is done that would take a second each time if it were not heard of.
const ROUNDS: u32 = 20;
/// In half of that time it was heard of.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Two processes with one store.
async fn two() -> (TempDir, Store, Store) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("xcat3.db").display());
    let (one, other) = (
        Store::open(&url).await.unwrap(),
        Store::open(&url).await.unwrap(),
    );
    (dir, one, other)
}

async fn write(store: &Store, number: u32) {
    let net = format!("10.0.{number}.0/24").parse().unwrap();
    let network = Network::new(format!("net{number}"), net);
    store.create_network(&network).await.unwrap();
}

#[tokio::test]
async fn a_change_is_heard_of_in_other_processes() {
    let (_dir, writer, reader) = two().await;
    let bus: Arc<dyn Bus> = Arc::new(InProcess::default());
    let _telling = feed::tell(&writer, bus.clone());
    let mut follower = Follower::new(&reader, bus.clone()).await;
    let start = Instant::now();
    for number in 0..ROUNDS {
        let before = reader.revision().await.unwrap();
        write(&writer, number).await;
        let seen = async {
            while reader.revision().await.unwrap() == before {
                follower.changed().await;
            }
            follower.changed().await;
        };
        timeout(SOON, seen).await.unwrap();
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_change_that_nobody_tells_of_is_found_by_looking() {
    let (_dir, writer, reader) = two().await;
    let mut follower = Follower::new(&reader, Arc::new(InProcess::default())).await;
    write(&writer, 0).await;
    timeout(SOON, follower.changed()).await.unwrap();
    let mut own = Follower::new(&writer, Arc::new(InProcess::default())).await;
    let start = Instant::now();
    for number in 1..=ROUNDS {
        write(&writer, number).await;
        timeout(SOON, own.changed()).await.unwrap();
    }
    assert!(
        start.elapsed() < AT_ONCE,
        "what this process writes is heard of at once"
    );
}

#[tokio::test]
async fn who_waits_until_it_is_served_hears_of_the_report() {
    let (_dir, conductor, network) = two().await;
    let bus: Arc<dyn Bus> = Arc::new(InProcess::default());
    let mut report = ServiceReport {
        hostname: "host".into(),
        kind: ServiceKind::Network,
        worker: 0,
        workers: 1,
        instance: Uuid::new_v4(),
        served: Some(0),
        note: None,
    };
    network.heartbeat(&report).await.unwrap();
    let start = Instant::now();
    for number in 0..ROUNDS {
        write(&conductor, number).await;
        let revision = conductor.revision().await.unwrap();
        let waiting = served::wait(&conductor, &bus, revision, SOON);
        let serving = async {
            // Long enough for the other to wait.
            tokio::time::sleep(Duration::from_millis(20)).await;
            report.served = Some(revision);
            network.heartbeat(&report).await.unwrap();
            bus.nudge(Topic::Changes).await.unwrap();
        };
        let (served, ()) = tokio::join!(waiting, serving);
        assert_eq!(served.unwrap(), Ok(()));
    }
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
}
