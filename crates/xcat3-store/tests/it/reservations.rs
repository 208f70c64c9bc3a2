//! Reservations: who holds a node.

use std::collections::HashSet;
use std::time::Duration;

use xcat3_core::{NodeName, Operation, Outcome, State};
use xcat3_store::{NewJob, Provision, Store};

use crate::fixture::{LONG, enrol, image, many, names, node, to_state};

fn texts(nodes: &[xcat3_core::Node]) -> Vec<&str> {
    nodes.iter().map(|node| node.name.as_str()).collect()
}

pub async fn what_is_held_is_locked_until_it_is_given_back(store: Store) {
    let all = enrol(&store, &["c", "a", "b"]).await;
    let first = store
        .reserve(&names(&["c", "b"]), "host1", "power on", LONG)
        .await
        .unwrap();
    assert_eq!(
        (texts(&first.nodes), first.locked.len()),
        (vec!["c", "b"], 0)
    );
    assert!(
        first
            .nodes
            .iter()
            .all(|node| node.observed.reservation.as_deref() == Some("host1"))
    );
    let asked = names(&["b", "nobody", "a", "c"]);
    let second = store
        .reserve(&asked, "host2", "power off", LONG)
        .await
        .unwrap();
    assert!(second.fence > first.fence);
    assert_eq!(texts(&second.nodes), ["a"]);
    assert_eq!(
        second.locked,
        names(&["b", "c"]),
        "who does not exist is in neither"
    );
    assert_eq!(store.held(first.fence).await.unwrap(), names(&["b", "c"]));
    store.release(first.fence).await.unwrap();
    assert_eq!(store.held(first.fence).await.unwrap(), []);
    let third = store.reserve(&all, "host2", "reset", LONG).await.unwrap();
    assert_eq!(
        (texts(&third.nodes), third.locked),
        (vec!["c", "b"], names(&["a"]))
    );
    assert_eq!(third.nodes[0].observed.conductor.as_deref(), Some("host2"));
}

pub async fn an_expired_reservation_is_free_to_take(store: Store) {
    let all = enrol(&store, &["a"]).await;
    let short = Duration::from_millis(40);
    let first = store
        .reserve(&all, "host1", "power on", short)
        .await
        .unwrap();
    tokio::time::sleep(short * 2).await;
    assert_eq!(
        store.nodes(&all).await.unwrap()[0].observed.reservation,
        None,
        "it shows no more"
    );
    let second = store
        .reserve(&all, "host2", "power off", LONG)
        .await
        .unwrap();
    assert_eq!(texts(&second.nodes), ["a"]);
    assert_eq!(store.held(first.fence).await.unwrap(), []);
    // The first one wakes up: it writes nothing and takes nothing away.
    let before = store.revision().await.unwrap();
    let late = [to_state(&all[0], State::Dhcp)];
    assert_eq!(store.provision(first.fence, &late).await.unwrap(), before);
    store.release(first.fence).await.unwrap();
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(
        (node.deployment.state, node.observed.reservation.as_deref()),
        (State::None, Some("host2"))
    );
    store.provision(second.fence, &late).await.unwrap();
    assert_eq!(
        store.nodes(&all).await.unwrap()[0].deployment.state,
        State::Dhcp
    );
}

pub async fn a_reservation_can_be_extended(store: Store) {
    let all = enrol(&store, &["a", "b"]).await;
    let begun = std::time::Instant::now();
    let lease = Duration::from_millis(500);
    let first = store
        .reserve(&all, "host1/0", "power on", lease)
        .await
        .unwrap();
    let still = store.extend(first.fence, LONG).await.unwrap();
    if begun.elapsed() < lease {
        assert_eq!(still, all);
    }
    tokio::time::sleep(lease).await;
    assert_eq!(store.held(first.fence).await.unwrap(), still);
    let other = store
        .reserve(&still, "host2/0", "power off", LONG)
        .await
        .unwrap();
    assert_eq!(other.locked, still);
}

pub async fn who_comes_too_late_can_do_nothing(store: Store) {
    let all = enrol(&store, &["a", "b"]).await;
    let short = Duration::from_millis(40);
    let first = store
        .reserve(&all, "host1/0", "power on", short)
        .await
        .unwrap();
    tokio::time::sleep(short * 2).await;
    assert_eq!(store.held(first.fence).await.unwrap(), []);
    let before = store.revision().await.unwrap();
    let late = [to_state(&all[0], State::Dhcp)];
    assert_eq!(store.provision(first.fence, &late).await.unwrap(), before);
    assert_eq!(store.revision().await.unwrap(), before);
    assert_eq!(
        store.nodes(&all).await.unwrap()[0].deployment.state,
        State::None
    );
    let second = store
        .reserve(&names(&["b"]), "host2/0", "power off", LONG)
        .await
        .unwrap();
    // Only what nobody took since can be had back.
    let again = store.extend(first.fence, LONG).await.unwrap();
    assert_eq!(again, names(&["a"]));
    store.provision(first.fence, &late).await.unwrap();
    assert_eq!(
        store.nodes(&all).await.unwrap()[0].deployment.state,
        State::Dhcp
    );
    store.release(first.fence).await.unwrap();
    assert_eq!(store.held(second.fence).await.unwrap(), names(&["b"]));
}

