//! Outcomes of a job as they happen: lines of NDJSON and server-sent events.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use xcat3_core::{NodeName, Outcome};

use crate::hardware::Machines;
use crate::stream::{LINES, Stream, asking};
use crate::wire::Wire;
use crate::world::{World, log, names};

fn outcomes(list: &[(&str, Outcome)]) -> Vec<(NodeName, Outcome)> {
    let parsed = |(name, outcome): &(&str, Outcome)| (name.parse().unwrap(), outcome.clone());
    list.iter().map(parsed).collect()
}

#[tokio::test]
async fn a_line_comes_before_the_job_has_ended() {
    let world = World::without_conductor(1).await;
    let body = names(&["a", "b", "c"]);
    let mut stream = Stream::lines(&world, "PUT", "/v1/nodes/power?target=on", &body).await;
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.header("content-type"), "application/x-ndjson");
    let job = stream.job();
    world.record(&job, &outcomes(&[("b", Outcome::OK)])).await;
    let line = stream.line().await;
    let expected =
        json!({"sequence": line["sequence"], "node": "b", "outcome": "ok", "result": "ok"});
    assert_eq!(line, expected);
    let shown = world
        .expect(200, "GET", &format!("/v1/jobs/{job}"), Value::Null)
        .await;
    assert_eq!(shown["job"]["state"], "running");
    assert_eq!(shown["outcomes"], json!([line]));
    let rest = [
        ("c", Outcome::failed("the BMC does not answer")),
        ("a", Outcome::OK),
    ];
    world.record(&job, &outcomes(&rest)).await;
    let rest = stream.rest().await;
    assert_eq!(rest.len(), 3);
    assert_eq!(rest[0]["node"], "c");
    assert_eq!(
        (&rest[0]["outcome"], &rest[0]["result"]),
        (&json!("failed"), &json!("the BMC does not answer"))
    );
    let end = r#"{"job":"JOB","state":"done","nodes":3,"done":2,"failed":1,"left_alone":0}"#;
    assert_eq!(rest[2].to_string(), end.replace("JOB", &job));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_has_one_line_and_lines_are_in_order() {
    let world = World::new().await;
    world.enrol(9).await;
    let target = "/v1/nodes/power?target=on&nodes=node[1-3000]";
    let mut stream = Stream::lines(&world, "PUT", target, &json!({})).await;
    let job = stream.job();
    let mut lines = stream.rest().await;
    let end = lines.pop().unwrap();
    assert_eq!((&end["done"], &end["failed"]), (&json!(9), &json!(2_991)));
    let sequences: Vec<i64> = lines
        .iter()
        .map(|line| line["sequence"].as_i64().unwrap())
        .collect();
    assert!(sequences.is_sorted_by(|left, right| left < right));
    let nodes: HashSet<&str> = lines
        .iter()
        .map(|line| line["node"].as_str().unwrap())
        .collect();
    assert_eq!((lines.len(), nodes.len()), (3_000, 3_000));
    let mut paged = Vec::new();
    let mut after = json!(0);
    while after != Value::Null {
        let target = format!("/v1/jobs/{job}?after={after}&limit=700");
        let page = world.expect(200, "GET", &target, Value::Null).await;
        paged.extend(page["outcomes"].as_array().unwrap().clone());
        after = page["next"].clone();
    }
    assert_eq!(paged, lines, "pages tell the same as the stream");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_job_running() {
    let world = World::with(Machines::held()).await;
    world.enrol(3).await;
    let target = "/v1/nodes/power?target=on&nodes=node[1-3]";
    let mut stream = Stream::lines(&world, "PUT", target, &json!({})).await;
    let job = stream.job();
    world.machines.release(1);
    stream.line().await;
    drop(stream);
    world.machines.release(2);
    let ended = world.job_in("done", &job).await;
    assert_eq!(ended["done"], 3, "{ended}");
    world.machines.release(3);
    let answer = world
        .expect(200, "GET", "/v1/nodes/power?nodes=node[1-3]", Value::Null)
        .await;
    assert!(
        answer["nodes"]
            .as_object()
            .unwrap()
            .values()
            .all(|word| word == "on")
    );
}

/// How many pages of outcomes were read for the streams of a job.
fn pages(job: &str) -> usize {
    let log = log();
    log.lines()
        .filter(|line| line.contains("a page of outcomes") && line.contains(job))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_one_page_and_not_the_job() {
    const NODES: usize = 20_000;
    let world = World::without_conductor(1).await;
    let wire = Wire::narrow(world.address).await;
    let target = format!("/v1/nodes/power?target=on&nodes=n[1-{NODES}]");
    let mut stream = Stream::open(wire, &asking("PUT", &target, &[LINES], ""), b"\n").await;
    let job = stream.job();
    let why = Outcome::failed("x".repeat(600));
    let all: Vec<(NodeName, Outcome)> = (1..=NODES)
        .map(|number| (format!("n{number}").parse().unwrap(), why.clone()))
        .collect();
    for part in all.chunks(1_000) {
        world.record(&job, part).await;
    }
    let ended = world.job_in("done", &job).await;
    assert_eq!(ended["failed"], NODES);
    // Nothing hurries a server that would read on: it has had the time for it by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let read = pages(&job);
    assert!(
        (1..6).contains(&read),
        "{read} of 20 pages for one that takes nothing"
    );
    let mut lines = stream.rest().await;
    lines.pop().unwrap();
    let told = lines.iter().map(|line| line["node"].as_str().unwrap());
    assert!(told.eq((1..=NODES).map(|number| format!("n{number}"))));
}

#[tokio::test]
async fn events_go_on_where_the_client_was_cut_off() {
    let world = World::without_conductor(1).await;
    let request = asking(
        "PUT",
        "/v1/nodes/boot_device?target=net&nodes=n[1-5]",
        &[("Prefer", "respond-async")],
        "",
    );
    let answered = Wire::to(world.address).await.exchange(&request).await;
    assert_eq!(answered.status, 202);
    assert_eq!(answered.header("preference-applied"), "respond-async");
    let document = answered.json();
    let job = document["id"].as_str().unwrap().to_owned();
    assert_eq!(answered.header("location"), format!("/v1/jobs/{job}"));
    assert_eq!(document["operation"], "bootdev net");
    assert_eq!(
        (&document["state"], &document["nodes"]),
        (&json!("running"), &json!(5))
    );

    let target = format!("/v1/jobs/{job}/events");
    let mut stream = Stream::events(&world, &target, &[]).await;
    assert_eq!(stream.head.header("content-type"), "text/event-stream");
    let three = [
        ("n3", Outcome::OK),
        ("n1", Outcome::OK),
        ("n2", Outcome::failed("no")),
    ];
    world.record(&job, &outcomes(&three)).await;
    let mut seen = Vec::new();
    let (id, kind, data) = stream.event().await.unwrap();
    assert_eq!((id, kind.as_str()), (data["sequence"].as_i64(), "outcome"));
    seen.push(data["node"].clone());
    drop(stream);

    let rest = [
        ("n5", Outcome::OK),
        ("n4", Outcome::LeftAlone("left alone".into())),
    ];
    world.record(&job, &outcomes(&rest)).await;
    let id = id.unwrap().to_string();
    // As a browser does: the address stays, and the header counts.
    let again = format!("{target}?after=0");
    let mut stream = Stream::events(&world, &again, &[("Last-Event-ID", &id)]).await;
    let mut end = Value::Null;
    while let Some((id, kind, data)) = stream.event().await {
        if kind == "end" {
            assert_eq!(id, None);
            end = data;
        } else {
            seen.push(data["node"].clone());
        }
    }
    assert_eq!(json!(seen), json!(["n3", "n1", "n2", "n5", "n4"]));
    let counts = json!({"job": job, "state": "done", "nodes": 5, "done": 3, "failed": 1,
        "left_alone": 1});
    assert_eq!(end, counts);
    let mut stream = Stream::events(&world, &format!("{target}?after={id}"), &[]).await;
    let (_, _, next) = stream.event().await.unwrap();
    assert_eq!(next["node"], "n1");
    let request = asking("GET", &target, &[LINES, ("Last-Event-ID", &id)], "");
    let mut lines = Stream::open(Wire::to(world.address).await, &request, b"\n").await;
    assert_eq!(lines.line().await["node"], "n1");
    assert_eq!(lines.rest().await.last().unwrap(), &counts);
}

#[tokio::test]
async fn a_stream_ends_at_shutdown_without_its_last_line() {
    let world = World::without_conductor(1).await;
    let target = "/v1/nodes/power?target=on&nodes=n[1-2]";
    let mut lines = Stream::lines(&world, "PUT", target, &json!({})).await;
    let job = lines.job();
    let mut events = Stream::events(&world, &format!("/v1/jobs/{job}/events"), &[]).await;
    world.record(&job, &outcomes(&[("n1", Outcome::OK)])).await;
    assert_eq!(lines.line().await["node"], "n1");
    assert!(events.event().await.is_some());
    world.shutdown.cancel();
    assert_eq!(lines.next().await, None);
    assert!(events.event().await.is_none());
    let status = world.store.job(job.parse().unwrap()).await.unwrap();
    assert_eq!(status.unwrap().done, 1);
}

/// curl as a client that shows what comes as it comes.
fn curl(
    arguments: &[&str],
) -> (
    tokio::process::Child,
    tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
) {
    let mut curl = Command::new("curl")
        .args(["-sS", "--no-buffer", "--max-time", "60"])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl is a package that the tests need");
    let lines = BufReader::new(curl.stdout.take().unwrap()).lines();
    (curl, lines)
}

#[tokio::test]
#[ignore = "real: programs"]
async fn curl_follows_lines_and_events() {
    let world = World::with(Machines::held()).await;
    world.enrol(2).await;
    let url = format!("http://{}/v1", world.address);
    let power = format!("{url}/nodes/power?target=on&nodes=node%5B1-2%5D");
    let (mut putting, mut lines) =
        curl(&["-X", "PUT", "-H", "Accept: application/x-ndjson", &power]);
    world.machines.release(1);
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.contains(r#""outcome":"ok""#), "{first}");
    let jobs = world.expect(200, "GET", "/v1/jobs", Value::Null).await;
    let job = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(jobs["jobs"][0]["state"], "running");
    let events = format!("{url}/jobs/{job}/events");
    let (mut following, mut events) = curl(&["-H", "Accept: text/event-stream", &events]);
    let id = events.next_line().await.unwrap().unwrap();
    assert!(id.starts_with("id: "), "{id}");
    world.machines.release(1);
    let mut last = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert!(
        last.contains(r#""state":"done","nodes":2,"done":2"#),
        "{last}"
    );
    let mut ended = false;
    while let Some(line) = events.next_line().await.unwrap() {
        ended = ended || line == "event: end";
    }
    assert!(ended);
    assert!(putting.wait().await.unwrap().success() && following.wait().await.unwrap().success());
}
