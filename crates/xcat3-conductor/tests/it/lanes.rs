//! Batches beside and after one another: lanes, waves, cancelling.

use std::num::NonZeroUsize;
use std::time::Duration;

use xcat3_core::{ControlOperation, Operation, Outcome, PowerTarget};
use xcat3_service::JobRequest;
use xcat3_store::JobState;

use crate::lab::{Lab, SOON, deploy};

const POWER_ON: Operation = Operation::Control(ControlOperation::Power(PowerTarget::On));

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_does_not_wait_behind_hardware_that_is_silent() {
    let mut lab = Lab::new().await;
    lab.make_deployable().await;
    lab.settings.batches_at_once = NonZeroUsize::new(2).unwrap();
    let names = lab.enrol(1_500).await;
    lab.rehearsal.stop_after(Some(0));
    let conductor = lab.conductor();
    let request = JobRequest::new(POWER_ON, names[..1_400].to_vec());
    let slow = lab.jobs.submit(request).await.unwrap();
    lab.rehearsal.called(2).await;
    let outcomes = lab.ask(deploy(), &names[1_400..]).await;
    assert!(outcomes.iter().all(|outcome| outcome == "ok"));
    let status = lab.store.job(slow.id()).await.unwrap().unwrap();
    assert_eq!(
        status.done + status.failed,
        0,
        "the hardware is still silent"
    );
    assert_eq!(
        lab.rehearsal.calls(),
        2,
        "both slots are taken all the time"
    );
    conductor.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waves_follow_one_another_until_too_many_fail() {
    let lab = Lab::new().await;
    let names = lab.enrol(100).await;
    // In the second wave six nodes fail, in the first none.
    for name in &names[24..30] {
        lab.change(name, |node| node.declared.mgt = Some("redfish".into()))
            .await;
    }
    let conductor = lab.conductor();
    let request = JobRequest {
        wave: Some(20),
        max_failures: Some(5),
        ..JobRequest::new(POWER_ON, names.clone())
    };
    let running = lab.jobs.submit(request).await.unwrap();
    let job = running.id();
    let outcomes = running.collect(SOON).await.unwrap();
    let count = |wanted: fn(&Outcome) -> bool| {
        let of = outcomes.iter().filter(|(_, outcome)| wanted(outcome));
        of.count()
    };
    assert_eq!(count(Outcome::is_done), 34);
    assert_eq!(count(|outcome| matches!(outcome, Outcome::Failed(_))), 6);
    assert_eq!(
        count(|outcome| matches!(outcome, Outcome::LeftAlone(_))),
        60
    );
    assert!(
        matches!(outcomes[40].1, Outcome::LeftAlone(_)),
        "{:?}",
        outcomes[40]
    );
    assert_eq!(lab.rehearsal.acted().len(), 34, "nothing more is done");
    let status = lab.store.job(job).await.unwrap().unwrap();
    assert_eq!(status.state, JobState::Stopped);
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_cancelled_ends_what_it_began_and_does_nothing_more() {
    let mut lab = Lab::new().await;
    lab.settings.batches_at_once = NonZeroUsize::new(1).unwrap();
    let names = lab.enrol(1_000).await;
    lab.rehearsal.hold(true);
    let conductor = lab.conductor();
    let request = JobRequest::new(POWER_ON, names.clone());
    let running = lab.jobs.submit(request).await.unwrap();
    lab.rehearsal.called(1).await;
    lab.jobs.cancel(running.id()).await.unwrap().unwrap();
    lab.rehearsal.hold(false);
    let outcomes = running.collect(SOON).await.unwrap();
    let done = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_done())
        .count();
    assert!(done > 0 && done < 1_000, "{done} were done");
    let left = |outcome: &Outcome| matches!(outcome, Outcome::LeftAlone(_));
    let left = outcomes.iter().filter(|(_, outcome)| left(outcome)).count();
    assert_eq!(done + left, 1_000);
    // Whatever is still on the bus comes to nothing.
    let again = lab.ask(POWER_ON, &names[999..]).await;
    assert_eq!(again, ["ok"]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(lab.rehearsal.acted().len(), done + 1);
    conductor.stop().await;
}
