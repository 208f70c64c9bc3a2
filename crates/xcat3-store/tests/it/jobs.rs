//! Jobs, batches and outcomes.

use xcat3_core::{ControlOperation, Lane, NodeName, Operation, Outcome, PowerTarget, Report};
use xcat3_store::{Job, JobId, JobState, NewJob, Outcomes, Store, StoreError};

use crate::fixture::{LONG, enrol, many, names, told};

const POWER_ON: Operation = Operation::Control(ControlOperation::Power(PowerTarget::On));

fn ok(names: &[NodeName]) -> Vec<(NodeName, Outcome)> {
    names
        .iter()
        .map(|name| (name.clone(), Outcome::OK))
        .collect()
}

async fn create(store: &Store, names: &[NodeName], batch_size: usize) -> Job {
    let job = NewJob::new(&POWER_ON, names, batch_size);
    store.create_job(&job).await.unwrap()
}

/// The outcomes of a job up to now, and whether these are all.
async fn all(store: &Store, job: JobId) -> (Vec<(NodeName, Outcome)>, bool) {
    let outcomes = told(store, job).await;
    (
        outcomes,
        store.outcomes(job, 0, usize::MAX).await.unwrap().ended,
    )
}

/// Does what a conductor does with a batch of which every node answers `outcome`.
async fn carry_out(store: &Store, job: JobId, number: i64, outcome: &Outcome) -> Vec<i64> {
    let batch = store.begin_batch(job, number).await.unwrap().unwrap();
    let outcome = |name: &NodeName| (name.clone(), outcome.clone());
    let outcomes: Vec<_> = batch.names.iter().map(outcome).collect();
    store.settle(job, None, &outcomes).await.unwrap();
    store.finish_batch(job, number, None).await.unwrap()
}

async fn begun(store: &Store, job: JobId, number: i64) -> Option<Vec<NodeName>> {
    let batch = store.begin_batch(job, number).await.unwrap();
    batch.map(|batch| batch.names)
}

async fn counts(store: &Store, job: JobId) -> (JobState, [u64; 3]) {
    let status = store.job(job).await.unwrap().unwrap();
    (
        status.state,
        [status.done, status.failed, status.left_alone],
    )
}

pub async fn a_job_is_split_and_done_when_all_are_answered(store: Store) {
    let names = names(&["e", "d", "c", "b", "a"]);
    let deploy = Operation::Deploy {
        osimage: Some("img".into()),
        subnet: None,
        force: false,
    };
    let asked: Vec<_> = names.iter().chain(&names[..2]).cloned().collect();
    let job = store
        .create_job(&NewJob::new(&deploy, &asked, 2))
        .await
        .unwrap();
    assert_eq!(
        (job.batches.as_slice(), job.repeated),
        (&[0, 1, 2][..], false)
    );
    let unfinished: Vec<_> = job
        .batches
        .iter()
        .map(|&number| (job.id, number, Lane::Provisioning))
        .collect();
    assert_eq!(store.unfinished_batches().await.unwrap(), unfinished);
    for (number, part) in (0..).zip([&names[..2], &names[2..4], &names[4..]]) {
        let batch = store.begin_batch(job.id, number).await.unwrap().unwrap();
        assert_eq!(
            (batch.job, batch.number, &batch.operation),
            (job.id, number, &deploy)
        );
        assert_eq!(batch.names, part, "each once, in the order asked");
        let status = store.job(job.id).await.unwrap().unwrap();
        assert_eq!(
            (status.state, status.finished_ms),
            (JobState::Running, None)
        );
        assert_eq!(status.operation, deploy);
        store.settle(job.id, None, &ok(part)).await.unwrap();
        assert_eq!(
            store.finish_batch(job.id, number, None).await.unwrap(),
            [0; 0]
        );
        assert_eq!(begun(&store, job.id, number).await, None);
    }
    assert_eq!(store.unfinished_batches().await.unwrap(), []);
    assert_eq!(all(&store, job.id).await, (ok(&names), true));
    let status = store.job(job.id).await.unwrap().unwrap();
    assert_eq!(
        (status.nodes, status.done, status.failed, status.left_alone),
        (5, 5, 0, 0)
    );
    assert_eq!(status.state, JobState::Done);
    assert!(status.finished_ms >= Some(status.created_ms));
    assert_eq!(begun(&store, job.id, 9).await, None);
}

