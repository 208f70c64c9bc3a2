//! The change feed: whoever applies what it tells has what the store has.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;
use xcat3_core::{
    ControlOperation, Network, Nic, Node, NodeName, OsImage, Passwd, ServiceKind, State,
};
use xcat3_store::{Changes, Lease, NewJob, Revision, ServiceReport, Store};

use crate::fixture::{LONG, enrol, image, mac, name, names, network, nic, node, put, to_state};

/// What a reader of the feed has.
#[derive(Debug, Default, PartialEq)]
struct Snapshot {
    revision: Revision,
    nodes: BTreeMap<NodeName, Node>,
    networks: BTreeMap<String, Network>,
    osimages: BTreeMap<String, OsImage>,
    passwds: BTreeMap<String, Passwd>,
}

impl Snapshot {
    fn apply(&mut self, changes: Changes) {
        if changes.complete {
            *self = Self::default();
        }
        self.revision = changes.revision;
        self.nodes
            .retain(|name, _| !changes.removed_nodes.contains(name));
        self.networks
            .retain(|name, _| !changes.removed_networks.contains(name));
        self.osimages
            .retain(|name, _| !changes.removed_osimages.contains(name));
        self.passwds
            .retain(|key, _| !changes.removed_passwds.contains(key));
        for mut node in changes.nodes {
            // The feed tells of these as they are at the moment, not of their changes.
            (
                node.observed.reservation,
                node.observed.conductor,
                node.deployment.progress,
            ) = (None, None, None);
            self.nodes.insert(node.name.clone(), node);
        }
        let networks = changes.networks.into_iter();
        self.networks
            .extend(networks.map(|network| (network.name.clone(), network)));
        let osimages = changes.osimages.into_iter();
        self.osimages
            .extend(osimages.map(|image| (image.name.clone(), image)));
        let passwds = changes.passwds.into_iter();
        self.passwds
            .extend(passwds.map(|passwd| (passwd.key.clone(), passwd)));
    }
}

pub async fn each_change_is_told_once(store: Store) {
    let mut reader = Snapshot::default();
    enrol(&store, &["first"]).await;
    reader.apply(store.changes_since(0).await.unwrap());
    store
        .create_network(&network("net", "10.0.0.0/24"))
        .await
        .unwrap();
    store
        .create_nodes(&[node("a", &[1]), node("b", &[2])])
        .await
        .unwrap();
    let told = store.changes_since(reader.revision).await.unwrap();
    assert_eq!(
        (told.nodes.len(), told.networks.len(), told.complete),
        (2, 1, false)
    );
    assert_eq!(told.nodes[0].nics[0].mac, mac(1));
    reader.apply(told);
    assert_eq!(
        store.changes_since(reader.revision).await.unwrap(),
        Changes {
            revision: reader.revision,
            ..Changes::default()
        }
    );

    store.delete_nodes(&names(&["a"])).await.unwrap();
    store.delete_network("net").await.unwrap();
    let told = store.changes_since(reader.revision).await.unwrap();
    assert_eq!(told.removed_nodes, names(&["a"]));
    assert_eq!(told.removed_networks, ["net"]);
    assert_eq!(told.nodes, []);
    // What comes back is no more among what is gone.
    store.create_nodes(&[node("a", &[])]).await.unwrap();
    let told = store.changes_since(reader.revision).await.unwrap();
    assert_eq!((told.removed_nodes.len(), told.nodes.len()), (0, 1));
    let all = store.changes_since(0).await.unwrap();
    assert!(all.complete && all.removed_networks.is_empty());
    assert_eq!(all.nodes.len(), 3);
}

