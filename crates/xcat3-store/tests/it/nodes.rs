//! Nodes: enrolled, read, changed and removed.

use serde_json::json;
use xcat3_core::{State, natural};
use xcat3_store::{NodeSort, SortKey, Store};

use crate::fixture::{LONG, enrol, image, mac, name, names, nic, node, put, words};

pub async fn enrolling_answers_for_each(store: Store) {
    let nodes = [node("a", &[1]), node("b", &[2, 3]), node("a", &[4])];
    let outcomes = store.create_nodes(&nodes).await.unwrap();
    assert_eq!(words(&outcomes), ["ok", "ok", "Error: duplicate name"]);
    assert_eq!(
        outcomes
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b", "a"]
    );
    let again = store
        .create_nodes(&[node("b", &[9]), node("c", &[])])
        .await
        .unwrap();
    assert_eq!(words(&again), ["Error: duplicate name", "ok"]);
    assert_eq!(store.all_nodes().await.unwrap().len(), 3);
    assert_eq!(store.nics().await.unwrap().len(), 3);
}

pub async fn a_name_or_mac_that_is_taken_is_named(store: Store) {
    store.create_nodes(&[node("a", &[1])]).await.unwrap();
    let nodes = [
        node("b", &[2, 1]),
        node("c", &[3]),
        node("d", &[3]),
        node("e", &[5, 5]),
    ];
    let outcomes = store.create_nodes(&nodes).await.unwrap();
    assert_eq!(
        words(&outcomes),
        [
            format!("nic {} belongs to node a already", mac(1)),
            "ok".to_owned(),
            format!("nic {} stands twice in the request: node c has it", mac(3)),
            format!("nic {} stands twice in the request", mac(5)),
        ]
    );
}

pub async fn a_refused_node_claims_nothing(store: Store) {
    store.create_nodes(&[node("a", &[1])]).await.unwrap();
    // b is refused for MAC 1, so 2 and its name are free for the next.
    let nodes = [node("b", &[2, 1]), node("b", &[2])];
    let outcomes = store.create_nodes(&nodes).await.unwrap();
    assert!(!outcomes[0].1.is_done());
    assert_eq!(outcomes[1].1.as_str(), "ok");
    let owner = store.nic_by_mac(mac(2)).await.unwrap().unwrap().node;
    assert_eq!(owner, Some(name("b")));
}

pub async fn a_node_comes_back_as_it_was_declared(store: Store) {
    let mut declared = node("a", &[3, 1, 2]);
    declared.declared.netboot = Some("pxe".into());
    declared.declared.kind = Some("O'Brien's \"rack\" \\ ü\n".into());
    declared
        .declared
        .control_info
        .insert("deep".into(), json!({"b": [1, null], "a": "x"}));
    declared
        .declared
        .console_info
        .insert("speed".into(), json!(115_200));
    declared.nics[0].ip = Some("2001:db8::1".parse().unwrap());
    declared.nics[1].netmask = Some("255.255.0.0".parse().unwrap());
    declared.nics[1].primary = false;
    declared.nics[2].extra.insert("slot".into(), json!(3));
    store
        .create_nodes(std::slice::from_ref(&declared))
        .await
        .unwrap();
    let mut found = store.nodes(&names(&["a"])).await.unwrap().remove(0);
    for nic in &mut found.nics {
        assert!(!nic.uuid.is_nil(), "the store makes uuids");
        assert_eq!(nic.node.take(), Some(name("a")));
        nic.uuid = uuid::Uuid::nil();
    }
    assert_eq!(found, declared);
    assert_eq!(
        serde_json::to_string(&found.declared.control_info).unwrap(),
        serde_json::to_string(&declared.declared.control_info).unwrap(),
        "keys keep their order"
    );
}

pub async fn names_come_in_the_order_asked_for(store: Store) {
    let mut nodes: Vec<_> = ["node10", "node9", "node1", "b"]
        .iter()
        .map(|text| node(text, &[]))
        .collect();
    nodes[0].declared.arch = Some("ppc64le".into());
    nodes[1].declared.arch = None;
    store.create_nodes(&nodes).await.unwrap();
    let listed = |key, descending| {
        let store = store.clone();
        async move {
            let found = store
                .node_names(NodeSort { key, descending })
                .await
                .unwrap();
            found
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        }
    };
    assert_eq!(listed(SortKey::Name, false).await, "b node1 node9 node10");
    assert_eq!(listed(SortKey::Name, true).await, "node10 node9 node1 b");
    assert_eq!(
        listed("arch".parse().unwrap(), false).await,
        "node9 node10 b node1"
    );
    assert!(
        "colour"
            .parse::<SortKey>()
            .unwrap_err()
            .to_string()
            .contains("'colour'")
    );

    let asked = names(&["node9", "nobody", "b", "node9", "node10"]);
    let found = store.nodes(&asked).await.unwrap();
    let found: Vec<&str> = found.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(found, ["node9", "b", "node10"]);
    let all = store.all_nodes().await.unwrap();
    assert!(all.is_sorted_by(|a, b| natural::compare(a.name.as_str(), b.name.as_str()).is_lt()));
}