pub async fn what_is_no_job_is_said_or_passed_over(store: Store) {
    let nothing = JobId(uuid::Uuid::new_v4());
    let outcomes = store.outcomes(nothing, 0, 10).await;
    assert!(matches!(outcomes, Err(StoreError::NotFound(_))));
    assert_eq!(store.job(nothing).await.unwrap(), None);
    assert_eq!(store.cancel_job(nothing).await.unwrap(), None);
    assert_eq!(begun(&store, nothing, 0).await, None);
    assert_eq!(store.finish_batch(nothing, 0, None).await.unwrap(), [0; 0]);
    store
        .settle(nothing, None, &ok(&names(&["a"])))
        .await
        .unwrap();
    let empty = create(&store, &[], 10).await;
    assert_eq!(empty.batches, [0; 0]);
    assert_eq!(
        all(&store, empty.id).await,
        (vec![], true),
        "there is nothing to wait for"
    );
    assert_eq!(counts(&store, empty.id).await, (JobState::Done, [0, 0, 0]));
}

pub async fn the_first_outcome_counts(store: Store) {
    let names = names(&["a", "b"]);
    let job = create(&store, &names, 10).await.id;
    let first = Outcome::failed("the BMC does not answer");
    let twice = [
        (names[0].clone(), first.clone()),
        (names[0].clone(), Outcome::OK),
    ];
    store.settle(job, None, &twice).await.unwrap();
    assert_eq!(counts(&store, job).await, (JobState::Running, [0, 1, 0]));
    store.settle(job, None, &ok(&names)).await.unwrap();
    store.settle(job, None, &ok(&names)).await.unwrap();
    let expected = vec![(names[0].clone(), first), (names[1].clone(), Outcome::OK)];
    assert_eq!(all(&store, job).await, (expected, true));
    assert_eq!(counts(&store, job).await, (JobState::Done, [1, 1, 0]));
}

pub async fn a_report_is_kept_as_it_was_told(store: Store) {
    let names = names(&["a", "b"]);
    let job = create(&store, &names, 10).await.id;
    let found = serde_json::json!({"serial": "S'1\"", "notes": [null, 1.5, "\u{e9}\u{1f600}"]});
    let report = Outcome::Report(Report::of(&found).unwrap());
    let outcomes = vec![
        (names[0].clone(), report),
        (names[1].clone(), Outcome::Done("http")),
    ];
    store.settle(job, None, &outcomes).await.unwrap();
    assert_eq!(all(&store, job).await, (outcomes, true));
    assert_eq!(counts(&store, job).await, (JobState::Done, [2, 0, 0]));
}

pub async fn a_page_has_room_for_so_many_bytes_of_reports(store: Store) {
    let names = many(20);
    let inventory = Operation::Control(ControlOperation::Inventory);
    let job = NewJob::new(&inventory, &names, 20);
    let job = store.create_job(&job).await.unwrap().id;
    let long = Report::of(&"x".repeat(1_000_000)).unwrap();
    let told = |name: &NodeName| (name.clone(), Outcome::Report(long.clone()));
    let outcomes: Vec<_> = names.iter().map(told).collect();
    store.settle(job, None, &outcomes).await.unwrap();
    let (mut after, mut sizes) = (0, Vec::new());
    loop {
        let page = store.outcomes(job, after, 1_000).await.unwrap();
        assert_ne!(page.ended, page.more);
        after = page.outcomes.last().unwrap().0;
        sizes.push(page.outcomes.len());
        if page.ended {
            break;
        }
    }
    // Eight and a half of them are 8 MiB.
    assert_eq!(sizes, [9, 9, 2]);
}