pub async fn a_request_is_one_revision(store: Store) {
    let start = store.revision().await.unwrap();
    let nodes: Vec<Node> = (0..2_500).map(|n| node(&format!("n{n}"), &[n])).collect();
    store.create_nodes(&nodes).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), start + 1);
    let all: Vec<NodeName> = nodes.into_iter().map(|node| node.name).collect();
    let mut change = |node: &mut Node| {
        node.declared.kind = Some("x".into());
        node.nics[0].primary = false;
        Ok(())
    };
    store.update_nodes(&all, &mut change).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), start + 2);
    store.delete_nodes(&all).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), start + 3);
    store.delete_nodes(&all).await.unwrap();
    assert_eq!(
        store.revision().await.unwrap(),
        start + 3,
        "there was nothing to delete"
    );
}

pub async fn what_nobody_serves_is_not_told(store: Store) {
    let all = enrol(&store, &["a"]).await;
    store.create_osimage(&image("img")).await.unwrap();
    put(&store, &all, State::Deploying, Some("img")).await;
    let before = store.revision().await.unwrap();
    let mut report = ServiceReport {
        hostname: "host1".into(),
        kind: ServiceKind::Network,
        worker: 0,
        workers: 1,
        instance: Uuid::new_v4(),
        served: None,
        note: None,
    };
    store.heartbeat(&report).await.unwrap();
    report.served = Some(before);
    store.heartbeat(&report).await.unwrap();
    let lease = Lease {
        mac: mac(1),
        ip: "10.0.0.1".parse().unwrap(),
        network: "net".into(),
        expires_ms: i64::MAX / 2,
        hostname: None,
        client_id: None,
    };
    store.save_leases(&[lease]).await.unwrap();
    let progress = store
        .nodes(&all)
        .await
        .unwrap()
        .remove(0)
        .deployment
        .progress
        .unwrap();
    store
        .record_progress(&[(all[0].clone(), progress)])
        .await
        .unwrap();
    let job = store
        .create_job(&NewJob::new(&ControlOperation::PowerStatus.into(), &all, 1))
        .await
        .unwrap();
    store.finish_batch(job.id, 0, None).await.unwrap();
    let fence = store.reserve(&all, "host1", "x", LONG).await.unwrap().fence;
    store.release(fence).await.unwrap();
    assert_eq!(store.revision().await.unwrap(), before);
}

pub async fn a_listener_is_woken(store: Store) {
    let mut changed = store.changed();
    assert_eq!(
        *changed.borrow_and_update(),
        store.revision().await.unwrap()
    );
    let waiting = tokio::spawn(async move {
        changed.changed().await.unwrap();
        *changed.borrow_and_update()
    });
    store
        .create_network(&network("net", "10.0.0.0/24"))
        .await
        .unwrap();
    let woken = tokio::time::timeout(Duration::from_secs(10), waiting).await;
    assert_eq!(woken.unwrap().unwrap(), store.revision().await.unwrap());
}

pub async fn a_reader_of_another_store_starts_anew(store: Store) {
    enrol(&store, &["a"]).await;
    let told = store.changes_since(1_000_000).await.unwrap();
    assert!(
        told.complete,
        "it has seen revisions that this store never had"
    );
    assert_eq!(
        (told.nodes.len(), told.revision),
        (1, store.revision().await.unwrap())
    );
}

#[derive(Clone, Debug)]
enum Step {
    Create(Vec<u8>),
    Update(Vec<u8>, u8),
    Delete(Vec<u8>),
    AddNic(u8, u8),
    MoveNic(u8, u8),
    DropNic(u8),
    Provision(Vec<u8>, u8),
    Network(u8, u8),
    Image(u8, u8),
    Passwd(u8, u8),
    CatchUp,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let few = || prop::collection::vec(0u8..6, 1..4);
    let step = prop_oneof![
        few().prop_map(Step::Create),
        (few(), 0u8..8).prop_map(|(nodes, what)| Step::Update(nodes, what)),
        few().prop_map(Step::Delete),
        (0u8..6, 0u8..12).prop_map(|(node, nic)| Step::AddNic(node, nic)),
        (0u8..6, 0u8..12).prop_map(|(node, nic)| Step::MoveNic(node, nic)),
        (0u8..12).prop_map(Step::DropNic),
        (few(), 0u8..5).prop_map(|(nodes, state)| Step::Provision(nodes, state)),
        (0u8..3, 0u8..3).prop_map(|(which, what)| Step::Network(which, what)),
        (0u8..3, 0u8..3).prop_map(|(which, what)| Step::Image(which, what)),
        (0u8..3, 0u8..3).prop_map(|(which, what)| Step::Passwd(which, what)),
        Just(Step::CatchUp),
    ];
    prop::collection::vec(step, 1..40)
}

