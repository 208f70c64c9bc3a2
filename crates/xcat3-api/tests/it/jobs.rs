//! Jobs beside their streams: made once, listed, shown, cancelled; what is refused.

use serde_json::{Value, json};
use xcat3_core::Outcome;

use crate::stream::{LINES, Stream, asking};
use crate::wire::{Answered, Wire};
use crate::world::{World, names};

async fn asked(world: &World, target: &str, headers: &[(&str, &str)], body: &Value) -> Answered {
    let request = asking("PUT", target, headers, &body.to_string());
    Wire::to(world.address).await.exchange(&request).await
}

const ASYNC: (&str, &str) = ("Prefer", "respond-async");
const ON: &str = "/v1/nodes/power?target=on";

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_the_same_job() {
    let world = World::without_conductor(1).await;
    let headers = [ASYNC, ("Idempotency-Key", "8e03978e-40d5-43dd")];
    let body = names(&["a", "b"]);
    let at_once = (0..8).map(|_| asked(&world, ON, &headers, &body));
    let mut jobs = Vec::new();
    for answered in futures::future::join_all(at_once).await {
        assert_eq!(answered.status, 202, "{answered:?}");
        jobs.push(answered.header("location").to_owned());
    }
    jobs.dedup();
    assert_eq!(jobs.len(), 1);
    let list = world.expect(200, "GET", "/v1/jobs", Value::Null).await;
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
    for (target, body) in [
        (ON, names(&["a"])),
        (ON, names(&["b", "a"])),
        ("/v1/nodes/power?target=off", body.clone()),
        ("/v1/nodes/power?target=on&batch=1", body.clone()),
    ] {
        let answered = asked(&world, target, &headers, &body).await;
        assert_eq!(answered.status, 422, "{answered:?}");
        let sentence = answered.sentence();
        assert!(
            sentence.contains("belongs to a request for something else"),
            "{sentence}"
        );
    }
    // The range is the same request: what counts is which nodes it names.
    let range = format!("{ON}&nodes=a,b");
    assert_eq!(
        asked(&world, &range, &headers, &json!({})).await.status,
        202
    );

    let job = jobs[0].rsplit('/').next().unwrap();
    let told = ["a", "b"].map(|name| (name.parse().unwrap(), Outcome::OK));
    world.record(job, &told).await;
    let answered = asked(&world, ON, &[headers[1]], &body).await;
    assert_eq!(answered.json(), json!({"nodes": {"a": "ok", "b": "ok"}}));
    let request = asking("PUT", ON, &[LINES, headers[1]], &body.to_string());
    let wire = Wire::to(world.address).await;
    let mut stream = Stream::open(wire, &request, b"\n").await;
    assert_eq!(stream.job(), job);
    assert_eq!(stream.rest().await.len(), 3, "from the beginning");
}

#[tokio::test]
async fn jobs_are_listed_newest_first_and_page_by_page() {
    let world = World::without_conductor(1).await;
    let mut made = Vec::new();
    for target in ["on", "off", "reset", "boot"] {
        let target = format!("/v1/nodes/power?target={target}");
        let answered = asked(&world, &target, &[ASYNC], &names(&["a"])).await;
        made.insert(0, answered.json());
    }
    let list = world.expect(200, "GET", "/v1/jobs", Value::Null).await;
    assert_eq!(list, json!({"jobs": made}));
    let words: Vec<&str> = made
        .iter()
        .map(|job| job["operation"].as_str().unwrap())
        .collect();
    assert_eq!(
        words,
        ["power boot", "power reset", "power off", "power on"]
    );
    let page = world
        .expect(200, "GET", "/v1/jobs?limit=3", Value::Null)
        .await;
    let last = page["jobs"][2]["id"].as_str().unwrap();
    let next = format!("/v1/jobs?limit=3&before={last}");
    let next = world.expect(200, "GET", &next, Value::Null).await;
    assert_eq!(next, json!({"jobs": [made[3]]}));
    let keys: Vec<&String> = made[0].as_object().unwrap().keys().collect();
    let expected = [
        "id",
        "operation",
        "state",
        "nodes",
        "done",
        "failed",
        "left_alone",
        "batch",
        "max_failures",
        "created_ms",
        "finished_ms",
    ];
    assert_eq!(keys, expected);
}

