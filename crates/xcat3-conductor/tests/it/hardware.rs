//! Operations on hardware: many nodes, overlapping jobs, nodes that can't be driven.

use std::time::{Duration, Instant};

use xcat3_core::{BootDevice, BootOrder, ControlOperation, Operation, Passwd, PowerTarget};
use xcat3_service::JobRequest;

use crate::lab::{Lab, SOON};

const POWER_ON: Operation = Operation::Control(ControlOperation::Power(PowerTarget::On));

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_nodes_are_driven_once_each() {
    let lab = Lab::new().await;
    let names = lab.enrol(10_000).await;
    let conductor = lab.conductor();
    let outcomes = lab.ask(POWER_ON, &names).await;
    assert!(outcomes.iter().all(|outcome| outcome == "ok"));
    let acted = lab.rehearsal.acted();
    assert_eq!(acted.len(), 10_000);
    assert!(acted.values().all(|&times| times == 1));
    assert_eq!(lab.node(&names[0]).await.observed.reservation, None);
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_told_as_they_happen() {
    let lab = Lab::new().await;
    let names = lab.enrol(1_000).await;
    let conductor = lab.conductor();
    lab.rehearsal.stop_after(Some(10));
    let mut running = lab
        .jobs
        .submit(JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            names,
        ))
        .await
        .unwrap();
    let begun = Instant::now();
    let mut told = 0;
    while told < 10 {
        told += running
            .next()
            .await
            .unwrap()
            .expect("the job goes on")
            .len();
    }
    assert_eq!(told, 10);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "the first must not wait for the last"
    );
    conductor.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bmcs_without_credentials_of_their_own_have_those_of_the_passwd_entry() {
    let lab = Lab::new().await;
    let names = lab.enrol(1).await;
    lab.change(&names[0], |node| node.declared.mgt = Some("ipmi".into()))
        .await;
    let conductor = lab.conductor();
    let status = Operation::Control(ControlOperation::PowerStatus);
    lab.ask(status.clone(), &names).await;
    assert_eq!(lab.rehearsal.credentials(), None, "there is no entry yet");
    let entry = Passwd {
        key: "bmc".into(),
        username: Some("ADMIN".into()),
        password: Some("s3cret".into()),
        crypt_method: None,
    };
    lab.store.create_passwd(&entry).await.unwrap();
    lab.ask(status.clone(), &names).await;
    let given = lab.rehearsal.credentials().unwrap();
    assert_eq!(given.username, "ADMIN");
    assert_eq!(given.password.reveal(), "s3cret");
    lab.change(&names[0], |node| {
        node.declared
            .control_info
            .insert("bmc_password".into(), "own".into());
    })
    .await;
    lab.ask(status, &names).await;
    assert_eq!(lab.rehearsal.credentials(), None, "it has its own");
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_operation_answers_with_its_word() {
    let lab = Lab::new().await;
    let names = lab.enrol(2).await;
    let conductor = lab.conductor();
    let cases = [
        (Operation::Control(ControlOperation::PowerStatus), "on"),
        (
            Operation::Control(ControlOperation::BootDeviceStatus),
            "disk",
        ),
        (
            Operation::Control(ControlOperation::SetBootDevice(BootOrder::once(
                BootDevice::Net,
            ))),
            "ok",
        ),
        (
            Operation::Control(ControlOperation::Power(PowerTarget::Reset)),
            "ok",
        ),
    ];
    for (operation, word) in cases {
        assert_eq!(lab.ask(operation, &names).await, [word, word]);
    }
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_cannot_be_driven_say_why_and_the_others_are() {
    let lab = Lab::new().await;
    let mut names = lab.enrol(3).await;
    lab.change(&names[0], |node| node.declared.mgt = None).await;
    lab.change(&names[1], |node| node.declared.mgt = Some("redfish".into()))
        .await;
    names.push("nobody".parse().unwrap());
    let conductor = lab.conductor();
    let outcomes = lab.ask(POWER_ON, &names).await;
    assert!(
        outcomes[0].contains("no control driver (mgt)"),
        "{}",
        outcomes[0]
    );
    assert_eq!(
        outcomes[1],
        "there is no control driver 'redfish' in this build"
    );
    assert_eq!(outcomes[2..], ["ok", "Could not be found."]);
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_another_job_holds_is_locked_and_shared_operations_are_not() {
    let lab = Lab::new().await;
    let names = lab.enrol(3).await;
    let conductor = lab.conductor();
    lab.rehearsal.stop_after(Some(1));
    let mut first = lab
        .jobs
        .submit(JobRequest::new(POWER_ON, names[..2].to_vec()))
        .await
        .unwrap();
    assert_eq!(first.next().await.unwrap().unwrap().len(), 1);
    lab.rehearsal.stop_after(None);
    let outcomes = lab.ask(POWER_ON, &names).await;
    assert_eq!(
        outcomes,
        ["ok", "Locked temporarily", "ok"],
        "only what is not done is held"
    );
    assert_eq!(
        lab.ask(Operation::Control(ControlOperation::PowerStatus), &names)
            .await,
        ["on", "on", "on"]
    );
    conductor.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_free_as_soon_as_its_outcome_is_told() {
    let lab = Lab::new().await;
    let names = lab.enrol(50).await;
    let conductor = lab.conductor();
    for _ in 0..20 {
        let outcomes = lab.ask(POWER_ON, &names).await;
        assert!(
            outcomes.iter().all(|outcome| outcome == "ok"),
            "{outcomes:?}"
        );
    }
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_hangs_costs_its_deadline_and_not_more() {
    let mut lab = Lab::new().await;
    lab.settings.operation_deadline_s = Duration::from_millis(100).into();
    let names = lab.enrol(2).await;
    let conductor = lab.conductor();
    lab.rehearsal.stop_after(Some(1));
    let outcomes = lab.ask(POWER_ON, &names).await;
    assert_eq!(outcomes[0], "ok");
    assert!(
        outcomes[1].contains("gave no answer within"),
        "{}",
        outcomes[1]
    );
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_when_the_deadline_passes() {
    let lab = Lab::new().await;
    let names = lab.enrol(1).await;
    let running = lab
        .jobs
        .submit(JobRequest::new(POWER_ON, names))
        .await
        .unwrap();
    let id = running.id();
    let outcomes = running.collect(Duration::from_secs(1)).await.unwrap();
    assert_eq!(
        outcomes[0].1.to_string(),
        format!("no answer within 1 s; job {id} goes on")
    );
    assert!(SOON > Duration::from_secs(1));
}