fn listed(nodes: &[u8]) -> Vec<NodeName> {
    nodes
        .iter()
        .map(|number| name(&format!("n{number}")))
        .collect()
}

/// Does a step; whether the store refuses it is its own business.
async fn take(store: &Store, step: &Step) {
    match step {
        Step::Create(nodes) => {
            let nodes = nodes
                .iter()
                .map(|&n| node(&format!("n{n}"), &[u32::from(n)]));
            store
                .create_nodes(&nodes.collect::<Vec<_>>())
                .await
                .unwrap();
        }
        Step::Update(nodes, what) => {
            let mut change = |node: &mut Node| {
                match what {
                    0..3 => node.declared.kind = Some(format!("kind{what}")),
                    3 => node.nics.clear(),
                    _ => node.nics.push(nic(u32::from(*what))),
                }
                Ok(())
            };
            store
                .update_nodes(&listed(nodes), &mut change)
                .await
                .unwrap();
        }
        Step::Delete(nodes) => {
            store.delete_nodes(&listed(nodes)).await.unwrap();
        }
        Step::AddNic(node, number) => {
            let node = Some(name(&format!("n{node}")));
            let _ = store
                .create_nic(&Nic {
                    node,
                    ..nic(u32::from(*number))
                })
                .await;
        }
        Step::MoveNic(node, number) => {
            if let Some(found) = store.nic_by_mac(mac(u32::from(*number))).await.unwrap() {
                let mut change = |nic: &mut Nic| {
                    nic.node = Some(name(&format!("n{node}")));
                    Ok(())
                };
                let _ = store.update_nic(found.uuid, &mut change).await;
            }
        }
        Step::DropNic(number) => {
            if let Some(found) = store.nic_by_mac(mac(u32::from(*number))).await.unwrap() {
                store.delete_nic(found.uuid).await.unwrap();
            }
        }
        Step::Provision(nodes, state) => {
            let nodes = listed(nodes);
            let fence = store
                .reserve(&nodes, "host1", "test", LONG)
                .await
                .unwrap()
                .fence;
            let state = State::ALL[usize::from(*state)];
            let changes: Vec<_> = nodes.iter().map(|name| to_state(name, state)).collect();
            store.provision(fence, &changes).await.unwrap();
            store.release(fence).await.unwrap();
        }
        other => take_other(store, other).await,
    }
}

