//! Where nodes stand, written by conductors, and how far they came.

use std::time::Duration;

use xcat3_core::State;
use xcat3_core::boot::{Phase, Progress};
use xcat3_store::{Provision, Store, StoreError};

use crate::fixture::{LONG, enrol, image, names, put, to_state};

pub async fn a_deploy_is_written_with_its_way(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let all = enrol(&store, &["a", "b"]).await;
    let fence = store
        .reserve(&all, "host1", "deploy", LONG)
        .await
        .unwrap()
        .fence;
    let before = store.revision().await.unwrap();
    let deploy = Provision {
        osimage: Some("img".into()),
        deploy_token: Some("very-secret".into()),
        ..to_state(&all[0], State::Deploying)
    };
    assert!(!format!("{deploy:?}").contains("very-secret"));
    let revision = store
        .provision(fence, std::slice::from_ref(&deploy))
        .await
        .unwrap();
    assert_eq!(revision, before + 1);
    assert_eq!(store.revision().await.unwrap(), revision);
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(node.deployment.state, State::Deploying);
    assert_eq!(node.deployment.osimage.as_deref(), Some("img"));
    assert_eq!(node.deployment.token.as_deref(), Some("very-secret"));
    let progress = node.deployment.progress.unwrap();
    assert_eq!(
        (progress.phase, progress.since_ms),
        (Phase::Waiting, progress.seen_ms)
    );
    assert!(progress.since_ms > 1_700_000_000_000, "now");

    let failed = Provision {
        failure: Some("it fell silent".into()),
        ..to_state(&all[0], State::Failed)
    };
    store.provision(fence, &[failed]).await.unwrap();
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(node.deployment.failure.as_deref(), Some("it fell silent"));
    assert_eq!(node.deployment.token, None);
    assert_eq!(
        node.deployment.osimage.as_deref(),
        Some("img"),
        "kept where none is given"
    );
    assert!(
        node.deployment.progress.is_some(),
        "how far it came is kept"
    );

    store.provision(fence, &[deploy]).await.unwrap();
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(
        (node.deployment.failure, node.deployment.state),
        (None, State::Deploying)
    );
    assert!(node.deployment.progress.unwrap().since_ms >= progress.since_ms);
    store
        .provision(fence, &[to_state(&all[0], State::Deployed)])
        .await
        .unwrap();
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(node.deployment.state, State::Deployed);
    let phase = node.deployment.progress.map(|progress| progress.phase);
    assert_eq!(phase, Some(Phase::Callback));
    store
        .provision(fence, &[to_state(&all[0], State::None)])
        .await
        .unwrap();
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(
        (node.deployment.state, node.deployment.progress),
        (State::None, None)
    );
    assert_eq!(
        store.nodes(&all).await.unwrap()[1].deployment.state,
        State::None,
        "b was not named"
    );
}

pub async fn only_the_holder_writes(store: Store) {
    let all = enrol(&store, &["a", "b"]).await;
    let first = store
        .reserve(&all, "host1", "one", LONG)
        .await
        .unwrap()
        .fence;
    let changes: Vec<_> = all.iter().map(|name| to_state(name, State::Dhcp)).collect();
    let before = store.revision().await.unwrap();
    assert_eq!(
        store.provision(first + 100, &changes).await.unwrap(),
        before
    );
    assert_eq!(
        store.nodes(&all).await.unwrap()[0].deployment.state,
        State::None
    );
    let nobody = to_state(&"nobody".parse().unwrap(), State::Dhcp);
    assert_eq!(store.provision(first, &[nobody]).await.unwrap(), before);
    assert_eq!(store.provision(first, &[]).await.unwrap(), before);
    store.release(first).await.unwrap();
    assert_eq!(store.provision(first, &changes).await.unwrap(), before);
    let second = store
        .reserve(&names(&["b"]), "host2", "two", LONG)
        .await
        .unwrap()
        .fence;
    assert_eq!(store.provision(second, &changes).await.unwrap(), before + 1);
    let states: Vec<_> = store
        .nodes(&all)
        .await
        .unwrap()
        .iter()
        .map(|node| node.deployment.state)
        .collect();
    assert_eq!(states, [State::None, State::Dhcp]);
}

