//! OS images, passwords and leases.

use std::net::Ipv4Addr;

use xcat3_core::osimage::{BootFile, ImageContent};
use xcat3_core::{Passwd, State};
use xcat3_store::{Lease, Store, StoreError};

use crate::fixture::{enrol, image, mac, network, put};

pub async fn an_image_comes_changes_and_goes(store: Store) {
    let mut imported = image("debian12-x86_64");
    imported.orig_name = Some("debian-12.iso".into());
    imported.content = Some(ImageContent {
        iso: "debian12-x86_64.iso".into(),
        iso_size: 5_000_000_000,
        iso_sha256: "ab".repeat(32),
        codename: Some("bookworm".into()),
        kernel: Some(BootFile::Kept("debian12-x86_64.linux".into())),
        initrd: Some(BootFile::Iso("install/initrd.gz".into())),
    });
    let id = store.create_osimage(&imported).await.unwrap();
    store.create_osimage(&image("alma9-x86_64")).await.unwrap();
    assert_eq!(
        store.osimage("debian12-x86_64").await.unwrap(),
        Some(imported.clone())
    );
    assert_eq!(
        store.osimage_by_id(id).await.unwrap(),
        Some(imported.clone())
    );
    assert_eq!(store.osimage_by_id(id + 1_000).await.unwrap(), None);
    let listed = store.osimages().await.unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|image| image.name.as_str())
            .collect::<Vec<_>>(),
        ["alma9-x86_64", "debian12-x86_64"]
    );
    let again = store.create_osimage(&imported).await.unwrap_err();
    assert_eq!(again.to_string(), "osimage debian12-x86_64 exists already");
    assert!(matches!(again, StoreError::Conflict(_)));

    let mut change = |image: &mut xcat3_core::OsImage| {
        image.profile = Some("compute".into());
        Ok(())
    };
    store
        .update_osimage("debian12-x86_64", &mut change)
        .await
        .unwrap();
    let changed = store.osimage_by_id(id).await.unwrap().unwrap();
    assert_eq!(changed.profile.as_deref(), Some("compute"));
    assert_eq!(changed.content, imported.content);
    store.delete_osimage("debian12-x86_64").await.unwrap();
    assert_eq!(store.osimage("debian12-x86_64").await.unwrap(), None);
    assert!(matches!(
        store.delete_osimage("nothing").await,
        Err(StoreError::NotFound(_))
    ));
    assert!(matches!(
        store.update_osimage("nothing", &mut change).await,
        Err(StoreError::NotFound(_))
    ));
}

pub async fn an_image_in_use_stays_and_names_its_users(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let texts: Vec<String> = (1..=13).map(|number| format!("node{number}")).collect();
    let names = enrol(
        &store,
        &texts.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    put(&store, &names[..4], State::Deploying, Some("img")).await;
    put(&store, &names[4..8], State::Deployed, Some("img")).await;
    put(&store, &names[8..12], State::Failed, Some("img")).await;
    put(&store, &names[12..], State::None, Some("img")).await;
    let error = store.delete_osimage("img").await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict(_)));
    let sentence = error.to_string();
    let expected = "in use by node1, node2, node3, node4, node5, node6, node7, node8, node9, \
                    node10 and 2 more:";
    assert!(sentence.contains(expected), "{sentence}");
    put(&store, &names, State::None, None).await;
    store.delete_osimage("img").await.unwrap();
    let kept = store.nodes(&names[..1]).await.unwrap();
    assert_eq!(
        kept[0].deployment.osimage.as_deref(),
        Some("img"),
        "an undone node keeps its last image's name"
    );
}

pub async fn a_passwd_comes_changes_and_goes(store: Store) {
    let system = Passwd {
        key: "system".into(),
        username: Some("root".into()),
        password: Some("s3cret-word".into()),
        crypt_method: None,
    };
    store.create_passwd(&system).await.unwrap();
    let again = store.create_passwd(&system).await.unwrap_err();
    assert_eq!(again.to_string(), "passwd system exists already");
    assert_eq!(store.passwd("system").await.unwrap(), Some(system.clone()));
    assert_eq!(store.passwd("other").await.unwrap(), None);
    let mut change = |passwd: &mut Passwd| {
        passwd.crypt_method = Some("sha512".into());
        Ok(())
    };
    store.update_passwd("system", &mut change).await.unwrap();
    let changed = Passwd {
        crypt_method: Some("sha512".into()),
        ..system
    };
    assert_eq!(store.passwds().await.unwrap(), [changed]);
    store.delete_passwd("system").await.unwrap();
    assert_eq!(store.passwds().await.unwrap(), []);
    assert!(matches!(
        store.delete_passwd("system").await,
        Err(StoreError::NotFound(_))
    ));
}

pub async fn leases_are_kept_by_address_and_machine(store: Store) {
    let later = 9_000_000_000_000;
    let lease = |number: u32, host: u8, expires_ms| Lease {
        mac: mac(number),
        ip: Ipv4Addr::new(10, 0, 0, host),
        network: "net".into(),
        expires_ms,
        hostname: Some("guest".into()),
        client_id: Some(vec![0, 255, 16]),
    };
    store
        .save_leases(&[lease(1, 1, later), lease(2, 2, later + 1)])
        .await
        .unwrap();
    assert_eq!(
        store.leases().await.unwrap(),
        [lease(1, 1, later), lease(2, 2, later + 1)]
    );
    // Machine 2 gets another address, and 3 the one that 1 had, in one request told twice.
    let news = [
        lease(2, 3, later),
        lease(3, 1, later),
        lease(2, 4, later + 2),
    ];
    store.save_leases(&news).await.unwrap();
    assert_eq!(
        store.leases().await.unwrap(),
        [lease(3, 1, later), lease(2, 4, later + 2)]
    );
    // What expired more than 30 days ago is forgotten.
    store.save_leases(&[lease(5, 5, 1_000)]).await.unwrap();
    assert_eq!(store.leases().await.unwrap().len(), 2);
    // A network takes its leases with it.
    store
        .create_network(&network("net", "10.0.0.0/24"))
        .await
        .unwrap();
    store.delete_network("net").await.unwrap();
    assert_eq!(store.leases().await.unwrap(), []);
}
