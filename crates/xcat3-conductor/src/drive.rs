//! Driving the hardware of many nodes: one call a control driver, all drivers at once, and exactly
//! one outcome a node whatever a driver does.

use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::error::Elapsed;
use xcat3_core::{Node, NodeName, Outcome};
use xcat3_drivers::control::{
    BmcCredentials, ControlDriver, ControlOperation, ControlOrder, Lease, Rejections,
};

use crate::FindControl;

/// What a driver may take beyond its deadline to say what it did not manage.
const GRACE: Duration = Duration::from_secs(2);

/// Outcomes on their way from a driver.
pub(crate) type Outcomes = mpsc::Sender<(NodeName, Outcome)>;

/// What is done to the nodes of a batch.
pub(crate) struct Drive<'a> {
    pub(crate) controls: &'a dyn FindControl,
    pub(crate) operation: &'a ControlOperation,
    /// How long it may take.
    pub(crate) deadline: Duration,
    pub(crate) lease: Lease,
    /// The credentials of BMCs whose nodes have none of their own.
    pub(crate) credentials: Option<BmcCredentials>,
    /// Credentials that BMCs are known to reject.
    pub(crate) rejections: &'a Rejections,
}

impl Drive<'_> {
    /// Does it to all of `nodes` and sends one outcome for each as soon as it is known. Where the
    /// lease is lost, nodes that were not acted on by then have no outcome.
    pub(crate) async fn all(&self, nodes: Vec<Node>, outcomes: Outcomes) {
        let mut groups: BTreeMap<Option<String>, Vec<Node>> = BTreeMap::new();
        for node in nodes {
            groups
                .entry(node.declared.mgt.clone())
                .or_default()
                .push(node);
        }
        let driven = groups.iter().map(|(mgt, nodes)| {
            let outcomes = outcomes.clone();
            async move {
                match find(self.controls, mgt.as_deref()) {
                    Ok((mgt, driver)) => {
                        let group = Group {
                            mgt,
                            driver,
                            nodes,
                            drive: self,
                        };
                        group.drive(outcomes).await;
                    }
                    Err(reason) => {
                        fail(nodes.iter().map(|node| &node.name), &reason, &outcomes).await;
                    }
                }
            }
        });
        join_all(driven).await;
    }
}

fn find<'a>(
    controls: &'a dyn FindControl,
    mgt: Option<&'a str>,
) -> Result<(&'a str, &'a dyn ControlDriver), String> {
    let mgt = mgt.ok_or("it has no control driver (mgt): set one, for example mgt=kvm")?;
    let driver = controls.driver(mgt);
    driver
        .map(|driver| (mgt, driver))
        .ok_or_else(|| format!("there is no control driver '{mgt}' in this build"))
}

async fn fail(names: impl Iterator<Item = &NodeName>, reason: &str, outcomes: &Outcomes) {
    for name in names {
        // Nobody listens any more when the batch was given up.
        let _ = outcomes.send((name.clone(), Outcome::failed(reason))).await;
    }
}

/// The nodes of a batch that share a driver.
struct Group<'a> {
    mgt: &'a str,
    driver: &'a dyn ControlDriver,
    nodes: &'a [Node],
    drive: &'a Drive<'a>,
}

impl Group<'_> {
    async fn drive(&self, outcomes: Outcomes) {
        let mut pending: HashSet<&NodeName> = self.nodes.iter().map(|node| &node.name).collect();
        let (sender, mut driven) = mpsc::channel(256);
        let (deadline, lease) = (self.drive.deadline, &self.drive.lease);
        let order = ControlOrder {
            operation: self.drive.operation,
            nodes: self.nodes,
            deadline,
            lease,
            default_credentials: self.drive.credentials.as_ref(),
            rejections: self.drive.rejections,
        };
        let run = AssertUnwindSafe(self.driver.run(order, sender)).catch_unwind();
        let mut run = pin!(tokio::time::timeout(deadline + GRACE, run));
        let ended = loop {
            tokio::select! {
                biased;
                Some(outcome) = driven.recv() => forward(outcome, &mut pending, &outcomes).await,
                ended = &mut run => break ended,
            }
        };
        while let Ok(outcome) = driven.try_recv() {
            forward(outcome, &mut pending, &outcomes).await;
        }
        if !pending.is_empty() && lease.holds().await {
            fail(pending.into_iter(), &self.silence(&ended), &outcomes).await;
        }
    }

    /// Why nodes are left without outcome by a driver that ended like this.
    fn silence(&self, ended: &Result<std::thread::Result<()>, Elapsed>) -> String {
        let mgt = self.mgt;
        match ended {
            Ok(Ok(())) => format!("the control driver '{mgt}' gave no answer for it"),
            Ok(Err(_)) => format!("the control driver '{mgt}' broke down: see the conductor's log"),
            Err(_) => {
                let seconds = self.drive.deadline.as_secs();
                format!("the control driver '{mgt}' gave no answer within {seconds} s")
            }
        }
    }
}