pub async fn a_reader_goes_on_where_it_stopped(store: Store) {
    let names = many(40);
    let job = create(&store, &names, 7).await.id;
    let writers: Vec<_> = names
        .chunks(5)
        .map(|part| {
            let (store, part) = (store.clone(), ok(part));
            tokio::spawn(async move { store.settle(job, None, &part).await.unwrap() })
        })
        .collect();
    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let Outcomes {
            outcomes, ended, ..
        } = store.outcomes(job, after, 3).await.unwrap();
        assert!(outcomes.len() <= 3);
        for (sequence, name, _) in outcomes {
            assert!(sequence > after);
            after = sequence;
            read.push(name);
        }
        if ended {
            break;
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(
        read.len(),
        40,
        "whoever is told that it is done was told everything"
    );
    read.sort_unstable();
    read.dedup();
    assert_eq!(read.len(), 40, "each once");
}

pub async fn a_batch_given_again_has_only_what_is_left(store: Store) {
    let names = names(&["a", "b", "c"]);
    let job = create(&store, &names, 10).await.id;
    store.settle(job, None, &ok(&names[1..2])).await.unwrap();
    let left = vec![names[0].clone(), names[2].clone()];
    for _ in 0..2 {
        assert_eq!(begun(&store, job, 0).await.as_ref(), Some(&left));
        let unfinished = [(job, 0, Lane::Hardware)];
        assert_eq!(store.unfinished_batches().await.unwrap(), unfinished);
    }
}

pub async fn an_ended_batch_leaves_nobody_waiting(store: Store) {
    let names = names(&["a", "b"]);
    let job = create(&store, &names, 10).await.id;
    store.settle(job, None, &ok(&names[..1])).await.unwrap();
    store.finish_batch(job, 0, None).await.unwrap();
    let (outcomes, ended) = all(&store, job).await;
    assert!(ended);
    assert_eq!(outcomes[0].1, Outcome::OK);
    assert!(
        outcomes[1].1.as_str().contains("without an answer"),
        "{outcomes:?}"
    );
}

pub async fn whoever_hears_of_an_outcome_finds_the_node_free(store: Store) {
    let names = enrol(&store, &["a", "b", "c"]).await;
    let job = create(&store, &names, 10).await.id;
    let reserve = |asked: Vec<NodeName>, owner: &'static str| {
        let store = store.clone();
        async move { store.reserve(&asked, owner, owner, LONG).await.unwrap() }
    };
    let mine = reserve(names[..2].to_vec(), "host1").await.fence;
    let other = reserve(names[2..].to_vec(), "host2").await.fence;
    let both = ok(&[names[0].clone(), names[2].clone()]);
    let lost = store.settle(job, Some(mine), &both).await.unwrap();
    assert_eq!(lost, 1);
    assert_eq!(told(&store, job).await, ok(&names[..1]), "c is another's");
    assert_eq!(store.held(mine).await.unwrap(), names[1..2]);
    assert_eq!(
        store.held(other).await.unwrap(),
        names[2..],
        "what another holds it keeps"
    );
    store.settle(job, None, &ok(&names[1..2])).await.unwrap();
    assert_eq!(store.held(mine).await.unwrap(), names[1..2]);
    store
        .settle(job, Some(other), &ok(&names[2..]))
        .await
        .unwrap();
    assert!(all(&store, job).await.1);
}

pub async fn who_lost_its_nodes_writes_nothing(store: Store) {
    let names = enrol(&store, &["a", "b"]).await;
    let job = create(&store, &names, 10).await.id;
    let batch = store.begin_batch(job, 0).await.unwrap().unwrap();
    let short = std::time::Duration::from_millis(30);
    let paused = store
        .reserve(&batch.names, "host1/0", "batch 0", short)
        .await
        .unwrap();
    tokio::time::sleep(short * 2).await;
    // Its time is over, though nobody else took them.
    let late = ok(&names);
    let lost = store.settle(job, Some(paused.fence), &late).await.unwrap();
    assert_eq!(lost, late.len());
    assert_eq!(told(&store, job).await, []);
    assert_eq!(
        store
            .finish_batch(job, 0, Some(paused.fence))
            .await
            .unwrap(),
        [0; 0]
    );
    assert_eq!(
        begun(&store, job, 0).await,
        Some(names.clone()),
        "it has not ended"
    );
    // Now somebody has.
    let heir = store
        .reserve(&names, "host2/0", "batch 0", LONG)
        .await
        .unwrap();
    let lost = store.settle(job, Some(paused.fence), &late).await.unwrap();
    assert_eq!(lost, late.len());
    store
        .finish_batch(job, 0, Some(paused.fence))
        .await
        .unwrap();
    assert_eq!(told(&store, job).await, []);
    assert_eq!(store.held(heir.fence).await.unwrap(), names);
    // Whose word counts; what it doesn't say is said for it, and its nodes are free.
    store
        .settle(job, Some(heir.fence), &late[..1])
        .await
        .unwrap();
    store.finish_batch(job, 0, Some(heir.fence)).await.unwrap();
    assert_eq!(counts(&store, job).await, (JobState::Done, [1, 1, 0]));
    assert_eq!(store.held(heir.fence).await.unwrap(), []);
}

