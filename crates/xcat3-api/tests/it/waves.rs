//! Waves: so many nodes at once, and an early end where too many fail.

use serde_json::{Value, json};

use crate::stream::Stream;
use crate::world::World;

#[tokio::test]
async fn too_many_failures_leave_the_rest_alone_and_say_so() {
    let world = World::new().await;
    world.enrol(4).await;
    let query = "batch=2&max_failures=0&nodes=nobody[1-2],node[1-4]";
    let target = format!("/v1/nodes/power?target=on&{query}");
    let left = "left alone: the job stopped after 2 failures";
    let missing = "Could not be found.";
    let answer = world.expect(202, "PUT", &target, Value::Null).await;
    let expected = json!({"nodes": {"nobody1": missing, "nobody2": missing, "node1": left,
        "node2": left, "node3": left, "node4": left}});
    assert_eq!(answer.to_string(), expected.to_string());
    let states = world
        .expect(200, "GET", "/v1/nodes/power?nodes=node[1-4]", Value::Null)
        .await;
    assert!(
        states["nodes"]
            .as_object()
            .unwrap()
            .values()
            .all(|word| word == "off")
    );

    let mut stream = Stream::lines(&world, "PUT", &target, &json!({})).await;
    let lines = stream.rest().await;
    let alone = lines.iter().filter(|line| line["outcome"] == "left_alone");
    let alone: Vec<&Value> = alone.map(|line| &line["node"]).collect();
    assert_eq!(alone, ["node1", "node2", "node3", "node4"]);
    let end = lines.last().unwrap();
    assert_eq!(
        (&end["state"], &end["left_alone"]),
        (&json!("stopped"), &json!(4))
    );
    let job = world
        .expect(200, "GET", "/v1/jobs?limit=1", Value::Null)
        .await;
    assert_eq!(
        (&job["jobs"][0]["batch"], &job["jobs"][0]["max_failures"]),
        (&json!(2), &json!(0))
    );
}

#[tokio::test]
async fn a_share_of_failures_is_of_all_nodes() {
    let world = World::new().await;
    world.enrol(4).await;
    // Half of six may fail: all waves are worked on.
    let query = "batch=2&max_failures=50%25&nodes=nobody[1-2],node[1-4]";
    let target = format!("/v1/nodes/power?target=on&{query}");
    let mut stream = Stream::lines(&world, "PUT", &target, &json!({})).await;
    let end = stream.rest().await.pop().unwrap();
    assert_eq!(end["state"], "done");
    assert_eq!((&end["done"], &end["failed"]), (&json!(4), &json!(2)));
    let job = world
        .expect(200, "GET", "/v1/jobs?limit=1", Value::Null)
        .await;
    assert_eq!(job["jobs"][0]["max_failures"], 3);
}