pub async fn an_image_that_is_gone_is_not_deployed(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let all = enrol(&store, &["a", "b"]).await;
    let fence = store
        .reserve(&all, "host1", "deploy", LONG)
        .await
        .unwrap()
        .fence;
    let deploy = |place: usize, image: &str| Provision {
        osimage: Some(image.into()),
        ..to_state(&all[place], State::Deploying)
    };
    let error = store
        .provision(fence, &[deploy(0, "img"), deploy(1, "gone")])
        .await
        .unwrap_err();
    assert!(matches!(&error, StoreError::NotFound(why) if why.contains("osimage gone")));
    let states: Vec<_> = store
        .nodes(&all)
        .await
        .unwrap()
        .iter()
        .map(|node| node.deployment.state)
        .collect();
    assert_eq!(states, [State::None; 2], "nothing was written");
}

pub async fn progress_only_goes_on(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let all = enrol(&store, &["a", "b"]).await;
    put(&store, &all[..1], State::Deploying, Some("img")).await;
    let start = store.nodes(&all).await.unwrap()[0]
        .deployment
        .progress
        .clone()
        .unwrap()
        .seen_ms;
    let seen = |phase, after| Progress {
        phase,
        detail: format!("{phase}"),
        since_ms: start + after,
        seen_ms: start + after,
    };
    let revision = store.revision().await.unwrap();
    let news = [
        (all[0].clone(), seen(Phase::Loader, 20)),
        (all[0].clone(), seen(Phase::Dhcp, 10)),
        (all[1].clone(), seen(Phase::Dhcp, 10)),
        ("nobody".parse().unwrap(), seen(Phase::Dhcp, 10)),
    ];
    store.record_progress(&news).await.unwrap();
    let nodes = store.nodes(&all).await.unwrap();
    assert_eq!(
        nodes[0].deployment.progress,
        Some(seen(Phase::Loader, 20)),
        "the latest of a request"
    );
    assert_eq!(nodes[1].deployment.progress, None, "it is not deploying");
    store
        .record_progress(&[(all[0].clone(), seen(Phase::Dhcp, 15))])
        .await
        .unwrap();
    let node = store.nodes(&all).await.unwrap().remove(0);
    assert_eq!(
        node.deployment.progress,
        Some(seen(Phase::Loader, 20)),
        "what is older comes too late"
    );
    assert_eq!(
        store.revision().await.unwrap(),
        revision,
        "the feed does not tell of it"
    );
}

pub async fn deploys_that_take_too_long_are_found(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let all = enrol(&store, &["fresh", "lost", "silent", "deployed"]).await;
    put(&store, &all[..3], State::Deploying, Some("img")).await;
    let now = store.nodes(&all).await.unwrap()[0]
        .deployment
        .progress
        .clone()
        .unwrap()
        .seen_ms;
    let seen = |phase| Progress {
        phase,
        detail: String::new(),
        since_ms: now,
        seen_ms: now + 1,
    };
    store
        .record_progress(&[(all[2].clone(), seen(Phase::Packages))])
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let short = Duration::from_millis(30);
    let fresh = Progress {
        seen_ms: now + 600_000,
        ..seen(Phase::Packages)
    };
    store
        .record_progress(&[(all[0].clone(), fresh)])
        .await
        .unwrap();
    let overdue = |limits: Vec<(Phase, Duration)>, whole| {
        let store = store.clone();
        async move {
            let found = store.overdue_deploys(&limits, whole).await.unwrap();
            found
                .iter()
                .map(|node| node.name.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        }
    };
    assert_eq!(
        overdue(vec![(Phase::Packages, short), (Phase::Dhcp, short)], LONG).await,
        "silent"
    );
    let both = vec![(Phase::Packages, short), (Phase::Waiting, short)];
    assert_eq!(overdue(both, LONG).await, "lost silent");
    assert_eq!(overdue(vec![], LONG).await, "");
    assert_eq!(overdue(vec![], short).await, "fresh lost silent");
}
