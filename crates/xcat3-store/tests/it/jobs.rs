//! Jobs, batches and outcomes.

use xcat3_core::{NodeName, Operation, Outcome, PowerTarget};
use xcat3_store::{JobId, Store, StoreError};

use crate::fixture::{LONG, enrol, names};

const POWER_ON: Operation = Operation::Power(PowerTarget::On);

fn ok(names: &[NodeName]) -> Vec<(NodeName, Outcome)> {
    names
        .iter()
        .map(|name| (name.clone(), Outcome::OK))
        .collect()
}

pub async fn a_job_is_split_and_done_when_all_are_answered(store: Store) {
    let names = enrol(&store, &["e", "d", "c", "b", "a"]).await;
    let deploy = Operation::Deploy {
        osimage: Some("img".into()),
        subnet: None,
        force: false,
    };
    let asked: Vec<_> = names.iter().chain(&names[..2]).cloned().collect();
    let job = store.create_job(&deploy, &asked, 2).await.unwrap();
    let split: Vec<_> = job
        .batches
        .iter()
        .map(|batch| batch.names.as_slice())
        .collect();
    assert_eq!(
        split,
        [&names[..2], &names[2..4], &names[4..]],
        "each once, in the order asked"
    );
    let numbers: Vec<_> = job
        .batches
        .iter()
        .map(|batch| (batch.job, batch.number))
        .collect();
    assert_eq!(store.unfinished_batches().await.unwrap(), numbers);
    for batch in &job.batches {
        let read = store.batch(job.id, batch.number).await.unwrap();
        assert_eq!(read.as_ref(), Some(batch));
        let status = store.job(job.id).await.unwrap().unwrap();
        assert_eq!((status.finished_ms, &status.operation), (None, &deploy));
        store
            .record_outcomes(job.id, &ok(&batch.names))
            .await
            .unwrap();
        store.finish_batch(job.id, batch.number).await.unwrap();
        assert_eq!(store.batch(job.id, batch.number).await.unwrap(), None);
    }
    assert_eq!(store.unfinished_batches().await.unwrap(), []);
    let (outcomes, _, done) = store.outcomes(job.id, 0).await.unwrap();
    assert_eq!((outcomes, done), (ok(&names), true));
    let status = store.job(job.id).await.unwrap().unwrap();
    assert_eq!((status.nodes, status.answered), (5, 5));
    assert!(status.finished_ms >= Some(status.created_ms));
    let nothing = JobId(uuid::Uuid::new_v4());
    assert!(matches!(
        store.outcomes(nothing, 0).await,
        Err(StoreError::NotFound(_))
    ));
    assert_eq!(store.job(nothing).await.unwrap(), None);
    assert_eq!(store.batch(job.id, 9).await.unwrap(), None);
}

pub async fn unknown_names_are_answered_at_once(store: Store) {
    enrol(&store, &["a"]).await;
    let job = store
        .create_job(&POWER_ON, &names(&["x", "a", "y"]), 10)
        .await
        .unwrap();
    assert_eq!(job.batches[0].names, names(&["a"]));
    let (outcomes, next, done) = store.outcomes(job.id, 0).await.unwrap();
    let missing = |text| {
        (
            names(&[text]).remove(0),
            Outcome::failed("Could not be found."),
        )
    };
    assert_eq!((outcomes, done), (vec![missing("x"), missing("y")], false));
    store
        .record_outcomes(job.id, &ok(&names(&["a"])))
        .await
        .unwrap();
    let (outcomes, _, done) = store.outcomes(job.id, next).await.unwrap();
    assert_eq!((outcomes, done), (ok(&names(&["a"])), true));

    let nobody = store
        .create_job(&POWER_ON, &names(&["x"]), 10)
        .await
        .unwrap();
    assert_eq!(nobody.batches, []);
    assert!(
        store.outcomes(nobody.id, 0).await.unwrap().2,
        "there is nothing to wait for"
    );
    let empty = store.create_job(&POWER_ON, &[], 10).await.unwrap();
    assert!(store.outcomes(empty.id, 0).await.unwrap().2);
}

