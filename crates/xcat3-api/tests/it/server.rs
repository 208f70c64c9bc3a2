//! The socket: addresses that can't be had, an end in good order, answers where nobody works.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::wire::{Wire, request};
use crate::world::{World, log, names};

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = xcat3_api::bind(address).await.unwrap_err().to_string();
    let port = address.port();
    let expected = format!("the API cannot listen on {address}: port {port} is in use by another");
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test]
async fn an_address_of_another_host_is_named() {
    let error = xcat3_api::bind("192.0.2.1:3010".parse().unwrap())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("192.0.2.1 is no address of this host"),
        "{text}"
    );
}

#[tokio::test]
async fn every_answer_has_an_id_and_a_line_in_the_log() {
    let world = World::without_conductor(1).await;
    for (method, target, status) in [
        ("GET", "/v1/nodes", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/v1/services", 405),
        ("GET", "/v1/nodes?oops=1", 400),
    ] {
        let answer = world.ask(method, target, Value::Null).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let id = answer.header("xcat3-request-id").to_owned();
        assert_eq!(id.len(), "req-".len() + 36);
        let path = target.split('?').next().unwrap();
        let log = log();
        let line = log
            .lines()
            .find(|line| line.contains(&id) && line.contains("answered"));
        let line = line.unwrap_or_else(|| panic!("{id} is not in the log"));
        for part in [
            format!("method={method}"),
            format!("path=\"{path}\""),
            format!("status={status}"),
            "duration_ms=".to_owned(),
        ] {
            assert!(line.contains(&part), "{part} is not in {line}");
        }
        if status >= 400 {
            answer.sentence();
        }
    }
}

#[tokio::test]
async fn a_node_whose_job_nobody_does_has_its_answer_in_time() {
    let world = World::without_conductor(1).await;
    world.enrol(1).await;
    let target = "/v1/nodes/power?target=on";
    let answer = world.expect(202, "PUT", target, names(&["node1"])).await;
    let late = answer["nodes"]["node1"].as_str().unwrap();
    assert!(
        late.starts_with("no answer within 1 s; job ") && late.ends_with(" goes on"),
        "{late}"
    );
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let world = World::without_conductor(2).await;
    world.enrol(1).await;
    let (address, body) = (world.address, names(&["node1"]).to_string());
    let waiting = tokio::spawn(async move {
        let mut wire = Wire::to(address).await;
        wire.exchange(&request("GET", "/v1/nodes/power", &body))
            .await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.shutdown.cancel();
    assert_eq!(waiting.await.unwrap().status, 200);
    let mut closed = tokio::net::TcpStream::connect(address).await.is_err();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        closed = closed || tokio::net::TcpStream::connect(address).await.is_err();
    }
    assert!(closed, "nobody listens after the end");
}

#[tokio::test]
async fn services_report_and_the_api_is_one() {
    let world = World::new().await;
    let answer = world.expect(200, "GET", "/v1/services", Value::Null).await;
    let services = answer["services"].as_array().unwrap();
    let api = services
        .iter()
        .find(|service| service["type"] == "api")
        .unwrap();
    assert_eq!((&api["online"], &api["workers"]), (&json!(true), &json!(1)));
}
