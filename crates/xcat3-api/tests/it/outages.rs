//! A database that is away for a while, and a message broker that is.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::tempdir;
use xcat3_backing::{Nats, Postgres};
use xcat3_core::Outcome;
use xcat3_service::bus::{self, InProcess};
use xcat3_store::JobId;

use crate::hardware::Machines;
use crate::stream::{Stream, asking};
use crate::wire::{Wire, request};
use crate::world::World;

/// Records an outcome as soon as the database takes it.
async fn record(world: &World, job: &str, node: &str) {
    let job: JobId = job.parse().unwrap();
    let told = [(node.parse().unwrap(), Outcome::OK)];
    for _ in 0..600 {
        if world.store.settle(job, None, &told).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the database was not back within a minute");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: PostgreSQL"]
async fn streams_and_requests_under_way_outlast_the_database() {
    let mut server = Postgres::start_quick().unwrap();
    let database = server.database().unwrap();
    let world = World::over(
        &database.url(),
        Arc::new(InProcess::default()),
        tempdir().unwrap(),
        xcat3_api::Settings::default(),
        Machines::held(),
        false,
    )
    .await;
    let target = "/v1/nodes/power?target=on&nodes=n[1-2]";
    let mut stream = Stream::lines(&world, "PUT", target, &json!({})).await;
    let job = stream.job();
    let (address, key) = (world.address, ("Idempotency-Key", "waits"));
    let waiting = tokio::spawn(async move {
        let request = asking("PUT", target, &[key], "");
        Wire::to(address).await.exchange(&request).await
    });
    let jobs = async || {
        let list = world.expect(200, "GET", "/v1/jobs", Value::Null).await;
        list["jobs"].as_array().unwrap().clone()
    };
    let mut waited = jobs().await;
    while waited.len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        waited = jobs().await;
    }
    let other = waited[0]["id"].as_str().unwrap().to_owned();
    record(&world, &job, "n1").await;
    assert_eq!(stream.line().await["node"], "n1");

    server.stop();
    let mut wire = Wire::to(world.address).await;
    let refused = wire.exchange(&request("GET", "/v1/nodes", "")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "2"));
    assert_eq!(
        refused.sentence(),
        "the database can't be used now; try again later"
    );
    // Long enough for both to have asked in vain.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    server.start_again().unwrap();

    record(&world, &job, "n2").await;
    assert_eq!(stream.line().await["node"], "n2");
    assert_eq!(stream.line().await["state"], "done");
    record(&world, &other, "n1").await;
    record(&world, &other, "n2").await;
    let answered = waiting.await.unwrap();
    assert_eq!(answered.json(), json!({"nodes": {"n1": "ok", "n2": "ok"}}));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: NATS"]
async fn a_job_waits_in_the_store_while_the_broker_is_away() {
    let mut broker = Nats::prepare().unwrap();
    let settings = bus::BusSettings {
        url: Some(broker.url()),
        ..bus::BusSettings::default()
    };
    let bus = bus::connect(&settings).await.unwrap();
    let dir = tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("xcat3.db").display());
    let config = xcat3_api::Settings::default();
    let world = World::over(&url, bus, dir, config, Machines::ready(), true).await;
    world.enrol(2).await;
    let target = "/v1/nodes/power?target=on&nodes=node[1-2]";
    let mut stream = Stream::lines(&world, "PUT", target, &json!({})).await;
    assert_eq!(stream.head.status, 200);
    let path = format!("/v1/jobs/{}", stream.job());
    let shown = world.expect(200, "GET", &path, Value::Null).await;
    assert_eq!(shown["job"]["state"], "running");
    assert_eq!(shown["outcomes"], json!([]));
    broker.start_again().unwrap();
    let lines = stream.rest().await;
    assert_eq!(lines.last().unwrap()["done"], 2, "{lines:?}");
}
