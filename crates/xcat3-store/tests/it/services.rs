//! Services that report for duty.

use uuid::Uuid;
use xcat3_core::{Service, ServiceKind};
use xcat3_store::{ServiceReport, Store};

fn report(hostname: &str, kind: ServiceKind) -> ServiceReport {
    let hostname = hostname.to_owned();
    ServiceReport {
        hostname,
        kind,
        workers: 4,
        instance: Uuid::new_v4(),
        served: None,
        note: None,
    }
}

pub async fn services_are_listed(store: Store) {
    let conductor = report("host1", ServiceKind::Conductor);
    let network = report("host1", ServiceKind::Network);
    store.heartbeat(&network).await.unwrap();
    store.heartbeat(&conductor).await.unwrap();
    store
        .heartbeat(&ServiceReport {
            workers: 5,
            ..conductor.clone()
        })
        .await
        .unwrap();
    let seen = |kind, online, workers| Service {
        hostname: "host1".into(),
        kind,
        online,
        workers,
    };
    let (working, serving) = (
        seen(ServiceKind::Conductor, true, 5),
        seen(ServiceKind::Network, true, 4),
    );
    assert_eq!(store.services().await.unwrap(), [working, serving.clone()]);

    // An earlier run of it that ends late says nothing of the one that runs.
    store
        .retire_service("host1", ServiceKind::Conductor, Uuid::new_v4())
        .await
        .unwrap();
    assert!(store.services().await.unwrap()[0].online);
    store
        .retire_service("host1", ServiceKind::Conductor, conductor.instance)
        .await
        .unwrap();
    let gone = seen(ServiceKind::Conductor, false, 5);
    assert_eq!(store.services().await.unwrap(), [gone, serving]);
}

pub async fn a_network_service_lags_until_it_serves(store: Store) {
    let first = report("host1", ServiceKind::Network);
    let second = ServiceReport {
        served: Some(7),
        ..report("host2", ServiceKind::Network)
    };
    store.heartbeat(&first).await.unwrap();
    store.heartbeat(&second).await.unwrap();
    store
        .heartbeat(&report("host3", ServiceKind::Conductor))
        .await
        .unwrap();
    assert_eq!(store.lagging_networks(7).await.unwrap(), ["host1"]);
    assert_eq!(store.lagging_networks(8).await.unwrap(), ["host1", "host2"]);

    let report_served = |host: &'static str, revision, note| {
        let store = store.clone();
        async move {
            let kind = ServiceKind::Network;
            store
                .report_served(host, kind, revision, note)
                .await
                .unwrap();
        }
    };
    report_served("host1", 8, Some("port 67: permission denied")).await;
    report_served("host2", 8, None).await;
    report_served("host2", 6, None).await;
    assert_eq!(store.lagging_networks(8).await.unwrap(), [""; 0]);
    assert_eq!(
        store.lagging_networks(9).await.unwrap(),
        ["host1 (port 67: permission denied)", "host2"]
    );

    // A heartbeat without a revision keeps what was said; a new run forgets it.
    store
        .heartbeat(&ServiceReport {
            served: None,
            ..second.clone()
        })
        .await
        .unwrap();
    assert_eq!(store.lagging_networks(8).await.unwrap(), [""; 0]);
    store
        .heartbeat(&report("host2", ServiceKind::Network))
        .await
        .unwrap();
    assert_eq!(store.lagging_networks(8).await.unwrap(), ["host2"]);
    // Who is offline keeps nobody waiting.
    store
        .retire_service("host1", ServiceKind::Network, first.instance)
        .await
        .unwrap();
    assert_eq!(store.lagging_networks(99).await.unwrap(), ["host2"]);
}
