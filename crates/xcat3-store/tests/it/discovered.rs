//! Machines that boot without being known.

use std::net::Ipv4Addr;

use uuid::Uuid;
use xcat3_core::{DiscoveredMachine, MacAddr};
use xcat3_store::Store;

use crate::fixture::{mac, name, node};

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

fn machine(number: u32, at_ms: i64) -> DiscoveredMachine {
    DiscoveredMachine {
        mac: mac(number),
        network: "c920".to_owned(),
        ip: Some(Ipv4Addr::from(number)),
        vendor_class: Some("PXEClient:Arch:00007".to_owned()),
        architecture: Some(7),
        uuid: Some(Uuid::from_u128(number.into())),
        first_ms: at_ms,
        last_ms: at_ms,
    }
}

async fn macs(store: &Store) -> Vec<MacAddr> {
    let discovered_machines = store.discovered_machines().await.unwrap();
    discovered_machines
        .into_iter()
        .map(|machine| machine.mac)
        .collect()
}

pub async fn who_is_seen_again_stays_one_machine(store: Store) {
    let now = now_ms();
    let (first, second) = (machine(2, now), machine(1, now + 5));
    store
        .record_discovered(&[second.clone(), first.clone()])
        .await
        .unwrap();
    assert_eq!(
        store.discovered_machines().await.unwrap(),
        [first.clone(), second.clone()]
    );
    let again = DiscoveredMachine {
        network: "other".to_owned(),
        ip: None,
        vendor_class: None,
        architecture: None,
        uuid: None,
        ..machine(2, now + 9)
    };
    store.record_discovered(&[again]).await.unwrap();
    // What is told late changes nothing of when it was seen.
    store.record_discovered(&[machine(1, now)]).await.unwrap();
    let merged = DiscoveredMachine {
        network: "other".to_owned(),
        last_ms: now + 9,
        ..first
    };
    assert_eq!(store.discovered_machines().await.unwrap(), [merged, second]);
}

pub async fn discovered_machine_enrolled_or_forgotten_is_not_listed(store: Store) {
    let now = now_ms();
    let all: Vec<DiscoveredMachine> = (1..=4).map(|number| machine(number, now)).collect();
    store.record_discovered(&all).await.unwrap();
    store.create_nodes(&[node("node1", &[2])]).await.unwrap();
    assert_eq!(macs(&store).await, [mac(1), mac(3), mac(4)]);
    // It asks on, and stays a node; when it is none any more, it is a machine again.
    store.record_discovered(&all[1..2]).await.unwrap();
    store.delete_nodes(&[name("node1")]).await.unwrap();
    assert_eq!(macs(&store).await, [mac(1), mac(3), mac(4)]);
    store.record_discovered(&all[1..2]).await.unwrap();
    assert_eq!(macs(&store).await, [mac(1), mac(2), mac(3), mac(4)]);
    assert_eq!(
        store
            .forget_discovered(Some(&[mac(1), mac(3), mac(9)]))
            .await
            .unwrap(),
        2
    );
    assert_eq!(macs(&store).await, [mac(2), mac(4)]);
    assert_eq!(store.forget_discovered(None).await.unwrap(), 2);
    assert!(macs(&store).await.is_empty());
}

pub async fn discovered_machines_are_bounded_in_number_and_time(store: Store) {
    let now = now_ms();
    let long_ago = now - 31 * 24 * 3_600 * 1_000;
    store
        .record_discovered(&[machine(1, long_ago)])
        .await
        .unwrap();
    assert!(macs(&store).await.is_empty());
    let all: Vec<DiscoveredMachine> = (1..=12_000)
        .map(|n| machine(n, now + i64::from(n)))
        .collect();
    for part in all.chunks(4_000) {
        store.record_discovered(part).await.unwrap();
    }
    let kept = macs(&store).await;
    assert_eq!(kept.len(), 10_000);
    assert_eq!((kept[0], kept[9_999]), (mac(2_001), mac(12_000)));
}