pub async fn changing_answers_for_each(store: Store) {
    store
        .create_nodes(&[node("a", &[1]), node("b", &[]), node("c", &[])])
        .await
        .unwrap();
    let outcomes = store
        .update_nodes(&names(&["a", "nobody", "b", "c"]), &mut |node| {
            node.declared.mgt = Some("ipmi".into());
            node.declared.control_info.clear();
            node.declared
                .control_info
                .insert("bmc_address".into(), "192.0.2.9".into());
            if node.name.as_str() == "b" {
                Err("b is not to be changed".into())
            } else {
                Ok(())
            }
        })
        .await
        .unwrap();
    let expected = [
        "updated",
        "Could not be found.",
        "b is not to be changed",
        "updated",
    ];
    assert_eq!(words(&outcomes), expected);
    let nodes = store.all_nodes().await.unwrap();
    let mgt: Vec<_> = nodes
        .iter()
        .map(|node| node.declared.mgt.as_deref().unwrap())
        .collect();
    assert_eq!(mgt, ["ipmi", "kvm", "ipmi"]);
    assert_eq!(nodes[0].control("bmc_address"), Some("192.0.2.9"));
    assert_eq!(nodes[0].control("ssh_address"), None);
    assert_eq!(nodes[0].nics.len(), 1, "nics stay");
}

