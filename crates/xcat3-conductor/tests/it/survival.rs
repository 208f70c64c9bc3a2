//! Conductors that die and others that go on where they were.

use std::time::Duration;

use xcat3_core::setting::Seconds;
use xcat3_core::{ControlOperation, NodeName, Operation, PowerTarget, State};
use xcat3_service::{JobRequest, Running};

use crate::lab::{Lab, SOON, deploy};

const RESET: Operation = Operation::Control(ControlOperation::Power(PowerTarget::Reset));

/// Waits until `count` outcomes were told.
async fn told(running: &mut Running, count: usize) {
    let mut told = 0;
    while told < count {
        let outcomes = tokio::time::timeout(SOON, running.next())
            .await
            .unwrap()
            .unwrap();
        told += outcomes.expect("the job goes on").len();
    }
}

async fn rest(mut running: Running) -> Vec<(NodeName, String)> {
    let mut all = Vec::new();
    while let Some(outcomes) = tokio::time::timeout(SOON, running.next())
        .await
        .unwrap()
        .unwrap()
    {
        all.extend(
            outcomes
                .into_iter()
                .map(|(_, name, outcome)| (name, outcome.to_string())),
        );
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn another_conductor_finishes_a_batch_without_repeating_what_is_done() {
    let lab = Lab::new().await;
    let names = lab.enrol(2_000).await;
    lab.rehearsal.stop_after(Some(700));
    let first = lab.conductor();
    let mut running = lab
        .jobs
        .submit(JobRequest::new(RESET, names.clone()))
        .await
        .unwrap();
    told(&mut running, 700).await;
    first.kill().await;
    lab.rehearsal.stop_after(None);
    let second = lab.conductor();
    let rest = rest(running).await;
    assert_eq!(rest.len(), 1_300);
    assert!(rest.iter().all(|(_, outcome)| outcome == "ok"), "{rest:?}");
    let acted = lab.rehearsal.acted();
    assert!(
        names.iter().all(|name| acted[name] == 1),
        "nothing is done twice"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_process_goes_on_though_its_bus_forgot_everything() {
    let mut lab = Lab::new().await;
    let names = lab.enrol(1_500).await;
    lab.rehearsal.stop_after(Some(100));
    let first = lab.conductor();
    let mut running = lab
        .jobs
        .submit(JobRequest::new(RESET, names.clone()))
        .await
        .unwrap();
    told(&mut running, 100).await;
    first.kill().await;
    lab.forget_bus();
    lab.rehearsal.stop_after(None);
    let second = lab.conductor();
    assert_eq!(rest(running).await.len(), 1_400);
    assert!(lab.rehearsal.acted().values().all(|&times| times == 1));
    assert!(
        lab.ask(RESET, &names)
            .await
            .iter()
            .all(|outcome| outcome == "ok")
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_was_written_but_not_answered_is_answered_by_the_next_conductor() {
    let mut lab = Lab::new().await;
    lab.make_deployable().await;
    let names = lab.enrol(3).await;
    lab.settings.serve_deadline_s = Seconds::new(30);
    lab.network_service("slow", None).await;
    let first = lab.conductor();
    let running = lab
        .jobs
        .submit(JobRequest::new(deploy(), names.clone()))
        .await
        .unwrap();
    while lab.node(&names[0]).await.deployment.state != State::Deploying {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let token = lab.node(&names[0]).await.deployment.token;
    first.kill().await;
    lab.network_service("slow", Some(lab.store.revision().await.unwrap()))
        .await;
    let second = lab.conductor();
    let rest = rest(running).await;
    assert!(rest.iter().all(|(_, outcome)| outcome == "ok"), "{rest:?}");
    assert_eq!(
        lab.node(&names[0]).await.deployment.token,
        token,
        "it is the same deploy"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_under_way_ends_before_a_conductor_stops() {
    let lab = Lab::new().await;
    let names = lab.enrol(3_000).await;
    let conductor = lab.conductor();
    let mut running = lab
        .jobs
        .submit(JobRequest::new(RESET, names))
        .await
        .unwrap();
    told(&mut running, 1).await;
    conductor.stop().await;
    let acted = lab.rehearsal.acted().len();
    let second = lab.conductor();
    rest(running).await;
    assert!(acted > 0);
    assert!(lab.rehearsal.acted().values().all(|&times| times == 1));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_outlives_nobody_is_given_up_and_its_nodes_are_free() {
    let lab = Lab::new().await;
    let names = lab.enrol(2).await;
    lab.rehearsal.stop_after(Some(0));
    let running = lab
        .jobs
        .submit(JobRequest::new(RESET, names.clone()))
        .await
        .unwrap();
    for attempt in 1..=5 {
        let conductor = lab.conductor();
        lab.rehearsal.called(attempt).await;
        conductor.kill().await;
    }
    let conductor = lab.conductor();
    let rest = rest(running).await;
    assert_eq!(rest.len(), 2);
    assert!(
        rest.iter()
            .all(|(_, outcome)| outcome.starts_with("given up")),
        "{rest:?}"
    );
    lab.rehearsal.stop_after(None);
    assert_eq!(lab.ask(RESET, &names).await, ["ok", "ok"]);
    conductor.stop().await;
}