#[tokio::test]
async fn cancelling_leaves_alone_what_has_not_begun() {
    let world = World::without_conductor(1).await;
    let target = format!("{ON}&batch=2&nodes=n[1-5]");
    let mut stream = Stream::lines(&world, "PUT", &target, &json!({})).await;
    let job = stream.job();
    let batch = world.store.begin_batch(job.parse().unwrap(), 0).await;
    assert_eq!(batch.unwrap().unwrap().names.len(), 2);
    let path = format!("/v1/jobs/{job}");
    let cancelled = world.expect(202, "DELETE", &path, Value::Null).await;
    assert_eq!(
        (&cancelled["state"], &cancelled["left_alone"]),
        (&json!("cancelled"), &json!(3))
    );
    for node in ["n3", "n4", "n5"] {
        let line = stream.line().await;
        assert_eq!(
            (&line["node"], &line["outcome"]),
            (&json!(node), &json!("left_alone"))
        );
        assert_eq!(line["result"], "left alone: the job was cancelled");
    }
    let begun = ["n1", "n2"].map(|name| (name.parse().unwrap(), Outcome::OK));
    world.record(&job, &begun).await;
    let rest = stream.rest().await;
    assert_eq!(rest[2]["state"], "cancelled");
    let again = world.expect(202, "DELETE", &path, Value::Null).await;
    assert_eq!(
        (&again["state"], &again["done"]),
        (&json!("cancelled"), &json!(2))
    );
}

#[tokio::test]
async fn what_is_no_job_is_refused() {
    let world = World::without_conductor(1).await;
    for id in ["nonsense", "0c4d9a3e-4b0e-4f6e-9c0a-3f1d1f6f2b11"] {
        for (method, tail) in [("GET", ""), ("DELETE", ""), ("GET", "/events")] {
            let path = format!("/v1/jobs/{id}{tail}");
            let sentence = world.refused(404, method, &path, Value::Null).await;
            assert_eq!(sentence, format!("job {id} does not exist"));
        }
    }
    for (target, why) in [
        ("/v1/jobs?limit=1001", "limit '1001'"),
        ("/v1/jobs?limit=x", "limit 'x'"),
        ("/v1/jobs?oops=1", "unknown parameter 'oops'"),
        ("/v1/jobs/x?after=x", "after 'x'"),
        ("/v1/jobs/x?limit=-1", "limit '-1'"),
        ("/v1/jobs/x/events?after=-1", "after '-1'"),
    ] {
        let sentence = world.refused(400, "GET", target, Value::Null).await;
        assert!(sentence.contains(why), "{target}: {sentence}");
    }
    let request = asking("GET", "/v1/jobs/x/events", &[("Last-Event-ID", "x")], "");
    let answered = Wire::to(world.address).await.exchange(&request).await;
    assert_eq!(answered.status, 400);
    assert!(answered.sentence().starts_with("Last-Event-ID"));
}

#[tokio::test]
async fn bad_headers_and_waves_are_refused_and_odd_ones_ignored() {
    let world = World::without_conductor(1).await;
    let one = names(&["a"]);
    let long = "x".repeat(256);
    for key in ["a b", "", &long, "\u{e9}"] {
        let answered = asked(&world, ON, &[("Idempotency-Key", key)], &one).await;
        assert_eq!(answered.status, 400, "{key}: {answered:?}");
        assert!(answered.sentence().starts_with("Idempotency-Key"));
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    assert_eq!(asked(&world, ON, &twice, &one).await.status, 400);
    for (query, why) in [
        ("batch=0", "batch '0' is not a number of nodes"),
        ("batch=x", "batch 'x'"),
        ("max_failures=-1", "max_failures '-1'"),
        ("max_failures=200%25", "max_failures '200%'"),
        (
            "max_failures=1&max_failures=2",
            "given twice: 'max_failures'",
        ),
    ] {
        let target = format!("{ON}&{query}");
        let sentence = world.refused(400, "PUT", &target, one.clone()).await;
        assert!(sentence.contains(why), "{query}: {sentence}");
    }
    for target in ["/v1/nodes/info?batch=5", "/v1/nodes?max_failures=1"] {
        let sentence = world.refused(400, "GET", target, one.clone()).await;
        assert!(
            sentence.contains("unknown parameter"),
            "{target}: {sentence}"
        );
    }
    // A stream and a job have only nodes that can be; one document has a place for the others.
    for header in [LINES, ASYNC] {
        let answered = asked(&world, ON, &[header], &names(&["a", "b c"])).await;
        assert_eq!(answered.status, 400);
        assert!(
            answered.sentence().starts_with("'b c' can't name a node"),
            "{answered:?}"
        );
    }
    let list = world.expect(200, "GET", "/v1/jobs", Value::Null).await;
    assert_eq!(list, json!({"jobs": []}), "nothing of this became a job");
    for accept in ["*/*", "text/html", ";;q=,", "application/x-ndjson;q=0"] {
        let headers = [("Accept", accept), ("Prefer", "wait=1; x")];
        let answered = asked(&world, ON, &headers, &names(&[])).await;
        assert_eq!(
            (answered.status, answered.json()),
            (202, json!({"nodes": {}}))
        );
    }
    let mut nobody = Stream::lines(&world, "PUT", ON, &names(&[])).await;
    assert_eq!(nobody.line().await["nodes"], 0);
}