pub async fn the_first_outcome_counts(store: Store) {
    let names = enrol(&store, &["a", "b"]).await;
    let job = store.create_job(&POWER_ON, &names, 10).await.unwrap().id;
    let first = Outcome::failed("the BMC does not answer");
    let told = [
        (names[0].clone(), first.clone()),
        (names[0].clone(), Outcome::OK),
    ];
    store.record_outcomes(job, &told).await.unwrap();
    store.record_outcomes(job, &ok(&names)).await.unwrap();
    store.record_outcomes(job, &ok(&names)).await.unwrap();
    let stranger = ("stranger".parse().unwrap(), Outcome::OK);
    store.record_outcomes(job, &[stranger]).await.unwrap();
    let (outcomes, _, done) = store.outcomes(job, 0).await.unwrap();
    assert_eq!(
        outcomes,
        [(names[0].clone(), first), (names[1].clone(), Outcome::OK)]
    );
    assert!(done);
    assert_eq!(store.job(job).await.unwrap().unwrap().answered, 2);
}

pub async fn a_reader_goes_on_where_it_stopped(store: Store) {
    let texts: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let names = enrol(
        &store,
        &texts.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let job = store.create_job(&POWER_ON, &names, 7).await.unwrap().id;
    let writers: Vec<_> = names
        .chunks(5)
        .map(|part| {
            let (store, part) = (store.clone(), ok(part));
            tokio::spawn(async move { store.record_outcomes(job, &part).await.unwrap() })
        })
        .collect();
    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let (outcomes, next, done) = store.outcomes(job, after).await.unwrap();
        assert!(next > after || outcomes.is_empty());
        read.extend(outcomes.into_iter().map(|(name, _)| name));
        after = next;
        if done {
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
    let names = enrol(&store, &["a", "b", "c"]).await;
    let job = store.create_job(&POWER_ON, &names, 10).await.unwrap().id;
    store.record_outcomes(job, &ok(&names[1..2])).await.unwrap();
    let batch = store.batch(job, 0).await.unwrap().unwrap();
    assert_eq!(batch.names, [names[0].clone(), names[2].clone()]);
    assert_eq!(store.unfinished_batches().await.unwrap(), [(job, 0)]);
}

pub async fn an_ended_batch_leaves_nobody_waiting(store: Store) {
    let names = enrol(&store, &["a", "b"]).await;
    let job = store.create_job(&POWER_ON, &names, 10).await.unwrap().id;
    store.record_outcomes(job, &ok(&names[..1])).await.unwrap();
    store.finish_batch(job, 0).await.unwrap();
    let (outcomes, _, done) = store.outcomes(job, 0).await.unwrap();
    assert!(done);
    assert_eq!(outcomes[0].1, Outcome::OK);
    assert!(
        outcomes[1].1.as_str().contains("without an answer"),
        "{outcomes:?}"
    );
}

pub async fn whoever_hears_of_an_outcome_finds_the_node_free(store: Store) {
    let names = enrol(&store, &["a", "b", "c"]).await;
    let job = store.create_job(&POWER_ON, &names, 10).await.unwrap().id;
    let reserve = |asked: Vec<NodeName>, owner: &'static str| {
        let store = store.clone();
        async move { store.reserve(&asked, owner, owner, LONG).await.unwrap() }
    };
    let mine = reserve(names[..2].to_vec(), "host1").await.fence;
    let other = reserve(names[2..].to_vec(), "host2").await.fence;
    let told = ok(&[names[0].clone(), names[2].clone()]);
    store.settle(job, Some(mine), &told).await.unwrap();
    assert_eq!(store.outcomes(job, 0).await.unwrap().0, told);
    assert_eq!(store.held(mine).await.unwrap(), names[1..2]);
    assert_eq!(
        store.held(other).await.unwrap(),
        names[2..],
        "what another holds it keeps"
    );
    store.settle(job, None, &ok(&names[1..2])).await.unwrap();
    assert_eq!(store.held(mine).await.unwrap(), names[1..2]);
    assert!(store.outcomes(job, 0).await.unwrap().2);
}