async fn take_other(store: &Store, step: &Step) {
    match step {
        Step::Network(which, what) => {
            let name = format!("net{which}");
            let _ = match what {
                0 => {
                    store
                        .create_network(&network(&name, &format!("10.{which}.0.0/16")))
                        .await
                }
                1 => store.delete_network(&name).await,
                _ => {
                    let mut change = |network: &mut Network| {
                        network.domain = Some("changed".into());
                        Ok(())
                    };
                    store.update_network(&name, &mut change).await.map(|_| ())
                }
            };
        }
        Step::Image(which, what) => {
            let name = format!("image{which}");
            let _ = match what {
                0 => store.create_osimage(&image(&name)).await.map(|_| ()),
                1 => store.delete_osimage(&name).await,
                _ => {
                    let mut change = |image: &mut OsImage| {
                        image.profile = Some("changed".into());
                        Ok(())
                    };
                    store.update_osimage(&name, &mut change).await.map(|_| ())
                }
            };
        }
        Step::Passwd(which, what) => {
            let key = format!("key{which}");
            let (username, password) = (None, Some("x".into()));
            let _ = match what {
                0 => {
                    let key = key.clone();
                    let passwd = Passwd {
                        key,
                        username,
                        password,
                        crypt_method: None,
                    };
                    store.create_passwd(&passwd).await
                }
                1 => store.delete_passwd(&key).await,
                _ => {
                    let mut change = |passwd: &mut Passwd| {
                        passwd.username = Some("changed".into());
                        Ok(())
                    };
                    store.update_passwd(&key, &mut change).await.map(|_| ())
                }
            };
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn who_applies_the_changes_has_what_is_there(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Store::open("sqlite::memory:").await.unwrap();
            let mut reader = Snapshot::default();
            reader.apply(store.changes_since(0).await.unwrap());
            for step in &steps {
                take(&store, step).await;
                if matches!(step, Step::CatchUp) {
                    reader.apply(store.changes_since(reader.revision).await.unwrap());
                }
            }
            reader.apply(store.changes_since(reader.revision).await.unwrap());
            let mut fresh = Snapshot::default();
            fresh.apply(store.changes_since(0).await.unwrap());
            assert_eq!(reader, fresh);
            assert_eq!(fresh.nodes.len(), store.all_nodes().await.unwrap().len());
            store.close().await;
        });
    }
}

pub async fn a_change_of_many_nodes_comes_in_parts(store: Store) {
    store
        .create_network(&network("net", "10.0.0.0/8"))
        .await
        .unwrap();
    enrol(&store, &["gone"]).await;
    let nodes: Vec<Node> = (0..2_500).map(|n| node(&format!("n{n}"), &[n])).collect();
    let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
    store.create_nodes(nodes).await.unwrap();
    let before = store.revision().await.unwrap();
    store.delete_nodes(&[name("gone")]).await.unwrap();
    let mut change = |node: &mut Node| {
        node.declared.kind = Some("x".into());
        Ok(())
    };
    // Two revisions, the second of which passes over the end of a part.
    store
        .update_nodes(&names[..900], &mut change)
        .await
        .unwrap();
    store
        .update_nodes(&names[900..], &mut change)
        .await
        .unwrap();

    for since in [0, before] {
        let mut parts = Vec::new();
        let mut take = |part: Changes| parts.push(part);
        let revision = store.each_change_since(since, &mut take).await.unwrap();
        assert_eq!(revision, store.revision().await.unwrap());
        let sizes: Vec<usize> = parts.iter().map(|part| part.nodes.len()).collect();
        assert_eq!(sizes, [1_000, 1_000, 500]);
        let complete: Vec<bool> = parts.iter().map(|part| part.complete).collect();
        assert_eq!(complete, [since == 0, false, false]);
        let removed: Vec<usize> = parts.iter().map(|part| part.removed_nodes.len()).collect();
        assert_eq!(removed, [usize::from(since > 0), 0, 0]);
        let networks: Vec<usize> = parts.iter().map(|part| part.networks.len()).collect();
        assert_eq!(networks, [usize::from(since == 0), 0, 0]);
        let mut told: Vec<&Node> = parts.iter().flat_map(|part| &part.nodes).collect();
        assert!(
            told.iter()
                .all(|node| node.nics.len() == 1 && node.declared.kind.is_some())
        );
        told.sort_by(|left, right| left.name.cmp(&right.name));
        told.dedup_by(|left, right| left.name == right.name);
        assert_eq!(told.len(), 2_500, "each once");
    }
    let mut parts = 0;
    let mut take = |part: Changes| {
        parts += 1;
        assert!(part.nodes.is_empty() && !part.complete);
    };
    let now = store.revision().await.unwrap();
    store.each_change_since(now, &mut take).await.unwrap();
    assert_eq!(parts, 1, "nothing is told, too");
}