pub async fn who_holds_a_node_for_the_job_has_the_word(store: Store) {
    let names = enrol(&store, &["a", "b"]).await;
    let job = create(&store, &names, 10).await.id;
    let batch = store.begin_batch(job, 0).await.unwrap().unwrap();
    // Found both locked, and slept over it; meanwhile another got the one, and a machine the other.
    let refused = |name: &NodeName| (name.clone(), Outcome::failed("Locked temporarily"));
    let refused: Vec<_> = names.iter().map(refused).collect();
    let purpose = batch.purpose();
    let heir = store.reserve(&names[..1], "host2/0", &purpose, LONG);
    let fence = heir.await.unwrap().fence;
    let machine = store.reserve(&names[1..], "host3/0", "job of another", LONG);
    machine.await.unwrap();
    store.settle(job, None, &refused).await.unwrap();
    assert_eq!(told(&store, job).await, refused[1..]);
    store.settle(job, Some(fence), &ok(&names)).await.unwrap();
    let expected = [refused[1].clone(), (names[0].clone(), Outcome::OK)];
    assert_eq!(told(&store, job).await, expected);
}

pub async fn waves_begin_one_after_another(store: Store) {
    let names = many(10);
    let new = NewJob {
        wave: Some(4),
        ..NewJob::new(&POWER_ON, &names, 3)
    };
    let job = store.create_job(&new).await.unwrap();
    // 3 + 1, 3 + 1, 2.
    assert_eq!(job.batches, [0, 1]);
    assert_eq!(begun(&store, job.id, 2).await, None, "its wave is not open");
    assert_eq!(carry_out(&store, job.id, 1, &Outcome::OK).await, [0; 0]);
    let failed = Outcome::failed("no");
    assert_eq!(carry_out(&store, job.id, 0, &failed).await, [2, 3]);
    let numbers = |left: Vec<(JobId, i64, Lane)>| {
        left.into_iter()
            .map(|(_, number, _)| number)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(store.unfinished_batches().await.unwrap()), [2, 3]);
    assert_eq!(carry_out(&store, job.id, 2, &Outcome::OK).await, [0; 0]);
    assert_eq!(carry_out(&store, job.id, 3, &Outcome::OK).await, [4]);
    assert_eq!(carry_out(&store, job.id, 4, &Outcome::OK).await, [0; 0]);
    assert_eq!(counts(&store, job.id).await, (JobState::Done, [7, 3, 0]));
    let status = store.job(job.id).await.unwrap().unwrap();
    assert_eq!((status.wave, status.max_failures), (Some(4), None));
}

pub async fn a_job_stops_when_too_many_fail(store: Store) {
    let names = many(10);
    let new = NewJob {
        wave: Some(2),
        max_failures: Some(2),
        ..NewJob::new(&POWER_ON, &names, 2)
    };
    let job = store.create_job(&new).await.unwrap().id;
    let failed = Outcome::failed("no");
    assert_eq!(
        carry_out(&store, job, 0, &failed).await,
        [1],
        "two may fail"
    );
    assert_eq!(carry_out(&store, job, 1, &failed).await, [0; 0]);
    assert_eq!(counts(&store, job).await, (JobState::Stopped, [0, 4, 6]));
    let (outcomes, ended) = all(&store, job).await;
    let alone = Outcome::LeftAlone("left alone: the job stopped after 4 failures".into());
    assert!(
        ended && outcomes[4..].iter().all(|(_, outcome)| *outcome == alone),
        "{outcomes:?}"
    );
    let rest: Vec<&NodeName> = outcomes[4..].iter().map(|(name, _)| name).collect();
    assert_eq!(rest, names[4..].iter().collect::<Vec<_>>());
    assert_eq!(begun(&store, job, 2).await, None);
    assert_eq!(store.unfinished_batches().await.unwrap(), []);
    assert_eq!(store.job(job).await.unwrap().unwrap().max_failures, Some(2));
}

pub async fn a_job_without_waves_stops_too(store: Store) {
    let names = many(6);
    let new = NewJob {
        max_failures: Some(0),
        ..NewJob::new(&POWER_ON, &names, 2)
    };
    let job = store.create_job(&new).await.unwrap().id;
    let slow = store.begin_batch(job, 1).await.unwrap().unwrap();
    assert_eq!(
        carry_out(&store, job, 0, &Outcome::failed("no")).await,
        [0; 0]
    );
    // What had begun goes on to its end.
    assert_eq!(counts(&store, job).await, (JobState::Stopped, [0, 2, 2]));
    assert_eq!(store.job(job).await.unwrap().unwrap().finished_ms, None);
    assert_eq!(
        store.unfinished_batches().await.unwrap(),
        [(job, 1, Lane::Hardware)]
    );
    store.settle(job, None, &ok(&slow.names)).await.unwrap();
    store.finish_batch(job, 1, None).await.unwrap();
    assert_eq!(counts(&store, job).await, (JobState::Stopped, [2, 2, 2]));
    assert!(all(&store, job).await.1);
}

