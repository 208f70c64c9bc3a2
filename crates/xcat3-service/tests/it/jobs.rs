//! Jobs from the side of who submits them; the test plays the conductor.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use xcat3_core::{ControlOperation, Lane, Node, NodeName, Operation, Outcome};
use xcat3_service::bus::{InProcess, Topic};
use xcat3_service::{Bus, JobRequest, Jobs, Running};
use xcat3_store::{JobId, JobState, Store, StoreError};

const SOON: Duration = Duration::from_secs(10);

struct Lab {
    _dir: TempDir,
    store: Store,
    bus: InProcess,
    jobs: Jobs,
    names: Vec<NodeName>,
}

async fn lab(nodes: usize) -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("xcat3.db").display());
    let store = Store::open(&url).await.unwrap();
    let bus = InProcess::default();
    let names: Vec<NodeName> = (0..nodes)
        .map(|n| format!("n{n}").parse().unwrap())
        .collect();
    let nodes: Vec<Node> = names.iter().cloned().map(Node::new).collect();
    store.create_nodes(&nodes).await.unwrap();
    let jobs = Jobs::new(store.clone(), Arc::new(bus.clone())).with_batch_size(2);
    Lab {
        _dir: dir,
        store,
        bus,
        jobs,
        names,
    }
}

impl Lab {
    /// Answers for all nodes of the next batch.
    async fn carry_out_one(&self) -> usize {
        let delivery = tokio::time::timeout(SOON, self.bus.next_work(Lane::Hardware))
            .await
            .unwrap()
            .unwrap();
        let work = delivery.work();
        let batch = self
            .store
            .begin_batch(work.job, work.batch)
            .await
            .unwrap()
            .unwrap();
        let outcome = |name: &NodeName| (name.clone(), Outcome::OK);
        let outcomes: Vec<_> = batch.names.iter().map(outcome).collect();
        self.store.settle(work.job, None, &outcomes).await.unwrap();
        let end = self.store.finish_batch(work.job, work.batch, None);
        assert_eq!(end.await.unwrap(), [0; 0]);
        self.bus.nudge(Topic::Job(work.job)).await.unwrap();
        delivery.acknowledge().await.unwrap();
        batch.names.len()
    }
}

#[tokio::test]
async fn a_job_is_cut_into_batches_and_told_as_it_goes() {
    let lab = lab(5).await;
    let mut running = lab
        .jobs
        .submit(JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            lab.names.clone(),
        ))
        .await
        .unwrap();
    for expected in [2, 2, 1] {
        assert_eq!(lab.carry_out_one().await, expected);
        let outcomes = running.next().await.unwrap().unwrap();
        assert_eq!(outcomes.len(), expected);
    }
    assert_eq!(running.next().await.unwrap(), None);
    assert_eq!(running.next().await.unwrap(), None, "it stays told");
}

#[tokio::test]
async fn each_name_has_one_answer() {
    let lab = lab(1).await;
    let nobody: NodeName = "nobody".parse().unwrap();
    let asked = vec![
        nobody.clone(),
        lab.names[0].clone(),
        nobody.clone(),
        lab.names[0].clone(),
    ];
    let running = lab
        .jobs
        .submit(JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            asked,
        ))
        .await
        .unwrap();
    assert_eq!(lab.carry_out_one().await, 2);
    let outcomes = running.collect(SOON).await.unwrap();
    assert_eq!(
        outcomes,
        [(nobody, Outcome::OK), (lab.names[0].clone(), Outcome::OK)]
    );
}

#[tokio::test]
async fn who_waits_is_woken_and_does_not_have_to_look_again() {
    let lab = lab(2).await;
    let running = lab
        .jobs
        .submit(JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            lab.names.clone(),
        ))
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    let carried_out = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        lab.carry_out_one().await
    };
    let (outcomes, _) = tokio::join!(running.collect(SOON), carried_out);
    assert!(
        outcomes
            .unwrap()
            .iter()
            .all(|(_, outcome)| outcome.is_done())
    );
    assert!(
        begun.elapsed() < Duration::from_millis(700),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_is_late_is_said_to_be_and_what_is_known_is_told() {
    let lab = lab(3).await;
    let running = lab
        .jobs
        .submit(JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            lab.names.clone(),
        ))
        .await
        .unwrap();
    let id = running.id();
    lab.carry_out_one().await;
    let outcomes = running.collect(Duration::from_secs(1)).await.unwrap();
    let words: Vec<&str> = outcomes
        .iter()
        .map(|(_, outcome)| outcome.as_str())
        .collect();
    assert_eq!(words[..2], ["ok", "ok"]);
    assert_eq!(words[2], format!("no answer within 1 s; job {id} goes on"));
}

