//! Networks.

use xcat3_core::network::{parse_addresses, parse_ranges};
use xcat3_store::{Store, StoreError};

use crate::fixture::network;

pub async fn a_network_comes_changes_and_goes(store: Store) {
    let mut declared = network("mgmt", "10.0.0.0/16");
    declared.gateway = Some("10.0.0.1".parse().unwrap());
    declared.nameservers = parse_addresses("nameservers", "10.0.0.2,10.0.0.3").unwrap();
    declared.ntpservers = parse_addresses("ntpservers", "10.0.0.4").unwrap();
    declared.domain = Some("lab.example".into());
    declared.dynamic_range = parse_ranges("10.0.1.1-10.0.1.9,10.0.2.1-10.0.2.9").unwrap();
    declared.dhcpserver = Some("10.0.0.5".parse().unwrap());
    declared.extra.insert("vlan".into(), 7.into());
    store.create_network(&declared).await.unwrap();
    assert_eq!(store.network("mgmt").await.unwrap(), Some(declared.clone()));
    let other = network("other", "10.1.0.0/16");
    store.create_network(&other).await.unwrap();
    assert_eq!(
        store.networks().await.unwrap(),
        [declared.clone(), other.clone()]
    );

    let again = store.create_network(&declared).await.unwrap_err();
    assert!(matches!(&again, StoreError::Conflict(_)), "{again}");
    assert_eq!(again.to_string(), "network mgmt exists already");

    let changed = store
        .update_network("mgmt", &mut |network| {
            network.domain = None;
            network.dynamic_range.clear();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(store.network("mgmt").await.unwrap(), Some(changed.clone()));
    assert_eq!((changed.domain, changed.dynamic_range.len()), (None, 0));

    store.delete_network("mgmt").await.unwrap();
    assert_eq!(store.networks().await.unwrap(), [other]);
    for error in [
        store.delete_network("mgmt").await.unwrap_err(),
        store
            .update_network("mgmt", &mut |_| Ok(()))
            .await
            .unwrap_err(),
    ] {
        assert!(
            matches!(&error, StoreError::NotFound(why) if why == "network mgmt does not exist")
        );
    }
    store.create_network(&declared).await.unwrap();
}

pub async fn overlaps_name_the_other(store: Store) {
    store
        .create_network(&network("small", "10.1.2.0/24"))
        .await
        .unwrap();
    store
        .create_network(&network("far", "192.168.0.0/24"))
        .await
        .unwrap();
    for (name, subnet) in [("wide", "10.0.0.0/8"), ("inside", "10.1.2.128/25")] {
        let error = store
            .create_network(&network(name, subnet))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Conflict(_)));
        let sentence = error.to_string();
        assert!(sentence.contains(name) && sentence.contains("network small (10.1.2.0/24)"));
    }
    let mut grow = |network: &mut xcat3_core::Network| {
        network.subnet = "10.0.0.0/8".parse().unwrap();
        Ok(())
    };
    let error = store.update_network("far", &mut grow).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict(why) if why.contains("small")));
    // It does not overlap itself.
    store.update_network("small", &mut grow).await.unwrap();
    assert_eq!(store.networks().await.unwrap().len(), 2);
}

pub async fn parts_have_to_fit(store: Store) {
    let mut odd = network("odd", "10.0.0.0/24");
    odd.dynamic_range = parse_ranges("10.0.0.9-10.0.1.9").unwrap();
    let error = store.create_network(&odd).await.unwrap_err();
    assert!(matches!(&error, StoreError::Invalid(why) if why.contains("10.0.0.9-10.0.1.9")));
    store
        .create_network(&network("net", "10.0.0.0/24"))
        .await
        .unwrap();
    let mut change = |network: &mut xcat3_core::Network| {
        network.gateway = Some("10.9.9.9".parse().unwrap());
        Ok(())
    };
    let error = store.update_network("net", &mut change).await.unwrap_err();
    assert!(matches!(&error, StoreError::Invalid(why) if why.contains("10.9.9.9")));
    assert_eq!(store.network("net").await.unwrap().unwrap().gateway, None);
    let mut rename = |network: &mut xcat3_core::Network| {
        network.name = "new".into();
        Ok(())
    };
    assert!(matches!(
        store.update_network("net", &mut rename).await,
        Err(StoreError::Invalid(_))
    ));
}