async fn forward(
    (name, outcome): (NodeName, Outcome),
    pending: &mut HashSet<&NodeName>,
    outcomes: &Outcomes,
) {
    if pending.remove(&name) {
        // Nobody listens any more when the batch was given up.
        let _ = outcomes.send((name, outcome)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;

    /// Does with each node what its name says.
    struct Odd;

    #[async_trait]
    impl ControlDriver for Odd {
        async fn run(&self, order: ControlOrder<'_>, outcomes: Outcomes) {
            for node in order.nodes {
                let answer = (node.name.clone(), Outcome::OK);
                match node.name.as_str() {
                    "forgotten" => {}
                    "twice" => {
                        outcomes.send(answer.clone()).await.unwrap();
                        outcomes
                            .send((answer.0, Outcome::failed("second")))
                            .await
                            .unwrap();
                    }
                    "panic" => panic!("as the test wants"),
                    "hang" => std::future::pending().await,
                    _ => outcomes.send(answer).await.unwrap(),
                }
            }
            let stranger = "stranger".parse().unwrap();
            outcomes.send((stranger, Outcome::OK)).await.unwrap();
        }
    }

    struct OnlyOdd;

    impl FindControl for OnlyOdd {
        fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
            (mgt == "odd").then_some(&Odd as &dyn ControlDriver)
        }
    }

    async fn outcomes(nodes: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
        under(Lease::endless(), nodes).await
    }

    async fn under(lease: Lease, nodes: &[(&str, Option<&str>)]) -> Vec<(String, String)> {
        let nodes = nodes.iter().map(|(name, mgt)| {
            let mut node = Node::new(name.parse().unwrap());
            node.declared.mgt = mgt.map(str::to_owned);
            node
        });
        let (sender, mut receiver) = mpsc::channel(1000);
        let drive = Drive {
            controls: &OnlyOdd,
            operation: &ControlOperation::PowerStatus,
            deadline: Duration::from_millis(20),
            lease,
            credentials: None,
            rejections: &Rejections::none(),
        };
        drive.all(nodes.collect(), sender).await;
        let mut all = Vec::new();
        while let Some((name, outcome)) = receiver.recv().await {
            all.push((name.to_string(), outcome.to_string()));
        }
        all.sort();
        all
    }

    #[tokio::test]
    async fn every_node_has_one_outcome_whatever_the_driver_does() {
        let odd = Some("odd");
        let found = outcomes(&[("a", odd), ("forgotten", odd), ("twice", odd), ("z", odd)]).await;
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "forgotten", "twice", "z"]);
        assert_eq!(found[1].1, "the control driver 'odd' gave no answer for it");
        assert_eq!(found[2].1, "ok");
    }

    #[tokio::test]
    async fn a_driver_that_panics_or_hangs_fails_only_its_nodes() {
        let found = outcomes(&[("a", Some("odd")), ("panic", Some("odd")), ("n", None)]).await;
        assert_eq!(found[0].1, "ok");
        assert!(
            found[1].1.contains("no control driver (mgt)"),
            "{}",
            found[1].1
        );
        assert!(found[2].1.contains("'odd' broke down"), "{}", found[2].1);
        let found = outcomes(&[
            ("a", Some("odd")),
            ("hang", Some("odd")),
            ("i", Some("ipmi")),
        ])
        .await;
        assert_eq!(found[0].1, "ok");
        assert!(
            found[1].1.contains("'odd' gave no answer within"),
            "{}",
            found[1].1
        );
        assert_eq!(
            found[2].1,
            "there is no control driver 'ipmi' in this build"
        );
    }

    #[tokio::test]
    async fn without_a_lease_nothing_is_said_of_who_has_no_answer() {
        let (holder, lease) = Lease::until(tokio::time::Instant::now());
        holder.lose();
        let found = under(lease, &[("a", Some("odd")), ("hang", Some("odd"))]).await;
        assert_eq!(found, [("a".to_owned(), "ok".to_owned())]);
    }
}