pub async fn overlapping_races_never_share_a_node(store: Store) {
    let all = many(300);
    let nodes: Vec<_> = all.iter().map(|name| node(name.as_str(), &[])).collect();
    store.create_nodes(&nodes).await.unwrap();
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let store = store.clone();
            // Every racer asks for an overlapping part, half of them from the other end.
            let mut asked: Vec<NodeName> = all[racer * 20..racer * 20 + 160].to_vec();
            if racer % 2 == 1 {
                asked.reverse();
            }
            tokio::spawn(async move {
                let reserved = store
                    .reserve(&asked, &format!("host{racer}"), &format!("{racer}"), LONG)
                    .await;
                let reserved = reserved.unwrap();
                assert_eq!(reserved.nodes.len() + reserved.locked.len(), asked.len());
                reserved
            })
        })
        .collect();
    let (mut taken, mut fences) = (HashSet::new(), HashSet::new());
    for racer in racers {
        let reserved = racer.await.unwrap();
        assert!(fences.insert(reserved.fence), "a number is given out once");
        for node in reserved.nodes {
            assert!(
                taken.insert(node.name.clone()),
                "{} is held twice",
                node.name
            );
        }
    }
    assert_eq!(
        taken.len(),
        300,
        "whatever was asked for is held by somebody"
    );
}

pub async fn an_owner_gives_back_what_it_held(store: Store) {
    enrol(&store, &["a", "b", "c", "d", "e"]).await;
    for (held, owner) in [
        ("a", "host1/1"),
        ("b", "host1/1"),
        ("c", "host1/10"),
        ("d", "host1"),
        ("e", "host2/1"),
    ] {
        let reserved = store
            .reserve(&names(&[held]), owner, held, LONG)
            .await
            .unwrap();
        let conductor = reserved.nodes[0].observed.conductor.as_deref();
        assert_eq!(conductor, owner.split('/').next());
    }
    assert_eq!(store.release_owner("host1/1").await.unwrap(), 2);
    assert_eq!(store.release_owner("host1/1").await.unwrap(), 0);
    let held = store.all_nodes().await.unwrap();
    let held: Vec<_> = held
        .iter()
        .filter(|node| node.observed.reservation.is_some())
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(held, ["c", "d", "e"]);
}

pub async fn the_same_work_is_taken_over(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let all = enrol(&store, &["a", "b"]).await;
    let dead = store
        .reserve(&all, "host1", "job 1, batch 0", LONG)
        .await
        .unwrap();
    assert_eq!(dead.begun, []);
    let deploying = Provision {
        osimage: Some("img".into()),
        ..to_state(&all[0], State::Deploying)
    };
    store
        .provision(dead.fence, std::slice::from_ref(&deploying))
        .await
        .unwrap();

    let other = store
        .reserve(&all, "host2", "job 2, batch 0", LONG)
        .await
        .unwrap();
    assert_eq!((other.nodes.len(), other.locked), (0, all.clone()));
    let alive = store
        .reserve(&all, "host2", "job 1, batch 0", LONG)
        .await
        .unwrap();
    assert_eq!((alive.nodes.len(), alive.locked.len()), (0, 0));
    assert_eq!(alive.awaited, all, "its time is not over");
    store.extend(dead.fence, Duration::ZERO).await.unwrap();
    let heir = store
        .reserve(&all, "host2", "job 1, batch 0", LONG)
        .await
        .unwrap();
    assert_eq!(texts(&heir.nodes), ["a", "b"]);
    assert_eq!(
        heir.begun,
        names(&["a"]),
        "what the dead one wrote is known"
    );
    assert_eq!(store.held(dead.fence).await.unwrap(), []);
    let before = store.revision().await.unwrap();
    let late = store.provision(dead.fence, &[deploying]).await.unwrap();
    assert_eq!(late, before, "the dead one writes nothing any more");

    let itself = store
        .reserve(&all, "host2", "job 1, batch 0", LONG)
        .await
        .unwrap();
    assert_eq!(texts(&itself.nodes), ["a", "b"], "what it holds itself");
    assert_eq!(store.held(heir.fence).await.unwrap(), []);

    // Another job's deploy of the same node is not this work.
    store.release(itself.fence).await.unwrap();
    let later = store
        .reserve(&all, "host2", "job 3, batch 0", LONG)
        .await
        .unwrap();
    assert_eq!((later.nodes.len(), later.begun.len()), (2, 0));
}

pub async fn who_got_its_outcome_meanwhile_is_passed_over(store: Store) {
    let all = enrol(&store, &["a", "b", "c"]).await;
    let job = store
        .create_job(&NewJob::new(&Operation::Undo, &all, 10))
        .await
        .unwrap()
        .id;
    let read = store.begin_batch(job, 0).await.unwrap().unwrap().names;
    let first = store
        .reserve_batch(job, &read, "host1", "batch 0", LONG)
        .await
        .unwrap();
    assert_eq!(texts(&first.nodes), ["a", "b", "c"]);
    let done = [(all[1].clone(), Outcome::OK)];
    store.settle(job, Some(first.fence), &done).await.unwrap();
    store.release(first.fence).await.unwrap();
    let second = store
        .reserve_batch(job, &read, "host2", "batch 0", LONG)
        .await
        .unwrap();
    assert_eq!(texts(&second.nodes), ["a", "c"]);
    assert_eq!(store.held(second.fence).await.unwrap(), names(&["a", "c"]));
    assert_eq!((second.locked.len(), second.awaited.len()), (0, 0));
}
