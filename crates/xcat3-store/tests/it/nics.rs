//! Single nics.

use uuid::Uuid;
use xcat3_core::Nic;
use xcat3_store::{Store, StoreError};

use crate::fixture::{LONG, enrol, mac, name, nic, node};

fn of(owner: &str, number: u32) -> Nic {
    Nic {
        node: Some(name(owner)),
        ..nic(number)
    }
}

pub async fn a_nic_comes_changes_and_goes(store: Store) {
    store.create_nodes(&[node("a", &[1])]).await.unwrap();
    let made = store.create_nic(&of("a", 2)).await.unwrap();
    assert!(!made.uuid.is_nil());
    assert_eq!(store.nic(made.uuid).await.unwrap().as_ref(), Some(&made));
    assert_eq!(
        store.nic_by_mac(mac(2)).await.unwrap().as_ref(),
        Some(&made)
    );
    let macs: Vec<_> = store
        .nics()
        .await
        .unwrap()
        .iter()
        .map(|nic| nic.mac)
        .collect();
    assert_eq!(macs, [mac(1), mac(2)]);
    let of_node = store.nics_of_node(&name("a")).await.unwrap();
    assert_eq!(of_node[1], made, "after those declared before");

    let before = store.revision().await.unwrap();
    let mut change = |nic: &mut Nic| {
        nic.mac = mac(9);
        nic.ip = None;
        nic.primary = false;
        Ok(())
    };
    let changed = store.update_nic(made.uuid, &mut change).await.unwrap();
    assert_eq!(
        (changed.uuid, changed.mac, changed.ip),
        (made.uuid, mac(9), None)
    );
    assert_eq!(store.nic(made.uuid).await.unwrap(), Some(changed));
    assert_eq!(store.nic_by_mac(mac(2)).await.unwrap(), None);
    let told = store.changes_since(before).await.unwrap();
    assert_eq!(told.nodes[0].nics[1].mac, mac(9), "its node has changed");

    store.delete_nic(made.uuid).await.unwrap();
    assert_eq!(store.nic(made.uuid).await.unwrap(), None);
    let told = store.changes_since(told.revision).await.unwrap();
    assert_eq!(told.nodes[0].nics.len(), 1);
}

pub async fn a_nic_moves_to_another_node(store: Store) {
    store
        .create_nodes(&[node("a", &[1]), node("b", &[2])])
        .await
        .unwrap();
    let moving = store.nic_by_mac(mac(1)).await.unwrap().unwrap();
    let before = store.revision().await.unwrap();
    let mut change = |nic: &mut Nic| {
        nic.node = Some(name("b"));
        Ok(())
    };
    store.update_nic(moving.uuid, &mut change).await.unwrap();
    let told = store.changes_since(before).await.unwrap();
    let nics: Vec<usize> = told.nodes.iter().map(|node| node.nics.len()).collect();
    assert_eq!(nics, [0, 2], "both nodes have changed");
    assert_eq!(told.nodes[1].nics[1].uuid, moving.uuid);
}

pub async fn what_is_wrong_is_named(store: Store) {
    store
        .create_nodes(&[node("a", &[1]), node("b", &[2])])
        .await
        .unwrap();
    let taken = store.create_nic(&of("b", 1)).await.unwrap_err();
    assert!(matches!(taken, StoreError::Conflict(_)));
    assert_eq!(
        taken.to_string(),
        format!("nic {} belongs to node a already", mac(1))
    );
    let homeless = store.create_nic(&of("nobody", 5)).await.unwrap_err();
    assert!(matches!(homeless, StoreError::NotFound(_)));
    assert!(homeless.to_string().contains("node nobody"));
    let unknown = Uuid::new_v4();
    let missing = store
        .update_nic(unknown, &mut |_| Ok(()))
        .await
        .unwrap_err();
    assert!(matches!(&missing, StoreError::NotFound(text) if text.contains(&unknown.to_string())));
    assert!(matches!(
        store.delete_nic(unknown).await,
        Err(StoreError::NotFound(_))
    ));
    assert!(store.nics_of_node(&name("nobody")).await.is_err());

    let own = store.nic_by_mac(mac(2)).await.unwrap().unwrap();
    let mut steal = |nic: &mut Nic| {
        nic.mac = mac(1);
        Ok(())
    };
    assert!(matches!(
        store.update_nic(own.uuid, &mut steal).await,
        Err(StoreError::Conflict(_))
    ));
    let refused = store
        .update_nic(own.uuid, &mut |_| Err("not today".into()))
        .await
        .unwrap_err();
    assert!(matches!(&refused, StoreError::Invalid(why) if why == "not today"));

    let all = enrol(&store, &["c"]).await;
    store
        .reserve(&all, "host1", "power on", LONG)
        .await
        .unwrap();
    let locked = store.create_nic(&of("c", 8)).await.unwrap_err();
    assert_eq!(locked.to_string(), "node c: Locked temporarily");
}
