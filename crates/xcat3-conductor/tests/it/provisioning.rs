//! Deploys, what takes them back, what ends them, and what ends them badly.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xcat3_core::boot::{Phase, Progress};
use xcat3_core::setting::Seconds;
use xcat3_core::{Operation, ServiceKind, State};
use xcat3_store::{Revision, ServiceReport};

use crate::lab::{IMAGE, Lab, deploy};

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

impl Lab {
    /// A network service of `hostname` reports that it serves `served`.
    pub(crate) async fn network_service(&self, hostname: &str, served: Option<Revision>) {
        let report = ServiceReport {
            hostname: hostname.into(),
            kind: ServiceKind::Network,
            worker: 0,
            workers: 1,
            instance: uuid::Uuid::new_v4(),
            served,
            note: None,
        };
        self.store.heartbeat(&report).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_deployed_and_calls_back() {
    let lab = Lab::new().await;
    lab.make_deployable().await;
    let names = lab.enrol(1).await;
    let conductor = lab.conductor();
    assert_eq!(lab.ask(deploy(), &names).await, ["ok"]);
    let node = lab.node(&names[0]).await;
    assert_eq!(
        (node.deployment.state, node.deployment.osimage.as_deref()),
        (State::Deploying, Some(IMAGE))
    );
    assert_eq!(node.deployment.token.map(|token| token.len()), Some(32));
    assert_eq!(node.observed.conductor.as_deref(), Some("lab"));
    assert_eq!(
        node.deployment.progress.map(|progress| progress.phase),
        Some(Phase::Waiting)
    );
    assert_eq!(
        lab.rehearsal.acted().len(),
        0,
        "a deploy does not touch the hardware"
    );

    assert_eq!(lab.ask(Operation::Callback, &names).await, ["ok"]);
    let node = lab.node(&names[0]).await;
    assert_eq!(
        (node.deployment.state, node.deployment.token),
        (State::Deployed, None)
    );
    assert_eq!(
        node.deployment.progress.map(|progress| progress.phase),
        Some(Phase::Callback)
    );
    assert_eq!(
        lab.ask(Operation::Callback, &names).await,
        ["ok"],
        "an answer may get lost"
    );

    let again = Operation::Deploy {
        osimage: None,
        subnet: None,
        force: false,
    };
    assert_eq!(
        lab.ask(again, &names).await,
        ["ok"],
        "the last image is used"
    );
    assert_eq!(lab.node(&names[0]).await.deployment.state, State::Deploying);
    assert_eq!(lab.ask(Operation::Undo, &names).await, ["ok"]);
    let node = lab.node(&names[0]).await;
    assert_eq!(
        (node.deployment.state, node.deployment.token),
        (State::None, None)
    );
    assert_eq!(lab.ask(Operation::ServeDhcp, &names).await, ["ok"]);
    assert_eq!(lab.node(&names[0]).await.deployment.state, State::Dhcp);
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_that_cannot_be_deployed_says_why() {
    let lab = Lab::new().await;
    lab.make_deployable().await;
    let mut names = lab.enrol(5).await;
    lab.change(&names[0], |node| {
        node.declared.arch = Some("ppc64le".into());
    })
    .await;
    lab.change(&names[1], |node| node.nics.clear()).await;
    lab.change(&names[2], |node| node.nics[0].ip = None).await;
    lab.change(&names[3], |node| {
        node.nics[0].ip = Some([192, 168, 1, 1].into());
    })
    .await;
    names.push("nobody".parse().unwrap());
    let conductor = lab.conductor();
    let outcomes = lab.ask(deploy(), &names).await;
    for (outcome, word) in outcomes.iter().zip(["ppc64le", "nic", "ip", "192.168.1.1"]) {
        assert!(outcome.contains(word), "{outcome}");
    }
    assert_eq!(outcomes[4..], ["ok", "Could not be found."]);
    let unknown = Operation::Deploy {
        osimage: Some("nothing1-x86_64".into()),
        subnet: None,
        force: false,
    };
    let outcomes = lab.ask(unknown, &names[..1]).await;
    assert!(outcomes[0].contains("nothing1-x86_64"), "{}", outcomes[0]);
    let second = lab.ask(deploy(), &names[4..5]).await;
    assert!(
        second[0].contains("being deployed already"),
        "{}",
        second[0]
    );
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_root_password_the_command_that_sets_one_is_named() {
    let lab = Lab::new().await;
    lab.make_deployable().await;
    lab.store.delete_passwd("system").await.unwrap();
    let names = lab.enrol(1).await;
    let conductor = lab.conductor();
    let outcomes = lab.ask(deploy(), &names).await;
    assert!(
        outcomes[0].contains("xcat3 passwd-create system username=root"),
        "{}",
        outcomes[0]
    );
    assert_eq!(lab.node(&names[0]).await.deployment.state, State::None);
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_service_that_lags_is_named_and_one_that_follows_is_waited_for() {
    let mut lab = Lab::new().await;
    lab.make_deployable().await;
    let names = lab.enrol(2).await;
    lab.network_service("slowhost", Some(0)).await;
    let conductor = lab.conductor();
    let outcomes = lab.ask(deploy(), &names[..1]).await;
    assert!(
        outcomes[0].contains("network service on slowhost"),
        "{}",
        outcomes[0]
    );
    conductor.stop().await;

    lab.settings.serve_deadline_s = Seconds::new(30);
    let conductor = lab.conductor();
    let follow = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        while lab.node(&names[1]).await.deployment.state != State::Deploying {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        lab.network_service("slowhost", Some(lab.store.revision().await.unwrap()))
            .await;
    };
    let (outcomes, ()) = tokio::join!(lab.ask(deploy(), &names[1..]), follow);
    assert_eq!(outcomes, ["ok"]);
    conductor.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_fell_silent_fails_with_what_was_last_seen() {
    let mut lab = Lab::new().await;
    lab.make_deployable().await;
    let names = lab.enrol(2).await;
    let conductor = lab.conductor();
    assert_eq!(lab.ask(deploy(), &names).await, ["ok", "ok"]);
    conductor.stop().await;
    let progress = Progress {
        phase: Phase::Packages,
        detail: "GET /pool/main/b/bash.deb".into(),
        since_ms: now_ms(),
        seen_ms: now_ms(),
    };
    lab.store
        .record_progress(&[(names[0].clone(), progress)])
        .await
        .unwrap();
    lab.settings.silence_s = Duration::from_millis(1).into();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let conductor = lab.conductor();
    while lab.node(&names[0]).await.deployment.state == State::Deploying {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let failed = lab.node(&names[0]).await;
    assert_eq!(
        (failed.deployment.state, failed.deployment.token),
        (State::Failed, None)
    );
    let sentence = failed.deployment.failure.unwrap();
    assert!(
        sentence.contains("fell silent in phase 'packages'"),
        "{sentence}"
    );
    assert!(sentence.contains("GET /pool/main/b/bash.deb"), "{sentence}");
    assert_eq!(
        lab.node(&names[1]).await.deployment.state,
        State::Deploying,
        "it has a day to be seen"
    );
    assert_eq!(
        lab.ask(deploy(), &names[..1]).await,
        ["ok"],
        "a failed deploy can be tried again"
    );
    conductor.stop().await;
}