pub async fn only_what_is_declared_can_be_changed(store: Store) {
    let names = enrol(&store, &["a"]).await;
    let before = store.revision().await.unwrap();
    let outcomes = store
        .update_nodes(&names, &mut |node| {
            node.deployment.state = State::Deployed;
            node.deployment.token = Some("t".into());
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(words(&outcomes), ["updated"]);
    assert_eq!(
        store.nodes(&names).await.unwrap()[0].deployment.state,
        State::None
    );
    assert_eq!(store.revision().await.unwrap(), before, "nothing changed");
    let renamed = |node: &mut xcat3_core::Node| {
        node.name = name("z");
        Ok(())
    };
    let outcomes = store.update_nodes(&names, &mut { renamed }).await.unwrap();
    assert_eq!(words(&outcomes), ["the name of a node can't be changed"]);
}

pub async fn addresses_pass_from_node_to_node(store: Store) {
    store
        .create_nodes(&[node("a", &[1]), node("b", &[2]), node("c", &[3])])
        .await
        .unwrap();
    // a drops 1, b takes it over; c wants 2, which b has given up just before.
    let outcomes = store
        .update_nodes(&names(&["a", "b", "c"]), &mut |node| {
            node.nics = match node.name.as_str() {
                "a" => vec![],
                "b" => vec![nic(1)],
                _ => vec![node.nics[0].clone(), nic(2)],
            };
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(words(&outcomes), ["updated"; 3]);
    let macs = |node: &xcat3_core::Node| node.nics.iter().map(|nic| nic.mac).collect::<Vec<_>>();
    let nodes = store.all_nodes().await.unwrap();
    assert_eq!(macs(&nodes[0]), []);
    assert_eq!(macs(&nodes[1]), [mac(1)]);
    assert_eq!(macs(&nodes[2]), [mac(3), mac(2)]);

    // a wants what b keeps and is refused as a whole; c, after it, is not.
    let outcomes = store
        .update_nodes(&names(&["a", "c"]), &mut |node| {
            let wanted = if node.name.as_str() == "a" {
                nic(1)
            } else {
                nic(7)
            };
            node.nics.push(wanted);
            node.declared.kind = Some("new".into());
            Ok(())
        })
        .await
        .unwrap();
    let refused = format!("nic {} belongs to node b already", mac(1));
    assert_eq!(words(&outcomes), [refused.as_str(), "updated"]);
    let nodes = store.all_nodes().await.unwrap();
    assert_eq!(nodes[0].declared.kind, None);
    assert_eq!(macs(&nodes[2]), [mac(3), mac(2), mac(7)]);
}

pub async fn removing_answers_for_each(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    store
        .create_nodes(&[node("a", &[1]), node("b", &[2]), node("c", &[3])])
        .await
        .unwrap();
    put(&store, &names(&["b"]), State::Deploying, Some("img")).await;
    let outcomes = store
        .delete_nodes(&names(&["a", "b", "nobody", "a"]))
        .await
        .unwrap();
    let refused = "it is being deployed: take that back first (deploy --delete)";
    assert_eq!(
        words(&outcomes),
        ["deleted", refused, "Could not be found.", "deleted"]
    );
    assert_eq!(
        store.node_names(NodeSort::default()).await.unwrap(),
        names(&["b", "c"])
    );
    assert_eq!(
        store.nic_by_mac(mac(1)).await.unwrap(),
        None,
        "its nics go with it"
    );
    let again = store.create_nodes(&[node("a", &[1])]).await.unwrap();
    assert_eq!(words(&again), ["ok"]);
}

pub async fn a_node_that_is_held_stays_as_it_is(store: Store) {
    let both = enrol(&store, &["a", "b"]).await;
    let held = store
        .reserve(&both[..1], "host1/77", "power on", LONG)
        .await
        .unwrap();
    let shown = store.nodes(&both).await.unwrap();
    assert_eq!(shown[0].observed.reservation.as_deref(), Some("host1/77"));
    assert_eq!(shown[0].observed.conductor.as_deref(), Some("host1"));
    assert_eq!(shown[1].observed.reservation, None);
    let mut change = |node: &mut xcat3_core::Node| {
        node.declared.kind = Some("x".into());
        Ok(())
    };
    let updated = store.update_nodes(&both, &mut change).await.unwrap();
    assert_eq!(words(&updated), ["Locked temporarily", "updated"]);
    let deleted = store.delete_nodes(&both).await.unwrap();
    assert_eq!(words(&deleted), ["Locked temporarily", "deleted"]);
    store.release(held.fence).await.unwrap();
    assert_eq!(
        words(&store.delete_nodes(&both[..1]).await.unwrap()),
        ["deleted"]
    );
}

pub async fn the_list_of_names_is_kept_until_it_changes(store: Store) {
    enrol(&store, &["n10", "n2"]).await;
    let first = store.all_names().await.unwrap();
    assert_eq!(first.to_vec(), names(&["n2", "n10"]));
    let mut change = |node: &mut xcat3_core::Node| {
        node.declared.kind = Some("x".into());
        Ok(())
    };
    store.update_nodes(&first, &mut change).await.unwrap();
    enrol(&store, &[]).await;
    store.delete_nodes(&names(&["n3"])).await.unwrap();
    let same = store.all_names().await.unwrap();
    assert!(
        std::sync::Arc::ptr_eq(&first, &same),
        "nothing came or went"
    );
    enrol(&store, &["n3"]).await;
    let more = store.all_names().await.unwrap();
    assert_eq!(more.to_vec(), names(&["n2", "n3", "n10"]));
    store.delete_nodes(&names(&["n2"])).await.unwrap();
    let less = store.all_names().await.unwrap();
    assert_eq!(less.to_vec(), names(&["n3", "n10"]));
}

pub async fn a_request_is_one_though_it_is_looked_at_in_parts(store: Store) {
    let nodes = |range: std::ops::Range<u32>| range.map(|n| node(&format!("n{n}"), &[n]));
    let mut asked: Vec<_> = nodes(0..2_500).collect();
    // A name and an address of the first thousand come again in the third.
    asked[2_100].name = asked[7].name.clone();
    asked[2_200].nics[0].mac = mac(8);
    let outcomes = store.create_nodes(asked.clone()).await.unwrap();
    let refused: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| !outcome.is_done())
        .collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert_eq!(refused[0].1.as_str(), "Error: duplicate name");
    let twice = format!("nic {} stands twice in the request: node n8 has it", mac(8));
    assert_eq!(refused[1].1.as_str(), twice);
    assert_eq!(store.revision().await.unwrap(), 1);

    // A name that comes again is changed once.
    let mut names = store.all_names().await.unwrap().to_vec();
    names.push(names[3].clone());
    let mut changed = 0;
    let mut change = |node: &mut xcat3_core::Node| {
        changed += 1;
        node.declared.kind = Some(format!("{changed}"));
        Ok(())
    };
    let outcomes = store.update_nodes(&names, &mut change).await.unwrap();
    assert_eq!((outcomes.len(), changed), (2_499, 2_498));
    assert!(
        outcomes
            .iter()
            .all(|(_, outcome)| outcome.as_str() == "updated")
    );
    assert_eq!(store.revision().await.unwrap(), 2);

    // An address of one of the first goes to one of the last, and to no other.
    let mut change = |node: &mut xcat3_core::Node| {
        match node.name.as_str() {
            "n1" => node.nics.clear(),
            "n2300" | "n2301" => node.nics[0].mac = mac(1),
            "n5" => node.nics[0].mac = mac(2_400),
            _ => {}
        }
        Ok(())
    };
    let outcomes = store.update_nodes(&names, &mut change).await.unwrap();
    let refused: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| !outcome.is_done())
        .collect();
    assert_eq!(refused.len(), 2, "{refused:?}");
    let taken = format!("nic {} belongs to node n2400 already", mac(2_400));
    assert_eq!(
        (refused[0].0.as_str(), refused[0].1.as_str()),
        ("n5", &*taken)
    );
    let taken = format!(
        "nic {} stands twice in the request: node n2300 has it",
        mac(1)
    );
    assert_eq!(
        (refused[1].0.as_str(), refused[1].1.as_str()),
        ("n2301", &*taken)
    );
}
