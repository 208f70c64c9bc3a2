//! Services that report for duty.

use uuid::Uuid;
use xcat3_core::{Service, ServiceKind};
use xcat3_store::{ServiceReport, Store};

fn report(hostname: &str, kind: ServiceKind, worker: u32) -> ServiceReport {
    let hostname = hostname.to_owned();
    ServiceReport {
        hostname,
        kind,
        worker,
        workers: 4,
        instance: Uuid::new_v4(),
        served: None,
        note: None,
    }
}

fn service(hostname: &str, kind: ServiceKind, online: bool, workers: u32) -> Service {
    let hostname = hostname.to_owned();
    Service {
        hostname,
        kind,
        online,
        workers,
    }
}

async fn retire(store: &Store, report: &ServiceReport) {
    let (hostname, kind) = (&report.hostname, report.kind);
    let retiring = store.retire_service(hostname, kind, report.instance);
    retiring.await.unwrap();
}

pub async fn services_are_listed(store: Store) {
    let conductor = report("host1", ServiceKind::Conductor, 0);
    let network = report("host1", ServiceKind::Network, 0);
    for report in [&network, &conductor, &conductor] {
        store.heartbeat(report).await.unwrap();
    }
    let working = service("host1", ServiceKind::Conductor, true, 1);
    let serving = service("host1", ServiceKind::Network, true, 1);
    assert_eq!(
        store.services().await.unwrap(),
        [working.clone(), serving.clone()]
    );

    // An earlier run of it that ends late says nothing of the one that runs.
    retire(&store, &report("host1", ServiceKind::Conductor, 0)).await;
    assert_eq!(store.services().await.unwrap(), [working, serving.clone()]);
    retire(&store, &conductor).await;
    let gone = service("host1", ServiceKind::Conductor, false, 4);
    assert_eq!(store.services().await.unwrap(), [gone, serving]);
}

pub async fn a_service_is_as_many_as_its_workers_online(store: Store) {
    let mut workers = Vec::new();
    for worker in 0..4 {
        workers.push(report("host1", ServiceKind::Conductor, worker));
        store.heartbeat(&workers[0]).await.unwrap();
        store.heartbeat(workers.last().unwrap()).await.unwrap();
    }
    store
        .heartbeat(&report("host2", ServiceKind::Conductor, 1))
        .await
        .unwrap();
    let listed = |online, workers| {
        let first = service("host1", ServiceKind::Conductor, online, workers);
        let other = service("host2", ServiceKind::Conductor, true, 1);
        vec![first, other]
    };
    assert_eq!(store.services().await.unwrap(), listed(true, 4));
    retire(&store, &workers[0]).await;
    assert_eq!(store.services().await.unwrap(), listed(true, 3));
    for worker in &workers[1..] {
        retire(&store, worker).await;
    }
    assert_eq!(store.services().await.unwrap(), listed(false, 4));
}

pub async fn a_network_service_lags_until_it_serves(store: Store) {
    let network = |host| report(host, ServiceKind::Network, 0);
    let mut first = network("host1");
    let mut second = network("host2");
    second.served = Some(7);
    store.heartbeat(&first).await.unwrap();
    store.heartbeat(&second).await.unwrap();
    store
        .heartbeat(&report("host3", ServiceKind::Conductor, 0))
        .await
        .unwrap();
    assert_eq!(store.lagging_networks(7).await.unwrap(), ["host1"]);
    assert_eq!(store.lagging_networks(8).await.unwrap(), ["host1", "host2"]);

    first.served = Some(8);
    first.note = Some("port 67: permission denied".into());
    store.heartbeat(&first).await.unwrap();
    for served in [Some(8), Some(6), None] {
        // What was served once stays served; a heartbeat without a revision keeps what was said.
        second.served = served;
        store.heartbeat(&second).await.unwrap();
        assert_eq!(store.lagging_networks(8).await.unwrap(), [""; 0]);
    }
    assert_eq!(
        store.lagging_networks(9).await.unwrap(),
        ["host1 (port 67: permission denied)", "host2"]
    );

    // A new run forgets it.
    store.heartbeat(&network("host2")).await.unwrap();
    assert_eq!(store.lagging_networks(8).await.unwrap(), ["host2"]);
    // Who is offline keeps nobody waiting.
    retire(&store, &first).await;
    assert_eq!(store.lagging_networks(99).await.unwrap(), ["host2"]);
}

pub async fn a_network_service_serves_when_all_its_workers_do(store: Store) {
    let worker = |worker, served, note: Option<&str>| ServiceReport {
        served,
        note: note.map(str::to_owned),
        ..report("host1", ServiceKind::Network, worker)
    };
    let slow = worker(2, None, Some("port 67: in use"));
    for report in [
        &worker(0, Some(7), None),
        &worker(1, Some(8), Some("port 67: in use")),
        &slow,
        &worker(3, Some(6), Some("port 69: in use")),
    ] {
        store.heartbeat(report).await.unwrap();
    }
    assert_eq!(
        store.lagging_networks(8).await.unwrap(),
        ["host1 (port 67: in use; port 69: in use)"],
        "a host is named once, and so is each reason"
    );
    retire(&store, &slow).await;
    assert_eq!(
        store.lagging_networks(7).await.unwrap(),
        ["host1 (port 69: in use)"]
    );
    assert_eq!(store.lagging_networks(6).await.unwrap(), [""; 0]);
    let note = |text: &str| ("host1".to_owned(), text.to_owned());
    let notes = store.network_notes().await.unwrap();
    assert_eq!(notes, [note("port 67: in use"), note("port 69: in use")]);
}