/// All that `running` tells until the job ends.
async fn rest(running: &mut Running) -> Vec<(i64, NodeName, Outcome)> {
    let mut all = Vec::new();
    loop {
        let next = tokio::time::timeout(SOON, running.next()).await.unwrap();
        match next.unwrap() {
            Some(outcomes) => all.extend(outcomes),
            None => return all,
        }
    }
}

#[tokio::test]
async fn whoever_comes_later_hears_the_rest_or_everything() {
    let lab = lab(5).await;
    let request = JobRequest::new(
        Operation::Control(ControlOperation::PowerStatus),
        lab.names.clone(),
    );
    let first = lab.jobs.submit(request).await.unwrap();
    let id = first.id();
    drop(first);
    for _ in 0..3 {
        lab.carry_out_one().await;
    }
    let mut all = lab.jobs.follow(id, 0).await.unwrap().unwrap();
    let all = rest(&mut all).await;
    assert_eq!(all.len(), 5);
    for (place, (sequence, ..)) in all.iter().enumerate() {
        let mut later = lab.jobs.follow(id, *sequence).await.unwrap().unwrap();
        assert_eq!(rest(&mut later).await, all[place + 1..]);
    }
    let followed = lab.jobs.follow(id, 0).await.unwrap().unwrap();
    assert_eq!(followed.collect(SOON).await.unwrap().len(), 5);
    let nothing = JobId(uuid::Uuid::new_v4());
    assert!(lab.jobs.follow(nothing, 0).await.unwrap().is_none());
}

#[tokio::test]
async fn a_request_sent_again_is_the_same_job_from_its_beginning() {
    let lab = lab(3).await;
    let request = JobRequest {
        key: Some("key".into()),
        ..JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            lab.names.clone(),
        )
    };
    let first = lab.jobs.submit(request.clone()).await.unwrap();
    assert!(!first.repeated());
    lab.carry_out_one().await;
    let again = lab.jobs.submit(request.clone()).await.unwrap();
    assert_eq!((again.id(), again.repeated()), (first.id(), true));
    lab.carry_out_one().await;
    assert_eq!(
        again.collect(SOON).await.unwrap(),
        first.collect(SOON).await.unwrap()
    );
    let other = JobRequest {
        max_failures: Some(1),
        ..request
    };
    let refused = lab.jobs.submit(other).await.err().unwrap();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    // Nothing of all this is left on the bus.
    let idle = Duration::from_millis(50);
    let more = tokio::time::timeout(idle, lab.bus.next_work(Lane::Hardware)).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn whoever_waits_hears_at_once_that_the_job_was_cancelled() {
    let lab = lab(4).await;
    let request = JobRequest::new(
        Operation::Control(ControlOperation::PowerStatus),
        lab.names.clone(),
    );
    let mut running = lab.jobs.submit(request).await.unwrap();
    lab.carry_out_one().await;
    assert_eq!(running.next().await.unwrap().unwrap().len(), 2);
    let status = lab.jobs.cancel(running.id()).await.unwrap().unwrap();
    assert_eq!((status.state, status.left_alone), (JobState::Cancelled, 2));
    let alone = rest(&mut running).await;
    assert!(
        matches!(
            &alone[..],
            [(_, _, Outcome::LeftAlone(_)), (_, _, Outcome::LeftAlone(_))]
        ),
        "{alone:?}"
    );
    let nothing = JobId(uuid::Uuid::new_v4());
    assert_eq!(lab.jobs.cancel(nothing).await.unwrap(), None);
}

#[tokio::test]
async fn only_the_first_wave_is_published() {
    let lab = lab(5).await;
    let request = JobRequest {
        wave: Some(2),
        ..JobRequest::new(
            Operation::Control(ControlOperation::PowerStatus),
            lab.names.clone(),
        )
    };
    let running = lab.jobs.submit(request).await.unwrap();
    let delivery = lab.bus.next_work(Lane::Hardware).await.unwrap();
    assert_eq!(
        (delivery.work().job, delivery.work().batch),
        (running.id(), 0)
    );
    let idle = Duration::from_millis(50);
    let more = tokio::time::timeout(idle, lab.bus.next_work(Lane::Hardware)).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn a_store_that_stays_away_is_waited_for_until_the_deadline() {
    let lab = lab(1).await;
    let request = JobRequest::new(
        Operation::Control(ControlOperation::PowerStatus),
        lab.names.clone(),
    );
    let running = lab.jobs.submit(request).await.unwrap();
    lab.store.close().await;
    let begun = std::time::Instant::now();
    let deadline = Duration::from_millis(300);
    let ended = tokio::time::timeout(SOON, running.collect(deadline)).await;
    let error = ended.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(begun.elapsed() >= deadline);
}