pub async fn cancelling_leaves_alone_what_has_not_begun(store: Store) {
    let names = many(6);
    let job = create(&store, &names, 2).await.id;
    let slow = store.begin_batch(job, 0).await.unwrap().unwrap();
    let status = store.cancel_job(job).await.unwrap().unwrap();
    assert_eq!(
        (status.state, status.left_alone, status.finished_ms),
        (JobState::Cancelled, 4, None)
    );
    let alone = Outcome::LeftAlone("left alone: the job was cancelled".into());
    let expected: Vec<_> = names[2..]
        .iter()
        .map(|name| (name.clone(), alone.clone()))
        .collect();
    assert_eq!(all(&store, job).await, (expected, false));
    assert_eq!(begun(&store, job, 1).await, None);
    assert_eq!(
        begun(&store, job, 0).await,
        Some(slow.names.clone()),
        "it may be begun again"
    );
    store.settle(job, None, &ok(&slow.names)).await.unwrap();
    store.finish_batch(job, 0, None).await.unwrap();
    assert_eq!(counts(&store, job).await, (JobState::Cancelled, [2, 0, 4]));
    assert!(all(&store, job).await.1);
    let before = store.job(job).await.unwrap();
    assert_eq!(
        store.cancel_job(job).await.unwrap(),
        before,
        "it is cancelled once"
    );

    let done = create(&store, &names[..1], 2).await.id;
    carry_out(&store, done, 0, &Outcome::OK).await;
    let before = store.job(done).await.unwrap();
    assert_eq!(
        store.cancel_job(done).await.unwrap(),
        before,
        "what has ended stays"
    );
}

pub async fn a_request_sent_again_is_the_same_job(store: Store) {
    let names = many(300);
    let new = NewJob {
        key: Some("key-1"),
        wave: Some(200),
        ..NewJob::new(&POWER_ON, &names, 100)
    };
    let first = store.create_job(&new).await.unwrap();
    assert!(!first.repeated);
    let again = store.create_job(&new).await.unwrap();
    assert_eq!((again.id, again.repeated), (first.id, true));
    assert_eq!(
        again.batches, first.batches,
        "what nobody may have published"
    );
    store.begin_batch(first.id, 0).await.unwrap();
    let twice = [names.as_slice(), &names[..3]].concat();
    let again = store
        .create_job(&NewJob {
            names: &twice,
            ..new
        })
        .await
        .unwrap();
    assert_eq!(
        (again.id, &again.batches[..]),
        (first.id, &first.batches[1..])
    );

    let mut swapped = names.clone();
    swapped.swap(7, 200);
    let others = [
        NewJob {
            operation: &Operation::Control(ControlOperation::PowerStatus),
            ..new
        },
        NewJob {
            names: &names[1..],
            ..new
        },
        NewJob {
            names: &swapped,
            ..new
        },
        NewJob { wave: None, ..new },
        NewJob {
            max_failures: Some(0),
            ..new
        },
    ];
    for other in others {
        let refused = store.create_job(&other).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Conflict(why) if why.contains("'key-1'")),
            "{refused}"
        );
    }
    let other = NewJob {
        key: Some("key-2"),
        ..new
    };
    assert!(!store.create_job(&other).await.unwrap().repeated);
    assert_eq!(
        store.jobs(10, None).await.unwrap().len(),
        2,
        "nothing else was made"
    );
}

pub async fn the_same_request_at_once_is_one_job(store: Store) {
    let requests: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let names = many(100);
                let new = NewJob {
                    key: Some("key"),
                    ..NewJob::new(&POWER_ON, &names, 10)
                };
                store.create_job(&new).await.unwrap()
            })
        })
        .collect();
    let mut jobs = Vec::new();
    for request in requests {
        jobs.push(request.await.unwrap());
    }
    assert!(jobs.iter().all(|job| job.id == jobs[0].id));
    assert_eq!(jobs.iter().filter(|job| !job.repeated).count(), 1);
}

pub async fn jobs_are_listed_the_newest_first(store: Store) {
    let mut made = Vec::new();
    for count in 1..=5 {
        made.push(create(&store, &many(count), 10).await.id);
    }
    let ids = |limit, before| {
        let store = store.clone();
        async move {
            let jobs = store.jobs(limit, before).await.unwrap();
            jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
        }
    };
    made.reverse();
    assert_eq!(ids(10, None).await, made);
    assert_eq!(ids(2, None).await, made[..2]);
    assert_eq!(ids(2, Some(made[1])).await, made[2..4]);
    assert_eq!(ids(2, Some(made[4])).await, []);
    assert_eq!(ids(2, Some(JobId(uuid::Uuid::new_v4()))).await, []);
}
