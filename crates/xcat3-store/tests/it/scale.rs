//! Many nodes at once.

use xcat3_core::{Node, NodeName, Operation, Outcome, State};
use xcat3_store::{NewJob, NodeSort, Provision, Store};

use crate::fixture::{LONG, image, node, to_state};

pub async fn ten_thousand_nodes(store: Store) {
    store.create_osimage(&image("img")).await.unwrap();
    let nodes: Vec<Node> = (0..10_000)
        .map(|n| node(&format!("node{n}"), &[n]))
        .collect();
    let outcomes = store.create_nodes(&nodes).await.unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_done()));
    let names: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
    assert_eq!(
        store.node_names(NodeSort::default()).await.unwrap(),
        names,
        "in natural order"
    );
    assert_eq!(store.nodes(&names).await.unwrap().len(), 10_000);

    let mut change = |node: &mut Node| {
        node.declared.netboot = Some("pxe".into());
        Ok(())
    };
    let outcomes = store.update_nodes(&names, &mut change).await.unwrap();
    assert!(
        outcomes
            .iter()
            .all(|(_, outcome)| outcome.as_str() == "updated")
    );

    let deploy = Operation::Deploy {
        osimage: Some("img".into()),
        subnet: None,
        force: false,
    };
    let job = store
        .create_job(&NewJob::new(&deploy, &names, 1_500))
        .await
        .unwrap();
    assert_eq!(
        job.batches.len(),
        11,
        "64, 128, 256, 512, 1024, 5 times 1500, 516"
    );
    let reserved = store
        .reserve(&names, "host1", "deploy", LONG)
        .await
        .unwrap();
    assert_eq!((reserved.nodes.len(), reserved.locked.len()), (10_000, 0));
    let changes: Vec<Provision> = names
        .iter()
        .map(|name| Provision {
            osimage: Some("img".into()),
            deploy_token: Some(format!("token-{name}")),
            ..to_state(name, State::Deploying)
        })
        .collect();
    let revision = store.provision(reserved.fence, &changes).await.unwrap();
    let told = store.changes_since(revision - 1).await.unwrap();
    assert_eq!((told.nodes.len(), told.revision), (10_000, revision));
    let outcomes: Vec<_> = names
        .iter()
        .map(|name| (name.clone(), Outcome::OK))
        .collect();
    let fence = Some(reserved.fence);
    store.settle(job.id, fence, &outcomes).await.unwrap();
    let read = store.outcomes(job.id, 0, 20_000).await.unwrap();
    assert_eq!((read.outcomes.len(), read.ended), (10_000, true));
    assert_eq!(store.held(reserved.fence).await.unwrap(), []);
}
